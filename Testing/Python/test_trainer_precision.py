"""The number format of a training: what is faster where it runs, if it computes the same; timings are given here."""

import math

import pytest
import torch
from training_runs import arguments, make_index

from SuperResolution3DLib.inference.precision import TOLERANCE
from SuperResolution3DLib.models.checkpoint import load_model
from Training.train import main
from Training.trainer import precision
from Training.trainer.precision import convolve, fitting_precision, is_accurate, seconds

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("half", "full", "proves", "wanted"),
    [
        (0.5, 1.0, True, "bf16-mixed"),
        (0.5, 1.0, False, "32-true"),
        (3.7, 1.8, True, "32-true"),
        (1.0, 1.0, True, "32-true"),
        (math.inf, 1.0, True, "32-true"),
    ],
)
def test_a_process_of_its_own_takes_what_is_faster_and_accurate_and_times_it_once(
    tmp_path, monkeypatch, half, full, proves, wanted
):
    timings = {"bf16-mixed": half, "32-true": full}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(precision, "seconds", lambda device, name: timings[name])
    assert fitting_precision(CPU, alone=True, proves=lambda device: proves) == wanted
    monkeypatch.setattr(precision, "seconds", lambda *_: pytest.fail("timed again"))
    assert fitting_precision(CPU, alone=True, proves=lambda device: proves) == wanted


@pytest.mark.parametrize(("named", "wanted"), [("bf16", "bf16-mixed"), ("fp32", "32-true"), ("fp16", "32-true")])
@pytest.mark.parametrize(("device", "alone"), [("cpu", False), ("cuda:0", True)])
def test_several_processes_and_gpus_take_what_the_processor_says_without_a_timing(
    monkeypatch, named, wanted, device, alone
):
    monkeypatch.setattr(precision, "choose_precision", lambda *_, by_trial: "fp32" if by_trial else named)
    given = {"is_faster": lambda *_: pytest.fail("timed"), "proves": lambda device: True}
    assert fitting_precision(torch.device(device), alone=alone, **given) == wanted


def test_the_trial_compares_output_and_gradient(monkeypatch):
    assert is_accurate(CPU)
    assert 0 < seconds(CPU, "32-true") < math.inf
    for part in range(2):  # of output and gradient each alone is wrong
        for wrong in (1 + 2 * TOLERANCE, math.nan):

            def convolved(device, name, part=part, wrong=wrong):
                found = list(convolve(device, "32-true"))
                found[part] = found[part] * (wrong if name == "bf16-mixed" else 1)
                return tuple(found)

            monkeypatch.setattr(precision, "convolve", convolved)
            assert not is_accurate(CPU)


def test_a_library_without_bf16_is_no_error(monkeypatch):
    def unknown(*_):
        raise RuntimeError("not implemented for 'BFloat16'")

    monkeypatch.setattr(precision, "convolve", unknown)
    assert seconds(CPU, "bf16-mixed") == math.inf
    assert not is_accurate(CPU)


@pytest.mark.parametrize("chosen", ["bf16-mixed", "32-true"])
def test_the_card_records_the_format_that_was_used(tmp_path, monkeypatch, chosen):
    monkeypatch.setattr("Training.trainer.launch.fitting_precision", lambda device, alone: chosen)
    options = {"loop.precision": "auto", "optimisation.steps": 1}
    assert main(arguments(make_index(tmp_path), tmp_path / "run", **options)) == 0
    recipe = load_model(tmp_path / "run" / "last.safetensors").card.training["recipe"]
    assert (recipe["loop"]["precision"], recipe["loop"]["accelerator"]) == (chosen, "cpu")
    assert "precision: auto" in (tmp_path / "run" / "config.yaml").read_text()
