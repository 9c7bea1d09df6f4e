"""A trained model becomes one that ships: what its card then says."""

from dataclasses import replace

import pytest
from models import a_tiny_model_file

from SuperResolution3DLib.models.input_ranges import QUANTILES, InputRanges
from SuperResolution3DLib.models.model_card import read_card
from Training.config import LABELS
from Training.preset import parts_of
from Training.publish import main


def test_a_preset_gives_the_card_its_labels_and_nothing_else(tmp_path):
    trained = a_tiny_model_file(tmp_path, rank=0, subject="")
    assert main([str(trained), str(tmp_path), "--preset", "through-plane-mr"]) == 0
    (preset,) = parts_of(["through-plane-mr"])
    wanted = {name: preset["model"][name] for name in LABELS}
    assert wanted["rank"] > 0 and wanted["subject"]
    assert read_card(tmp_path / "through-plane-mr.safetensors") == replace(read_card(trained), **wanted)


def test_a_preset_that_is_not_there_is_refused(tmp_path, capsys):
    assert main([str(a_tiny_model_file(tmp_path)), str(tmp_path), "--preset", "absent"]) == 2
    assert "There is no preset absent" in capsys.readouterr().err


def test_a_spacing_that_the_validation_covers_can_be_given(tmp_path, capsys):
    model = str(a_tiny_model_file(tmp_path))
    assert main([model, str(tmp_path), "--spacing", "0.5,4"]) == 0
    card = read_card(tmp_path / "tiny.safetensors")
    assert (card.spacing_range, card.input_ranges) == ((0.5, 4), {})
    for wrong in ("4", "4,3", "0,2", "1,inf", "a,b"):
        with pytest.raises(SystemExit):
            main([model, str(tmp_path), "--spacing", wrong])
        assert f"wanted LOW,HIGH in mm, as in 2.6,4, got '{wrong}'" in capsys.readouterr().err


def test_a_given_spacing_holds_along_each_axis(tmp_path):
    measured = {"spacing": [[4, 4], [3, 3.1], [3, 3.1]], "extent": [[90, 200]] * 3, "noise": [0.01, 0.02], "volumes": 2}
    ranges = measured | {"quantiles": [[0.1, 0.9]] * len(QUANTILES), "high_band": [[0.5, 0.9]] * 3}
    model = a_tiny_model_file(tmp_path, spacing_range=(3.0, 4.0), input_ranges=ranges)
    assert main([str(model), str(tmp_path), "--spacing", "2.5,4"]) == 0
    found = InputRanges.from_card(read_card(tmp_path / "tiny.safetensors").input_ranges)
    assert found.spacing == ((2.5, 4),) * 3
    assert found.extent == ((90, 200),) * 3
