"""The module as a fresh Slicer loads it: in any order, without noise, by no deprecated interface."""

import re
import subprocess
import sys

import pytest
import slicer

from Testing.Slicer.module import MODULE_FILE

LOAD = f"""
from pathlib import Path
from Testing.Slicer import double
module = double.load_module(Path({str(MODULE_FILE)!r}))
print("dependencies", module.description.dependencies)
module.close()
"""


def test_the_module_loads_before_markups_and_without_a_warning() -> None:
    run = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=MODULE_FILE.parents[1], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    assert "dependencies ['Markups', 'Colors']" in run.stdout
    assert "Unused annotations" not in run.stderr
    assert "WARNING" not in run.stderr


@pytest.mark.parametrize("name", ["nodeAddedByUser", "IsProxyNode"])
def test_no_deprecated_interface_of_slicer_is_used(name) -> None:
    files = [MODULE_FILE, *(MODULE_FILE.parent / "SuperResolution3DSlicer").rglob("*.py")]
    assert [path.name for path in files if re.search(rf"\b{name}\(", path.read_text("utf-8"))] == []


def test_the_double_hides_what_another_module_brings_only_while_it_imports() -> None:
    assert slicer.vtkMRMLMarkupsROINode().IsA("vtkMRMLMarkupsNode")
