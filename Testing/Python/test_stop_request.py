"""Signals and the time limit, whenever they come: what was computed is saved, and the exit code says to start again."""

import os
import signal
from contextlib import contextmanager

import pytest
from test_resume import assert_equal_states, state_of
from training_runs import arguments, index_of, log_lines, make_index, write_blobs

from Training import train
from Training.train import EXIT_AGAIN, main
from Training.trainer.stop_request import StopRequest, signals_blocked
from Training.trainer.trainer import Trainer
from Training.trainer.validation import Validation

VALIDATING = {"optimisation.steps": 4, "loop.validate_every": 2, "loop.save_every": 100}


@pytest.fixture
def index(tmp_path):
    return make_index(tmp_path)


def ask():
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_before_the_first_step_exits_with_the_code_to_start_again():
    with pytest.raises(SystemExit) as stop, StopRequest(EXIT_AGAIN):
        ask()
    assert stop.value.code == EXIT_AGAIN
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("name", ["_batches", "fit"])
def test_a_signal_before_and_after_the_steps_is_kept_in_mind(index, tmp_path, monkeypatch, name):
    original = getattr(Trainer, name)

    def asked(self, *arguments):
        result = original(self, *arguments)
        ask()
        return result

    monkeypatch.setattr(Trainer, name, asked)
    code = main(arguments(index, tmp_path / "run", **VALIDATING))
    assert (code, state_of(tmp_path / "run")["progress"]["step"]) == {"_batches": (EXIT_AGAIN, 1), "fit": (0, 4)}[name]


def test_a_signal_while_the_processes_part_changes_nothing(index, tmp_path, monkeypatch):
    original = train.connection

    @contextmanager
    def asked(fabric):
        with original(fabric):
            yield
            ask()

    monkeypatch.setattr(train, "connection", asked)
    assert main(arguments(index, tmp_path / "run", **VALIDATING)) == 0


def test_a_validation_ends_at_once_and_goes_on_where_it_stood(tmp_path, monkeypatch):
    """It may take longer than what a scheduler grants after its signal, or than the whole allocation."""
    for name in ("train/a", "train/b", "validation/c", "validation/d", "validation/e"):
        write_blobs(tmp_path, name, (20, 20, 20))
    index, whole, broken = index_of(tmp_path), tmp_path / "whole", tmp_path / "broken"
    assert main(arguments(index, whole, **VALIDATING)) == 0
    scored = []
    original = Validation._scores

    def scores(self, views):
        scored.append(len(scored))
        if len(scored) == 2:
            ask()
        return original(self, views)

    monkeypatch.setattr(Validation, "_scores", scores)
    assert main(arguments(index, broken, **VALIDATING)) == EXIT_AGAIN
    assert len(scored) == 2  # the third volume was not begun
    assert not any("validation" in line for line in log_lines(broken))
    progress = state_of(broken)["progress"]
    assert (progress["step"], progress["validated"], len(progress["scored"])) == (2, 0, 2)
    assert main(arguments(index, broken, **VALIDATING)) == 0
    assert len(scored) == 2 + 1 + 3
    assert_equal_states(state_of(broken), state_of(whole))
    found, wanted = ([line["validation"] for line in log_lines(run) if "validation" in line] for run in (broken, whole))
    assert found == wanted and [len(volumes) for volumes in wanted] == [3, 3]


def test_scores_of_a_stopped_validation_are_not_taken_for_those_of_later_weights(tmp_path, monkeypatch):
    """A run that is prolonged owes the validation at its former end no longer."""
    options = {"optimisation.steps": 2, "loop.validate_every": 100, "optimisation.decay_steps": 0}
    for name in ("train/a", "validation/b", "validation/c"):
        write_blobs(tmp_path, name, (20, 20, 20))
    index = index_of(tmp_path)
    with monkeypatch.context() as patch:
        original = Validation._scores
        patch.setattr(Validation, "_scores", lambda self, views: (ask(), original(self, views))[1])
        assert main(arguments(index, tmp_path / "run", **options)) == EXIT_AGAIN
    assert len(state_of(tmp_path / "run")["progress"]["scored"]) == 1
    longer = options | {"optimisation.steps": 4}
    for run in ("run", "whole"):
        assert main(arguments(index, tmp_path / run, **longer)) == 0
    found, wanted = (log_lines(tmp_path / run)[-1]["validation"] for run in ("run", "whole"))
    assert found == wanted


def test_a_validation_that_was_killed_is_done_again_and_stands_in_the_log_once(index, tmp_path, monkeypatch):
    """The checkpoint before it is there: not a step is lost."""
    save = Trainer._save

    def killed(self):
        if self.progress.validated:
            raise KeyboardInterrupt
        save(self)

    monkeypatch.setattr(Trainer, "_save", killed)
    with pytest.raises(KeyboardInterrupt):
        main(arguments(index, tmp_path / "run", **VALIDATING))
    assert state_of(tmp_path / "run")["progress"]["step"] == 2
    monkeypatch.setattr(Trainer, "_save", save)
    assert main(arguments(index, tmp_path / "run", **VALIDATING)) == 0
    lines = log_lines(tmp_path / "run")
    assert [line["step"] for line in lines if "validation" in line] == [2, 4]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]


def test_loaders_start_with_signals_blocked_and_the_run_goes_on_hearing_them():
    with signals_blocked():
        assert {signal.SIGTERM, signal.SIGUSR1} <= signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
