"""Runs that are killed, stopped or spread over processes: what is continued equals what was never interrupted."""

import json
import os
import resource
import signal
import sys

import numpy as np
import pytest
import torch
from child_processes import PATIENT, a_free_port, wait_for
from safetensors.torch import load_file, save_file
from training_runs import GAN, ROOT, TRAIN, arguments, log_lines, make_index, make_vgg19

from SuperResolution3DLib.errors import InputError, OutputError
from SuperResolution3DLib.models.checkpoint import load_model
from Training.data.patches import SampleOrder
from Training.train import EXIT_AGAIN, main
from Training.trainer.checkpoints import Checkpoints


@pytest.fixture(scope="module")
def a_gan_run(tmp_path_factory):
    """Index and options of a run with all three losses."""
    folder = tmp_path_factory.mktemp("resume")
    options = GAN | {"loss.perceptual.weights": make_vgg19(folder), "optimisation.decay_steps": 3}
    return make_index(folder), options


def state_of(run):
    return torch.load(max((run / "checkpoints").glob("*.pt")), weights_only=True)


def assert_equal_states(given, wanted):
    for name in ("network", "optimiser", "average", "adversary", "random"):
        torch.testing.assert_close(given[name], wanted[name], rtol=0, atol=0)
    same = ("step", "samples", "best")
    assert [given["progress"][name] for name in same] == [wanted["progress"][name] for name in same]


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from Training.trainer.checkpoints import Checkpoints
from Training.train import main
save = Checkpoints.save
def die_while_saving(self, step, content):
    if step == 15:
        (self.folder / ".step-00000015.pt.1.tmp").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    return save(self, step, content)
Checkpoints.save = die_while_saving
sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_run_continues_bit_for_bit_with_another_number_of_loaders(a_gan_run, start, tmp_path):
    index, options = a_gan_run
    options = options | {"optimisation.steps": 30, "loop.save_every": 5, "loop.validate_every": 20}
    whole, killed, script = tmp_path / "whole", tmp_path / "killed", tmp_path / "killed.py"
    assert main(arguments(index, whole, **options)) == 0
    script.write_text(KILLED.format(root=str(ROOT)))
    process = start([sys.executable, script, *arguments(index, killed, **options)])
    output, _ = process.communicate(timeout=PATIENT)
    assert process.returncode == -signal.SIGKILL, output
    assert state_of(killed)["progress"]["step"] == 10
    assert log_lines(killed)[-1]["step"] == 15
    assert main(arguments(index, killed, **options | {"data.num_workers": 2})) == 0
    assert_equal_states(state_of(killed), state_of(whole))
    losses = [[(line["step"], line["loss"]) for line in log_lines(run) if "loss" in line] for run in (whole, killed)]
    assert losses[0] == losses[1]  # neither a gap nor a step twice
    assert len(list((killed / "checkpoints").iterdir())) == 2


ENDLESS = {"optimisation.steps": 100_000, "loop.save_every": 100_000, "loop.validate_every": 100_000}


@pytest.mark.parametrize(("name", "loaders"), [("SIGTERM", 0), ("SIGUSR1", 0), ("SIGTERM", 2)])
def test_a_signal_to_all_processes_saves_and_exits_with_the_code_to_start_again(
    a_gan_run, start, tmp_path, name, loaders
):
    index, options = a_gan_run
    run = tmp_path / "run"
    options = options | ENDLESS | {"data.num_workers": loaders}
    process = start([sys.executable, TRAIN, *arguments(index, run, **options)])
    wait_for(run / "log.jsonl", process)
    os.killpg(process.pid, getattr(signal, name))  # as schedulers, timeout and torchrun send it
    output, _ = process.communicate(timeout=PATIENT)
    assert process.returncode == EXIT_AGAIN, output
    assert f"{name}: saving and stopping" in output
    assert state_of(run)["progress"]["step"] == log_lines(run)[-1]["step"] > 0
    assert load_model(run / "last.safetensors").card.training["steps"] > 0


def test_the_time_limit_saves_and_exits_with_the_code_to_start_again(a_gan_run, tmp_path):
    index, options = a_gan_run
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main(arguments(index, whole, **options)) == 0
    assert main(arguments(index, broken, **options, **{"loop.time_limit": 1e-9})) == EXIT_AGAIN
    assert state_of(broken)["progress"]["step"] == 1
    assert main(arguments(index, broken, **options)) == 0
    assert_equal_states(state_of(broken), state_of(whole))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 5}, "seed 0, now 5"),
        ({"discriminator.num_features": 3}, "discriminator.num_features 2, now 3"),
        ({"data.fold": 0}, "training data"),
        ({"network.config": json.dumps({"scale": [2, 2, 2], "num_features": 5, "num_blocks": 1})}, "network.config {"),
        ({"data.grid": "corner", "data.flips": "false"}, "data.grid center, now corner; data.flips True, now False"),
        ({"model.skip": "none"}, "model.skip zero-filled, now none"),
        ({"model.intensity.policy": "min-max"}, "model.intensity.policy percentiles, now min-max"),
        ({"model.intensity_from": "hr"}, "model.intensity_from lr, now hr"),
        ({"data.preparation.pad_multiple": 4}, "data.preparation.pad_multiple 1, now 4"),
        ({"optimisation.learning_rate": 0.5}, "optimisation.learning_rate 0.001, now 0.5"),
        ({"optimisation.betas": "[0.5, 0.6]"}, "optimisation.betas [0.9, 0.99], now [0.5, 0.6]"),
        ({"optimisation.warmup_steps": 7}, "optimisation.warmup_steps 100, now 7"),
        ({"loss.pixel_weight": 2}, "loss.pixel_weight 1.0, now 2.0"),
        ({"loss.perceptual.layers": "{relu1_1: 1.0, relu1_2: 1.0}"}, "loss.perceptual.layers {'relu1_2': 1.0}, now {"),
        ({"data.batch_size": 1, "data.patch_size": 7}, "data.patch_size 6, now 7; data.batch_size 2, now 1"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(a_gan_run, tmp_path, capsys, changed, message):
    index, options = a_gan_run
    assert main(arguments(index, tmp_path, **options, **{"loop.time_limit": 1e-9})) == EXIT_AGAIN
    config = (tmp_path / "config.yaml").read_text()
    capsys.readouterr()
    assert main(arguments(index, tmp_path, **options | changed)) == 2
    error = capsys.readouterr().err
    assert "was made with" in error and message in error
    assert (tmp_path / "config.yaml").read_text() == config


def test_place_pace_and_length_may_change_and_the_card_tells_the_lengths(a_gan_run, tmp_path):
    index, options = a_gan_run
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(arguments(index, first, **options, **{"optimisation.steps": 4})) == 0
    first.rename(second)
    others = {"optimisation.steps": 8, "optimisation.decay_steps": 1, "data.cache": tmp_path / "cache"}
    others |= {"data.num_workers": 1, "loop.save_every": 3, "loop.keep": 1, "loop.best": "ssim", "loop.threads": 2}
    others |= {"model.description": "Longer", "model.subject": "Blobs", "model.rank": 3}
    others |= {"loss.perceptual.chunk": 5, "loop.validate_every": 4}
    assert main(arguments(index, second, **options | others)) == 0
    assert main(arguments(index, second, **options | others)) == 0  # nothing is left to be done, nor to be told
    pace = {"precision": "32-true", "processes": 1}
    assert load_model(second / "last.safetensors").card.training["history"] == [
        {"from_step": 0, "steps": 4, "decay_steps": 3} | pace,
        {"from_step": 4, "steps": 8, "decay_steps": 1} | pace,
    ]


def test_another_network_of_the_perceptual_loss_is_refused(a_gan_run, tmp_path, capsys):
    index, options = a_gan_run
    assert main(arguments(index, tmp_path / "run", **options, **{"loop.time_limit": 1e-9})) == EXIT_AGAIN
    other = {name: 2 * tensor for name, tensor in load_file(options["loss.perceptual.weights"]).items()}
    save_file(other, tmp_path / "vgg19.safetensors", metadata={"source": "random, for a test"})
    capsys.readouterr()
    assert (
        main(
            arguments(index, tmp_path / "run", **options | {"loss.perceptual.weights": tmp_path / "vgg19.safetensors"})
        )
        == 2
    )
    assert "perceptual_backbone {" in capsys.readouterr().err


def test_a_run_that_already_has_more_steps_is_not_ended_early(a_gan_run, tmp_path, capsys):
    index, options = a_gan_run
    assert main(arguments(index, tmp_path, **options)) == 0
    capsys.readouterr()
    assert main(arguments(index, tmp_path, **options | {"optimisation.steps": 4})) == 2
    assert "optimisation.steps is 4, and checkpoint" in capsys.readouterr().err


def test_a_best_score_of_another_kind_is_not_compared(a_gan_run, tmp_path):
    index, options = a_gan_run
    options = options | {"optimisation.decay_steps": 0}
    assert main(arguments(index, tmp_path, **options)) == 0
    longer = {"optimisation.steps": 9, "loop.best": "ssim"}
    assert main(arguments(index, tmp_path, **options | longer)) == 0
    assert state_of(tmp_path)["progress"]["best"] <= 1  # an SSIM, where a PSNR of some dB stood


def test_a_damaged_checkpoint_is_named(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    path = checkpoints.save(3, {"value": torch.zeros(5)})
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"step-00000003\.pt is damaged"):
        checkpoints.load(path, torch.device("cpu"))


def test_a_checkpoint_that_cannot_be_written_leaves_the_earlier_ones(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, keep=2)
    first = checkpoints.save(1, {"value": torch.zeros(5)})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("Training.trainer.checkpoints.os.fsync", full)
    with pytest.raises(OutputError, match="could not be written"):
        checkpoints.save(2, {"value": torch.zeros(5)})
    assert list((tmp_path / "checkpoints").iterdir()) == [first]


def test_a_disk_that_fills_up_inside_a_checkpoint_is_told_as_such(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(OutputError, match=r"00001\.pt could not be written \(File too large\), .* free some"):
            checkpoints.save(1, {"value": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not any((tmp_path / "checkpoints").iterdir())


def test_a_checkpoint_folder_that_is_gone_for_good_is_told(tmp_path):
    checkpoints = Checkpoints(tmp_path / "run", keep=2)
    (tmp_path / "run").touch()
    with pytest.raises(OutputError, match="could not be written"):
        checkpoints.save(1, {})


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (1, 20, 300):
        checkpoints.save(step, {})
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == [
        "step-00000020.pt",
        "step-00000300.pt",
    ]
    assert checkpoints.newest().name == "step-00000300.pt"


def test_processes_share_the_samples_without_gap_or_overlap():
    for processes, batch_size in ((1, 3), (2, 3), (4, 1)):
        orders = [SampleOrder(100, 5, process, processes) for process in range(processes)]
        taken = [sample for order in orders for batch in range(5) for sample in order.samples(batch, batch_size)]
        assert sorted(taken) == list(range(100, 100 + 5 * processes * batch_size))


PROBE = """
import sys
import torch
sys.path.insert(0, {root!r})
from Training import train
from Training.trainer import trainer
def probe(self, began):
    self.objective.backward(next(self._batches()), 0)
    if self.fabric.is_global_zero:
        named = [("g." + n, p) for n, p in self.network.named_parameters()]
        named += [("d." + n, p) for n, p in self.adversary.network.named_parameters()]
        from safetensors.torch import save_file
        save_file({{n.replace("_forward_module.", "").replace("module.", ""): p.grad.contiguous() for n, p in named}},
                  {output!r})
    return True
trainer.Trainer.fit = probe
code = train.main(sys.argv[1:])
assert not torch.distributed.is_initialized()  # a connection that is open at the exit aborts now and then
sys.exit(code)
"""


def gradients(start, tmp_path, launcher, index, options, name):
    script, output = tmp_path / f"{name}.py", tmp_path / f"{name}.safetensors"
    script.write_text(PROBE.format(root=str(ROOT), output=str(output)))
    process = start([*launcher, script, *arguments(index, tmp_path / name, **options)])
    text, _ = process.communicate(timeout=PATIENT)
    assert process.returncode == 0, text
    return load_file(output)


def torchrun(*, processes):
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]


def test_two_processes_average_to_the_gradients_of_the_joint_batch(a_gan_run, start, tmp_path):
    index, options = a_gan_run
    options = options | {"model.skip": "none", "loss.perceptual.slice_fraction": 1.0}  # else each draws its own
    alone = gradients(start, tmp_path, [sys.executable], index, options | {"data.batch_size": 2}, "alone")
    together = gradients(start, tmp_path, torchrun(processes=2), index, options | {"data.batch_size": 1}, "together")
    assert alone.keys() == together.keys() and len(alone) > 20
    for name, wanted in alone.items():
        assert (together[name] - wanted).norm() <= 1e-5 * wanted.norm() + 1e-9, name


def test_a_run_of_two_processes_is_stopped_and_continued_by_one(a_gan_run, start, tmp_path):
    """torchrun from another folder; all processes stop at the same step; the samples go on where they stood."""
    index, options = a_gan_run
    run = tmp_path / "run"
    options = options | {"data.batch_size": 1, "optimisation.steps": 6, "loop.validate_every": 3}
    limited = arguments(index, run, **options, **{"loop.time_limit": 1e-9})
    process = start([*torchrun(processes=2), TRAIN, *limited])
    output, _ = process.communicate(timeout=PATIENT)
    assert f"exitcode  : {EXIT_AGAIN}" in output, output
    progress = state_of(run)["progress"]
    assert (progress["step"], progress["samples"]) == (1, 2)
    assert main(arguments(index, run, **options)) == 0
    progress = state_of(run)["progress"]
    assert (progress["step"], progress["samples"]) == (6, 7)
    scores = [line["validation"] for line in log_lines(run) if "validation" in line]
    assert len(scores) == 2 and np.isfinite(scores[0]["validation/c.nii.gz"]["psnr"])


def test_torchrun_saves_before_it_ends_its_processes_and_their_loaders(a_gan_run, start, tmp_path):
    index, options = a_gan_run
    run = tmp_path / "run"
    options = options | ENDLESS | {"data.batch_size": 1, "data.num_workers": 1}
    process = start([*torchrun(processes=2), TRAIN, *arguments(index, run, **options)])
    wait_for(run / "log.jsonl", process)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENT)
    assert process.returncode, output  # its own code; the processes' is 75
    progress = state_of(run)["progress"]
    assert progress["samples"] == 2 * progress["step"] > 0, output


def test_slurm_starts_two_processes_that_share_a_run(a_gan_run, start, tmp_path):
    """srun is not there: its variables are, one set a process."""
    index, options = a_gan_run
    command = [sys.executable, TRAIN, *arguments(index, tmp_path / "run", **options, **{"data.batch_size": 1})]
    job = {"NTASKS": "2", "NTASKS_PER_NODE": "2", "NNODES": "1", "NODEID": "0", "JOB_ID": "12345", "JOB_NAME": "train"}
    job |= {"STEP_NUM_TASKS": "2", "STEP_NUM_NODES": "1"}
    job |= {"NODELIST": "localhost", "JOB_NODELIST": "localhost"}
    port = str(a_free_port())  # Lightning's own follows from the job's number
    processes = [
        start(command, MASTER_PORT=port, **{f"SLURM_{key}": value for key, value in (job | process).items()})
        for process in ({"PROCID": "0", "LOCALID": "0"}, {"PROCID": "1", "LOCALID": "1"})
    ]
    outputs = [process.communicate(timeout=PATIENT)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    progress = state_of(tmp_path / "run")["progress"]
    assert (progress["step"], progress["samples"]) == (6, 12)
