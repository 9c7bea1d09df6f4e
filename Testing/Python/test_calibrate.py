"""Calibration from its command line to the card: ranges of the training's volumes."""

from pathlib import Path

import pytest
from models import a_tiny_model_file
from training_runs import index_of, write_blobs

from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.models.input_ranges import InputRanges
from Training import calibrate
from Training.data.index import read_index

COMMON = ("--device", "cpu", "--precision", "fp32", "--threads", "1")


@pytest.fixture
def an_index_file(tmp_path: Path) -> Path:
    """Two subjects for training and one for validation, of other sizes."""
    for name, shape in (("train/a", (20, 24, 20)), ("train/b", (28, 20, 22)), ("validation/c", (40, 40, 40))):
        write_blobs(tmp_path, name, shape)
    return index_of(tmp_path)


def contents(index: Path, split: str) -> list[str]:
    return [entry.sha256 for entry in read_index(index).entries if entry.split == split]


def test_the_card_gets_the_ranges_of_the_volumes_that_the_model_was_trained_on(tmp_path, an_index_file):
    model = a_tiny_model_file(tmp_path, training={"train": contents(an_index_file, "train")})
    before = load_model(model)
    options = ["--index", str(an_index_file), "--model", str(model), "--out", str(tmp_path / "out"), *COMMON]
    assert calibrate.main(options) == 0
    after = load_model(tmp_path / "out" / "tiny.safetensors")
    ranges = InputRanges.from_card(after.card.input_ranges)
    assert ranges.volumes == 2
    assert ranges.spacing == ((2, 2),) * 3
    assert max(high for _, high in ranges.extent) <= 28  # not the 40 of the validation
    for name, tensor in before.network.state_dict().items():
        assert (after.network.state_dict()[name] - tensor).abs().max() < 1e-3  # stored in fp16


def test_an_index_without_the_volumes_of_the_training_is_refused(tmp_path, an_index_file, capsys):
    model = a_tiny_model_file(tmp_path, training={"train": ["00" * 32]})
    assert calibrate.main(["--index", str(an_index_file), "--model", str(model), "--out", str(tmp_path), *COMMON]) == 2
    assert (
        "None of the 3 volumes of the index is one that tiny was trained on (1 in its card)" in capsys.readouterr().err
    )
