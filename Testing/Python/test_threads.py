"""How many threads PyTorch starts, and that they sleep while they wait: a busy neighbour does not make them spin."""

import os
import subprocess
import sys

import pytest
from training_runs import ROOT

from SuperResolution3DLib import threads
from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.threads import NUMBER, WAITING_CHOSEN_BY_HAND, num_threads, prepare_threads

PROGRAM = "from SuperResolution3DLib.__main__ import main; main(['models']); import torch"
TRAINING = ("train", "evaluate", "evaluate_slices", "crossvalidate", "calibrate")
TORCH_THAT_TELLS = (
    f"import os, sys; sys.exit('found %s %s' % (os.environ.get('OMP_WAIT_POLICY'), os.environ['{NUMBER}']))"
)


@pytest.fixture
def an_environment(monkeypatch) -> dict[str, str]:
    """In which nobody has chosen anything of threads."""
    environment = {name: value for name, value in os.environ.items() if name not in (NUMBER, *WAITING_CHOSEN_BY_HAND)}
    monkeypatch.setattr(os, "environ", environment)
    return environment


def spins_before_sleep(environment: dict[str, str], **variables: str) -> list[int]:
    """Return how often a thread looks before it sleeps, when the command line has started and PyTorch is loaded."""
    told = environment | {"OMP_DISPLAY_ENV": "verbose", "PYTHONPATH": str(ROOT), NUMBER: "1"} | variables
    found = subprocess.run([sys.executable, "-c", PROGRAM], env=told, capture_output=True, text=True, check=True)
    return [int(line.split("=")[1].strip(" '")) for line in found.stderr.splitlines() if "GOMP_SPINCOUNT" in line]


@pytest.mark.skipif(sys.platform != "linux", reason="only OpenMP of Linux is asked what it does")
def test_threads_of_the_command_line_wait_asleep_unless_somebody_chose_otherwise(an_environment):
    assert spins_before_sleep(an_environment) == [0]
    assert spins_before_sleep(an_environment, OMP_WAIT_POLICY="active")[0] > 0
    assert spins_before_sleep(an_environment, GOMP_SPINCOUNT="1000") == [1000]


@pytest.mark.parametrize("name", TRAINING)
def test_threads_of_a_training_command_wait_asleep_and_are_as_many_as_a_launcher_said(an_environment, tmp_path, name):
    (tmp_path / "torch.py").write_text(TORCH_THAT_TELLS)  # in place of PyTorch, which would look when it is imported
    told = an_environment | {"PYTHONPATH": str(tmp_path), NUMBER: "3"}
    command = [sys.executable, ROOT / "Training" / f"{name}.py", "--help"]
    assert subprocess.run(command, env=told, capture_output=True, text=True).stderr.strip() == "found passive 3"


def test_threads_are_no_more_than_the_processors_that_a_container_gets(an_environment, monkeypatch):
    monkeypatch.setattr(threads, "processor_share", lambda: 4)
    monkeypatch.setattr(threads, "num_processors", lambda: 4)
    prepare_threads()
    assert an_environment[NUMBER] == "4"
    assert num_threads() == 4


def test_without_a_limit_pytorch_chooses_the_number_of_threads(an_environment, monkeypatch):
    monkeypatch.setattr(threads, "processor_share", lambda: None)
    monkeypatch.setattr(threads, "num_processors", lambda: 64)
    prepare_threads()
    assert NUMBER not in an_environment
    assert num_threads() == 64


@pytest.mark.parametrize(("given", "number"), [(None, 7), (2, 2)])
def test_what_a_person_or_a_launcher_chose_stays_but_for_an_option(an_environment, monkeypatch, given, number):
    monkeypatch.setattr(threads, "processor_share", lambda: 4)
    an_environment[NUMBER] = "7"
    prepare_threads(given)
    assert num_threads() == number


def test_the_command_line_takes_a_number_of_threads(an_environment, tmp_path):
    for command in ("super-resolve", "degrade", "interpolate --method cubic"):
        main([*command.split(), "--threads", "3", str(tmp_path / "no.nii"), str(tmp_path / "out.nii")])
        assert an_environment.pop(NUMBER) == "3"
    volumes = [f"--{name}={tmp_path / 'no.nii'}" for name in ("lr", "sr")]
    main(["compare", "--threads=3", *volumes, str(tmp_path / "out.png")])
    assert an_environment[NUMBER] == "3"


@pytest.mark.parametrize("number", ["0", "-1", "2.5", "many"])
def test_a_number_of_threads_that_cannot_be_is_a_usage_error(capsys, number):
    with pytest.raises(SystemExit, match="2"):
        main(["super-resolve", f"--threads={number}", "in.nii", "out.nii"])
    assert f"threads are a whole number of 1 or more, not '{number}'" in capsys.readouterr().err
