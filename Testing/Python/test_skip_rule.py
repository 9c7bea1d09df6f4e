"""What may skip: run on small test files, in a pytest of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

SKIPPING_TEST = "import pytest\ndef test_a(): pytest.skip({!r})\ndef test_b(): pass\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import pytest\npytest.importorskip('absent_package')\ndef test_a(): pass\n", "absent_package"),
        (SKIPPING_TEST.format("no Qt here"), "no Qt here"),
        ("import pytest\n@pytest.mark.skipif(True, reason='no torch here')\ndef test_a(): pass\n", "no torch here"),
        ("import unittest\nclass TestA(unittest.TestCase):\n def test_a(self): self.skipTest('no core')\n", "no core"),
        (SKIPPING_TEST.format("it rather needs a GPU"), "it rather needs a GPU"),
    ],
    ids=["module", "call", "mark", "unittest", "another reason"],
)
def test_a_skipped_test_fails_the_run(tmp_path, source, reason):
    run = run_pytest(tmp_path, source)
    assert run.returncode in (1, 2)
    assert f"{reason}" in run.stdout
    assert "a test may skip only if it needs the shared folder or needs a GPU" in run.stdout


def test_tests_that_need_shared_or_a_gpu_may_skip_and_are_counted(tmp_path):
    source = "".join(
        f"def test_{number}():\n    pytest.skip({reason!r})\n"
        for number, reason in enumerate(["needs a GPU", "needs the shared folder of weights", "needs a GPU of 8 GiB"])
    )
    run = run_pytest(tmp_path, f"import pytest\n{source}")
    assert run.returncode == 0, run.stdout
    assert "2 for want of a GPU" in run.stdout
    assert "1 for want of ../shared" in run.stdout


def test_an_expected_failure_is_no_skip(tmp_path):
    run = run_pytest(tmp_path, "import pytest\n@pytest.mark.xfail\ndef test_a(): assert False\n")
    assert run.returncode == 0, run.stdout
    assert "1 xfailed" in run.stdout


def run_pytest(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_small.py").write_text(source)
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import pytest; sys.exit(pytest.main())"
    command = [sys.executable, "-c", program, "-p", "skip_rule", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    return subprocess.run([*command, str(folder)], capture_output=True, text=True, cwd=folder)
