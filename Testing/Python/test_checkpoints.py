"""The folder of checkpoints: what killed processes left in it is cleared away."""

from Training.fitting.checkpoints import Checkpoints


def test_what_processes_that_were_killed_while_they_saved_left_is_deleted(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    kept = checkpoints.save(3, {})
    left = [
        tmp_path / "checkpoints" / ".step-00000004.pt.17.tmp",
        tmp_path / ".last.safetensors.17.tmp",
        tmp_path / ".best.safetensors.17.tmp",
    ]
    models = [tmp_path / "last.safetensors", tmp_path / "best.safetensors"]
    for path in (*left, *models):
        path.touch()
    checkpoints.remove_leftovers()
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in (kept, *models))
