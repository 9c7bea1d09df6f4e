"""What a person reads: translated, and never saying more than is known."""

import ast
import re
from dataclasses import replace

import pytest
from run_reports import SOME_SLICES, a_report

from SuperResolution3DLib.cli.worker import summary
from SuperResolution3DLib.inference.computation import DataConsistency
from SuperResolution3DLib.sentence import Warned
from Testing.Slicer.module import MODULE_FILE

# isort: split
from SuperResolution3DSlicer.runs.report import consistency_sentence

NOT_TRANSLATED = {  # names that the program reads again, figures, and what other programs write
    "SuperResolution3D developers",
    "SuperResolution3D difference",
    "SuperResolution3D trust mask",
    "trust map",
    "simulated LR",
    "zero-filled k-space",
    "PSNR {value:.1f} dB",
    "SSIM {value:.3f}",
    "acquisition transform",
    "error: \\[.*\\] exit abnormally",
    "No module named '(torch|safetensors)'",
}
CODE = ("<", "NRRD", '"')  # how layouts in XML and headers of files begin


def test_everything_that_a_person_reads_goes_through_tr() -> None:
    folder = MODULE_FILE.parent
    hidden = {"fake_process.py", "self_test.py"}
    for path in [MODULE_FILE, *sorted((folder / "SuperResolution3DSlicer").rglob("*.py"))]:
        if path.name not in hidden:
            assert untranslated(path.read_text("utf-8")) == [], path.name


def test_the_check_of_texts_finds_what_is_not_translated() -> None:
    assert untranslated("label.text = 'Some words'") == ["Some words"]
    assert untranslated("raise InputError(f'{name} is empty')") == [" is empty"]
    assert untranslated("def end(self):\n    'End at once.'\n    self.abandon('The end.')") == ["The end."]
    assert untranslated("label.text = _('Some words {n}').format(n=1)") == []


@pytest.mark.parametrize(
    ("residual", "region", "projected", "sentence"),
    [
        (0.5, None, False, "Agrees with the scan to 0.5 % at the measured frequencies; finer detail is estimated."),
        (
            0.5,
            None,
            True,
            (
                "The network's own result agrees with the scan to 0.5 % at the measured frequencies, which were then"
                " put back; finer detail is estimated."
            ),
        ),
        (None, None, False, "Agreement with the scan was not checked; finer detail is estimated."),
        (None, "0:4", False, "Agreement with the scan is not computed for a preview; finer detail is estimated."),
    ],
    ids=["figure", "projected", "off", "preview"],
)
def test_finer_detail_is_always_told_to_be_estimated(residual, region, projected, sentence) -> None:
    values = {"mode": "check", "residual_rms_percent": residual, "projected": projected}
    for is_dependent in (False, True):
        consistency = DataConsistency(**values, model_dependent=is_dependent)
        text = consistency_sentence(a_report(data_consistency=consistency, region=region))
        assert text.startswith(sentence)
        assert ("The figure is model-dependent here" in text) == (is_dependent and residual is not None)


@pytest.mark.parametrize("projected", [True, False])
@pytest.mark.parametrize(("code", "is_unlike"), [("modality", True), ("spacing", True), ("file", False)])
def test_the_agreement_of_slices_is_always_told_to_be_model_dependent(projected, code, is_unlike) -> None:
    consistency = DataConsistency(mode="check", residual_rms_percent=0.5, projected=projected, model_dependent=True)
    report = a_report(
        data_consistency=consistency, region=None, slices=SOME_SLICES, warnings=(Warned(code, {}, "something"),)
    )
    text = consistency_sentence(report)
    assert "agrees with the measured slices to 0.5 %" in text.replace("Agrees", "agrees")
    assert "what lies between them is estimated. The figure is model-dependent: the true profile of slices is " in text
    assert ("the scan is unlike those of the training" in text) == is_unlike
    put_back = ", which were then put back" if projected else ""
    assert f"; agrees with the measured slices to 0.5 %{put_back} (model-dependent)" in summary(report)
    unchecked = a_report(
        data_consistency=replace(consistency, residual_rms_percent=None), region=None, slices=SOME_SLICES
    )
    assert "model-dependent" not in consistency_sentence(unchecked) + summary(unchecked)


def test_what_projecting_leaves_of_overlapping_slices_is_told() -> None:
    consistency = DataConsistency(mode="project", residual_rms_percent=6.7, projected=True, model_dependent=True)
    slices = replace(SOME_SLICES, left_percent=2.345)
    report = a_report(data_consistency=consistency, region=None, slices=slices)
    text = consistency_sentence(report)
    assert "to 6.7 %, which were then put back to within 2.3 %, as they overlap; what lies between them" in text
    assert "slices to 6.7 %, which were then put back to within 2.3 % (model-dependent)" in summary(report)


def untranslated(source: str) -> list[str]:
    """Return texts of several words that are no documentation and do not pass through ``_``."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    calls = [
        node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("_", "translate")
    ]
    told = [child for call in calls for child in ast.walk(call)]
    documentation = [node.value for node in nodes if isinstance(node, ast.Expr)]
    types = [getattr(node, name, None) for node in nodes for name in ("annotation", "returns")]
    types = [child for kind in types if kind is not None for child in ast.walk(kind)]
    skipped = {id(node) for node in (*told, *documentation, *types)}
    return [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and id(node) not in skipped and is_a_sentence(node.value)
    ]


def is_a_sentence(value: object) -> bool:
    if not isinstance(value, str) or value in NOT_TRANSLATED or value.startswith(CODE):
        return False
    return " " in value.strip() and len(re.findall("[A-Za-z]{2,}", value)) >= 2


def test_no_sentence_is_joined_of_translated_halves() -> None:
    for path in [MODULE_FILE, *sorted((MODULE_FILE.parent / "SuperResolution3DSlicer").rglob("*.py"))]:
        assert half_sentences(path.read_text("utf-8")) == [], path.name


def test_the_check_of_halves_finds_them() -> None:
    assert half_sentences("_('other than') + ' ' + _('that.')") == ["other than"]
    assert half_sentences("_('One.') + ' ' + _('Two.')") == []


def half_sentences(source: str) -> list[str]:
    """Return translated texts that are no whole sentence, and to which another one is added."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and translated_texts(node.right):
            found += [text for text in translated_texts(node.left) if not text.endswith(".")]
    return found


def translated_texts(node: ast.AST) -> list[str]:
    calls = [call for call in ast.walk(node) if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "_"]
    return [argument.value for call in calls for argument in call.args if isinstance(argument, ast.Constant)]


def test_no_text_of_the_panel_calls_the_figure_a_verdict() -> None:
    for path in sorted((MODULE_FILE.parent / "SuperResolution3DSlicer").rglob("*.py")):
        text = path.read_text("utf-8").lower()
        assert not [word for word in ("verdict", "proof", "proven", "guarantee") if word in text], path.name
