"""Two processes of one run: what they refuse and gather together."""

import os
import re
import subprocess
import sys

import pytest
from training_runs import ROOT, TRAIN, arguments, make_index

BATCH_STATISTICS = """
import sys
import torch
sys.path.insert(0, {root!r})
from Training import train
from Training.trainer import trainer
save = trainer.Trainer._save
def told(self):
    save(self)
    statistics = [b for n, b in self.network.named_buffers() if n.endswith(("running_mean", "running_var"))]
    numbers = torch.cat(statistics).double()
    print(f"statistics {{self.fabric.global_rank}}: {{numbers.sum().item()!r}} of {{len(numbers)}}", flush=True)
trainer.Trainer._save = told
sys.exit(train.main(sys.argv[1:]))
"""


@pytest.fixture
def index(tmp_path):
    return make_index(tmp_path)


def two_processes(program, values, folder):
    """Run a program in two processes; return exit code and output."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    found = subprocess.run(
        [*torchrun, program, *values],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return found.returncode, found.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data.patch_size": 16}, "use a smaller data.patch_size"),  # found by the first process while the other waits
        ({"data.modality": "CT"}, "no volume of modality 'CT'"),  # found by both
    ],
)
def test_what_cannot_work_is_told_once(index, tmp_path, options, message):
    code, output = two_processes(TRAIN, arguments(index, tmp_path / "run", **options), tmp_path)
    assert code == 1  # torchrun's own
    assert output.count(message) == 1
    assert output.count("Traceback") == 1, output  # torchrun's
    assert re.search(r"exitcode\s*: 2 ", output), output


def test_batch_statistics_are_the_same_in_all_processes(index, tmp_path):
    """Each gathers them from its own patches, and the first one's go into the model file."""
    program = tmp_path / "told.py"
    program.write_text(BATCH_STATISTICS.format(root=str(ROOT)))
    network = '{"scale": [2, 2, 2], "num_features": 4, "growth": 2}'
    options = {"network.name": "dcsrn", "network.config": network, "data.batch_size": 1}
    code, output = two_processes(program, arguments(index, tmp_path / "run", **options), tmp_path)
    assert code == 0, output
    found = {process: re.findall(rf"statistics {process}: (\S+ of \d+)", output) for process in (0, 1)}
    assert found[0] == found[1] and len(set(found[0])) > 1, output
