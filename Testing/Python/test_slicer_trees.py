"""The module finds its library in a source tree and in an installed one, which Slicer lays out differently."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Slicer puts only the module file's own folder on sys.path: what else finds the library here is taken away.
PROGRAM = """
import sys
from pathlib import Path
root, module_file = sys.argv[1:]
sys.path.insert(0, root)
from Testing.Slicer import double
double.install()
sys.path[:] = [path for path in sys.path if path not in ("", root)]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in str(finder).lower()]
for name in [name for name in sys.modules if name.startswith("SuperResolution3D")]:
    del sys.modules[name]
module = double.load_module(Path(module_file))
print(sys.modules["SuperResolution3DLib"].__file__)
print(sys.modules["SuperResolution3DSlicer"].__file__)
module.close()
"""


def files_of_the_module(module_file: Path, elsewhere: Path) -> list[Path]:
    """Load the module from an unrelated folder and return where its library and its helpers came from."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT), str(module_file)], cwd=elsewhere, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return [Path(line) for line in run.stdout.splitlines()]


def test_source_tree_has_the_library_one_level_up(tmp_path) -> None:
    files = files_of_the_module(ROOT / "SuperResolution3D" / "SuperResolution3D.py", tmp_path)
    assert files == [
        ROOT / "SuperResolution3DLib" / "__init__.py",
        ROOT / "SuperResolution3D" / "SuperResolution3DSlicer" / "__init__.py",
    ]


@pytest.fixture
def an_installed_tree(tmp_path) -> Path:
    """Return a folder that holds module file, helpers, resources and library side by side."""
    tree, ignored = tmp_path / "qt-scripted-modules", shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "SuperResolution3D", tree, ignore=ignored)
    shutil.copytree(ROOT / "SuperResolution3DLib", tree / "SuperResolution3DLib", ignore=ignored)
    shutil.copytree(ROOT / "Resources" / "SampleData", tree / "Resources" / "SampleData")
    return tree


def test_installed_tree_has_the_library_beside_the_module(an_installed_tree, tmp_path) -> None:
    files = files_of_the_module(an_installed_tree / "SuperResolution3D.py", tmp_path)
    assert files == [
        an_installed_tree / "SuperResolution3DLib" / "__init__.py",
        an_installed_tree / "SuperResolution3DSlicer" / "__init__.py",
    ]
