"""What the Markdown files say can be followed: links, anchors, and the options of the command line."""

import ast
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from SuperResolution3DLib.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("Resources", "SuperResolution3D", "SuperResolution3DLib", "Testing", "Training")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.md"))])
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
BOLD = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
OWN_HEADING = re.compile(r"^\*\*[^*]+?[^.]\.\*\*", re.MULTILINE)  # of a paragraph, such as **Tutorial.**
MODULE = ROOT / "SuperResolution3D"


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    headings = HEADING.findall(FENCED.sub("", document.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_every_anchor_to_a_heading(document):
    broken = []
    for link in LINK.findall(FENCED.sub("", document.read_text("utf-8"))):
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        if re.match(r"\w+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_readme_leads_to_training_to_the_measuring_and_to_the_models():
    links = LINK.findall((ROOT / "README.md").read_text("utf-8"))
    assert {"Training/README.md", "Testing/benchmarks/README.md", "Resources/Models/README.md"} <= set(links)


def synopsis() -> list[tuple[str, set[str]]]:
    """Return the commands of the README's section "Command line" with the options that it gives them."""
    section = (ROOT / "README.md").read_text("utf-8").partition("## Command line")[2]
    block = FENCED.search(section)
    assert block
    commands = re.split(r"^superres3d ", block[0], flags=re.MULTILINE)[1:]
    return [(text.split()[0], set(re.findall(r"--[a-z][\w-]*", text))) for text in commands if text[0].islower()]


@pytest.mark.parametrize(("command", "options"), synopsis())
def test_every_option_of_the_synopsis_is_one_of_the_command(command, options, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    help_text = capsys.readouterr().out
    assert {option for option in options if not re.search(rf"{option}(?![\w-])", help_text)} == set()


def test_the_synopsis_names_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = set(re.findall(r"^    ([a-z-]+)(?: |$)", capsys.readouterr().out, flags=re.MULTILINE))
    assert commands == {command for command, _ in synopsis()}


def said_by_the_panel() -> set[str]:
    """Return every text of the .ui file and of the module's code, with and without what follows a colon."""
    tree = ElementTree.parse(MODULE / "Resources" / "UI" / "SuperResolution3D.ui")
    texts = {element.text or "" for element in tree.iter("string")}
    for path in MODULE.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "_":
                texts |= {part.value for part in call.args if isinstance(part, ast.Constant)}
    return texts | {text.partition(":")[0] for text in texts}


def controls_of(readme: str) -> list[str]:
    """Return what the section on Slicer sets in bold, but for the headings of its paragraphs."""
    section = readme.partition("\n## In 3D Slicer\n")[2].partition("\n## ")[0]
    return [" ".join(name.split()) for name in BOLD.findall(OWN_HEADING.sub("", section))]


def test_the_readme_calls_every_control_as_the_panel_does():
    names, said = controls_of((ROOT / "README.md").read_text("utf-8")), said_by_the_panel()
    assert {"Input", "Super-resolve", "Show report", "Slices", "Interpolate"} <= set(names)
    assert [name for name in names if name not in said] == []


def test_headings_are_no_controls_and_names_with_dots_are():
    text = "\n## In 3D Slicer\n\n**Tutorial.** Click **Add model\nfile...** and **Region**.\n\n## Limits\n\n**Other**"
    assert controls_of(text) == ["Add model file...", "Region"]
    assert "Check" in said_by_the_panel() and "Superresolve" not in said_by_the_panel()
