"""A trained model becomes one that ships: what its card then says."""

from dataclasses import replace

from models import a_tiny_model_file

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
