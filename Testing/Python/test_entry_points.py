"""The commands of Training, run as files: they find the checkout, and nobody else finds what lies beside them."""

import subprocess
import sys

import pytest
from training_runs import ROOT

NEIGHBOURS = sorted(path.stem for path in (ROOT / "Training").iterdir() if path.stem.isidentifier())


@pytest.mark.parametrize("name", ["train", "evaluate", "prepare", "crossvalidate", "publish"])
def test_an_import_of_the_same_name_does_not_find_the_files_beside_a_command(tmp_path, name):
    question = f"import importlib.util\nprint('found', [n for n in {NEIGHBOURS} if importlib.util.find_spec(n)])\n"
    command = [sys.executable, "-i", ROOT / "Training" / f"{name}.py", "--help"]
    done = subprocess.run(command, cwd=tmp_path, input=question, capture_output=True, text=True, timeout=300)
    assert f"usage: {name}.py" in done.stdout
    assert "found []" in done.stdout
    assert {"config", "datasets", "evaluate"} <= set(NEIGHBOURS)
