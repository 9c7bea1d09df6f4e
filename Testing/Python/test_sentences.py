"""What the library says by code and values: complete in English, and in the panel's own words."""

import ast
import json
import re
from dataclasses import asdict
from string import Formatter

import pytest

from SuperResolution3DLib import errors
from SuperResolution3DLib.advice import SMALLER_REGION
from SuperResolution3DLib.english import ENGLISH
from SuperResolution3DLib.sentence import Sentence
from Testing.Slicer.module import MODULE_FILE

# isort: split
from SuperResolution3DSlicer.scene.library_sentences import in_own_language, told
from SuperResolution3DSlicer.scene.library_words import WORDS

LIBRARY = MODULE_FILE.parents[1] / "SuperResolution3DLib"
SOURCES = [path for path in sorted(LIBRARY.rglob("*.py")) if path.name != "english.py"]
OF_THE_COMMAND_LINE = (  # formats and commands that the panel does not have
    *("dicom", "metrics", "nifti_header.py", "nifti_forms.py", "mgz.py", "grid_match.py", "picture_file.py"),
    *("figure.py", "trust_row.py", "commands.py", "batch.py", "baseline.py"),
    *("slice_arguments.py", "blend.py", "forward_model.py", "axis_operator.py"),
)
NOT_IN_THE_PANEL = (  # values that it does not give, and files of a kind that it does not write
    *("The device is auto", "The precision is auto", "The slice axis is one of", "The plane of slices is one of"),
    *("A slice profile is one of", "The slice spacing is above 0", "Data consistency", "Region ", "A volume of "),
    *("Give one INPUT", "Model file ", "The first grid", "The two grids", "The header of ", " has no extension"),
    *("No axis of ", "The result takes ", " is also ", " cannot be read as a MetaImage", " names the data file "),
    *(" is a file and ", " is not a volume of"),
)
FULL = Sentence("memory-full", {"advice": SMALLER_REGION})


def calls_in(source: str) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def name_of(node: ast.AST) -> str:
    function = getattr(node, "func", None)
    return getattr(function, "attr", getattr(function, "id", ""))


def error_of(call: ast.Call) -> type[errors.SuperResolutionError] | None:
    kind = getattr(errors, name_of(call), None)
    return kind if isinstance(kind, type) and issubclass(kind, errors.SuperResolutionError) else None


def texts_in(source: str) -> set[str]:
    nodes = ast.walk(ast.parse(source))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def names_in(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_the_panel_has_its_own_words_for_every_code() -> None:
    assert list(WORDS) == list(ENGLISH)


@pytest.mark.parametrize("code", ENGLISH)
def test_the_panels_words_have_the_values_of_the_code_and_name_no_option(code) -> None:
    assert names_in(WORDS[code]) == names_in(ENGLISH[code])
    assert not re.search(r"--|`|superres3d|[.]py", WORDS[code])


def test_every_one_of_the_panels_words_is_offered_for_translation() -> None:
    for name in ("library_words.py", "library_errors.py"):
        path = MODULE_FILE.parent / "SuperResolution3DSlicer" / "scene" / name
        (table,) = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Dict)]
        for key, value in zip(table.keys, table.values, strict=True):
            if key is not None:  # else the other table
                assert isinstance(value, ast.Call) and value.func.id == "_", ast.unparse(value)
                assert isinstance(value.args[0], ast.Constant), ast.unparse(value)


def test_every_code_that_the_library_says_is_known_and_no_other() -> None:
    said = set().union(*(texts_in(path.read_text("utf-8")) for path in SOURCES))
    assert [code for code in ENGLISH if code not in said and not code.endswith("-first")] == []
    for path in SOURCES:
        for call in calls_in(path.read_text("utf-8")):
            if name_of(call) in ("Sentence", "Warned", "say", "_warn") and isinstance(call.args[0], ast.Constant):
                assert call.args[0].value in ENGLISH, path.name


def test_the_code_of_an_error_begins_with_that_of_its_class() -> None:
    for path in SOURCES:
        for call in calls_in(path.read_text("utf-8")):
            kind = error_of(call)
            if kind is not None and call.args and name_of(call.args[0]) == "Sentence":
                for code in texts_in(ast.unparse(call.args[0].args[0])):  # of either end of an if
                    assert code.partition("-")[0] == kind.code, ast.unparse(call)


def test_every_other_error_that_may_reach_the_panel_has_a_code() -> None:
    plain: list[str] = []
    for path in SOURCES:
        if not set(OF_THE_COMMAND_LINE) & set(path.parts):
            for call in calls_in(path.read_text("utf-8")):
                if error_of(call) is not None and call.args:
                    plain += [text for node in call.args[:1] for text in first_text(node)]
    assert [text for text in plain if not text.startswith(NOT_IN_THE_PANEL)] == []


def first_text(node: ast.AST) -> list[str]:
    """Return the text with which an f-string or a plain string begins, without the values before it."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return [part.value for part in parts if isinstance(part, ast.Constant)][:1]


def test_a_sentence_is_english_made_of_its_code_and_values() -> None:
    assert str(FULL) == "Out of memory: choose a smaller region with --region, or close other programs"
    with pytest.raises(KeyError):
        Sentence("no such code")
    with pytest.raises(KeyError):
        Sentence("memory-full")


def test_a_sentence_comes_back_from_json_with_those_in_it() -> None:
    assert Sentence.from_values(json.loads(json.dumps(asdict(FULL)))) == FULL


def test_the_panel_says_a_sentence_with_the_names_of_its_controls() -> None:
    assert in_own_language(FULL) == "Out of memory: choose a smaller part under Region, or close other programs"
    assert told(errors.ResourceError(FULL)) == in_own_language(FULL)
    assert told(errors.InputError("The panel's own words.")) == "The panel's own words."


@pytest.mark.parametrize(
    "values",
    [
        {"code": "later", "values": {"n": 3}, "message": "3 at a time"},
        {"code": "memory-full", "values": {"n": 3}, "message": "3 at a time"},
        {"code": "slices-thickness", "values": {"given": "thick", "in_file": 2}, "message": "3 at a time"},
        {"code": "memory-full", "message": "3 at a time"},
    ],
    ids=["an unknown code", "other values", "values of another kind", "no values"],
)
def test_what_another_version_of_the_worker_says_is_told_in_english_as_it_came(values) -> None:
    assert in_own_language(Sentence.from_values(values)) == "3 at a time"


def test_an_unknown_part_of_a_sentence_is_told_in_english_as_it_came() -> None:
    advice = {"code": "advice-later", "values": {}, "message": "buy memory"}
    sentence = Sentence.from_values({"code": "memory-full", "values": {"advice": advice}, "message": "Out of memory"})
    assert in_own_language(sentence) == "Out of memory: buy memory, or close other programs"
