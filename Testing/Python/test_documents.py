"""What the Markdown files say can be followed: links, anchors, and the options of the command line."""

import re
from pathlib import Path

import pytest

from SuperResolution3DLib.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("Resources", "SuperResolution3D", "SuperResolution3DLib", "Testing", "Training")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.md"))])
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


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


def test_the_tutorial_names_the_panels_controls_word_for_word():
    text = (ROOT / "README.md").read_text("utf-8")
    tutorial = text[text.index("**Tutorial.**") : text.index("```python")]
    named = set(re.findall(r"\*\*([^*]+)\*\*", tutorial)) - {"Tutorial.", "Cancel"}  # the button while a run is on
    panel = (ROOT / "SuperResolution3D" / "Resources" / "UI" / "SuperResolution3D.ui").read_text("utf-8")
    controls = {text.removesuffix(":") for text in re.findall(r"<string>([^<]+)</string>", panel)}
    assert named - controls == {"T1 brain, LR and HR"}  # of the module Sample Data
    assert {"Input", "Super-resolve", "Show report"} <= named
