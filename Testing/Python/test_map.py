"""The map of the source names files that exist, and no file is too long to read."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAP = ROOT / "Testing" / "README.md"
LONGEST = 300  # lines
SOURCES = ("SuperResolution3D", "SuperResolution3DLib", "Training", "Testing/benchmarks", "Testing/Slicer")


def named(row: str) -> list[Path]:
    """Return the files that a row of the map names; one without a folder lies beside the one before it."""
    found: list[Path] = []
    for name in re.findall(r"`([\w./]+(?:\.(?:py|ui)|/))`", row):
        whole = ROOT / name
        folder = found[-1].parent if found else ROOT
        found.append(
            whole
            if whole.exists() or not found
            else next((base / name for base in (folder, *folder.parents) if (base / name).exists()), whole)
        )
    return found


ROWS = [line for line in MAP.read_text("utf-8").splitlines() if line.startswith("| ") and "`" in line]


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip() for row in ROWS])
def test_each_file_that_the_map_names_exists(row):
    files = named(row.split("|")[2])
    assert files
    assert [file for file in files if not file.exists()] == []


def test_the_map_has_a_row_for_each_typical_change():
    assert len(ROWS) >= 14


def test_no_file_is_longer_than_a_person_reads():
    files = [file for folder in SOURCES for file in (ROOT / folder).rglob("*.py")]
    lengths = {file.relative_to(ROOT).as_posix(): len(file.read_text("utf-8").splitlines()) for file in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
