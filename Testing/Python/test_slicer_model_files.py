"""Model files that a person adds, and their cards as a person reads them."""

import json
import struct
from pathlib import Path

import pytest

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.models.installed_models import find_model, user_model_folder
from SuperResolution3DLib.models.model_card import HEADER_KEY, read_card
from Testing.Python.models import a_tiny_card, a_tiny_model_file
from Testing.Slicer.module import ThePanel, loaded_module

# isort: split
from SuperResolution3DSlicer.panel.model_card_text import card_text
from SuperResolution3DSlicer.panel.model_file import add_model_file, model_of

CARD = a_tiny_card((4, 2, 1), performance={"hardware": "a <small> laptop"})


@pytest.fixture
def a_home(monkeypatch, tmp_path) -> Path:
    for variable in ("XDG_DATA_HOME", "APPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    return tmp_path


def test_added_model_is_found_by_its_name(a_home) -> None:
    added = add_model_file(a_tiny_model_file(a_home, (2, 2, 2)))
    assert added.path == user_model_folder() / "tiny.safetensors"
    assert model_of("tiny") == added
    assert add_model_file(added.path) == added  # a second time changes nothing


def test_models_of_two_training_runs_are_added_by_their_own_names(a_home) -> None:
    for name in ("knee x2", "../spine"):
        run = a_home / name.strip("./")
        run.mkdir()
        trained = a_tiny_model_file(run, name="trained").rename(run / "best.safetensors")
        rewrite_card(trained, name=name)
        added = add_model_file(trained)
        assert (added, added.card.name) == (model_of(name), name)
    assert sorted(path.name for path in user_model_folder().iterdir()) == ["_spine.safetensors", "knee_x2.safetensors"]


def test_other_model_of_the_same_name_is_not_replaced(a_home) -> None:
    add_model_file(a_tiny_model_file(a_home, (2, 2, 2)))
    other = a_home / "other"
    other.mkdir()
    with pytest.raises(ModelError, match=r"There is another model file at .*tiny\.safetensors; delete it first\."):
        add_model_file(a_tiny_model_file(other, (2, 1, 1)).rename(other / "best.safetensors"))


def test_model_that_is_cut_short_is_refused_with_both_sizes(a_home) -> None:
    path = a_tiny_model_file(a_home, (2, 2, 2))
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ModelError, match=rf"has {size - 7} bytes and should have {size}"):
        add_model_file(path)
    assert not user_model_folder().exists()


def test_file_of_another_kind_is_refused(a_home) -> None:
    path = a_home / "weights.safetensors"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="not a model file"):
        add_model_file(path)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": 5}, "name must be a text"),
        ({"licence": None}, "licence must be a text"),
        ({"description": None}, "description must be a text"),
        ({"metrics": []}, "metrics must be a JSON object"),
        ({"performance": []}, "performance must be a JSON object"),
        ({"performance": {"cpu_seconds_per_million_voxels": "fast"}}, "must be a number of seconds above 0"),
        ({"performance": {"trunk_halo": "x"}}, "must be a whole number of LR voxels"),
        ({"scale": (5, 5, 5)}, "product of 2s and 3s, got 5"),
        ({"scale": (4, 4, 4)}, "the card says scale"),
        ({"config": {}}, "does not say 'num_features'"),
        ({"config": {"num_features": "many", "growth": 2}}, "num_features must be a whole number above 0, not 'many'"),
    ],
)
def test_model_whose_card_says_something_odd_is_refused_and_not_copied(a_home, values, sentence) -> None:
    path = a_tiny_model_file(a_home)
    rewrite_card(path, **values)
    with pytest.raises(ModelError, match=sentence):
        add_model_file(path)
    assert not user_model_folder().exists()


@pytest.mark.parametrize("entry", [{}, 5, {"data_offsets": [0]}, {"data_offsets": [0, "end"]}])
def test_model_whose_tensors_have_no_place_is_refused(a_home, entry) -> None:
    path = a_tiny_model_file(a_home)
    header = read_header(path)
    path.write_bytes(packed({"__metadata__": header["__metadata__"], "weight": entry}))
    with pytest.raises(ModelError, match=r"damaged: its list of tensors cannot be read\."):
        add_model_file(path)


def test_unusable_file_in_the_users_folder_is_left_out_of_the_list_and_named(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = user_model_folder()
    folder.mkdir(parents=True)
    slow = {"performance": {"cpu_seconds_per_million_voxels": "x"}}
    for name, values in (("a<b", {"name": 5}), ("slow", slow), ("unknown", {"network": "other"})):
        rewrite_card(a_tiny_model_file(folder, name=name), **values)
    with loaded_module(monkeypatch, tmp_path) as module:
        ui = ThePanel(module).ui
        models = [ui.modelSelector.itemText(row) for row in range(ui.modelSelector.count)]
        assert models == ["mr-brain-x4", "through-plane-ct", "through-plane-mr", "ct-x4", "mr-brain-x4-gan"]
        sentence = "Not usable, the list's tooltip says why: a&lt;b.safetensors, slow.safetensors, unknown.safetensors."
        assert ui.modelCardLabel.text.endswith(sentence)
        assert "name must be a text, not 5" in ui.modelSelector.toolTip
        assert "Unknown network 'other'" in ui.modelSelector.toolTip


def test_folder_that_cannot_be_written_to_is_one_sentence(a_home, monkeypatch) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("SuperResolution3DSlicer.panel.model_file.shutil.copyfile", full)
    with pytest.raises(ModelError, match="No space left on device"):
        add_model_file(a_tiny_model_file(a_home, (2, 2, 2)))


def test_card_escapes_what_others_wrote() -> None:
    text = card_text(CARD)
    assert "a &lt;small&gt; laptop" in text
    assert "Quality: not measured" in text
    assert "2x front-back, 4x head-foot, from voxels of 0.5 to 5 mm" in text


@pytest.mark.parametrize(
    ("measured", "text"),
    [
        ({"tiny": {"psnr": 31.25}, "volumes": 4}, "Measured on 4 test volumes: PSNR 31.2 dB"),
        ({"tiny": {"psnr": None, "ssim": 0.9}, "volumes": "<4>"}, "on &lt;4&gt; test volumes: SSIM 0.900"),
        ({"tiny": {"psnr": "high", "ssim": float("nan")}}, "Quality: not measured"),
        ({"tiny": {"psnr": 31.0}, "zero-filled k-space": {"psnr": None}}, "PSNR 31.0 dB<br>"),
        ({"tiny": {"psnr": 31.0}, "zero-filled k-space": "low"}, "PSNR 31.0 dB<br>"),
        ({"tiny": 31.0}, "Quality: not measured"),
        ([], "Quality: not measured"),
    ],
)
def test_card_shows_only_what_is_a_number(measured, text) -> None:
    assert text in card_text(a_tiny_card(metrics={"test": measured}))


def test_figures_are_of_the_volumes_that_other_models_were_measured_on_too() -> None:
    test, validation = ({"volumes": 4, "zero-filled k-space": {"psnr": psnr, "ssim": 0.7}} for psnr in (25.0, 24.0))
    pixel = a_tiny_card(
        name="pixel",
        metrics={"test": test | {"pixel": {"psnr": 26.4}}, "validation": validation | {"pixel": {"psnr": 24.9}}},
    )
    gan = a_tiny_card(name="<gan>", metrics={"validation": validation | {"<gan>": {"psnr": 24.6}}})
    own = a_tiny_card(name="own", metrics={"validation": test | {"own": {"psnr": 33.3}}})
    assert "on 4 test volumes: PSNR 26.4 dB" in card_text(pixel)
    assert "on 4 validation volumes, the same as &lt;gan&gt;: PSNR 24.9 dB" in card_text(pixel, [own, gan])
    assert "on 4 validation volumes, the same as pixel: PSNR 24.6 dB" in card_text(gan, [own, pixel])
    alone = "on 4 validation volumes, on which no other installed model was measured: PSNR 33.3 dB"
    assert alone in card_text(own, [pixel, gan])


def test_shipped_models_show_figures_of_the_same_volumes(monkeypatch, tmp_path) -> None:
    pair = ("mr-brain-x4", "mr-brain-x4-gan")
    cards = [read_card(find_model(name)) for name in pair]
    with loaded_module(monkeypatch, tmp_path) as module:
        ui = ThePanel(module).ui
        for card, other in zip(cards, reversed(cards), strict=True):
            ui.modelSelector.currentIndex = ui.modelSelector.findText(card.name)
            (told,) = (part for part in ("test", "validation") if f" {part} volumes, " in ui.modelDetailsLabel.text)
            measured = card.metrics[told]
            assert (
                f"{measured['volumes']} {told} volumes, the same as {other.name}: "
                f"PSNR {measured[card.name]['psnr']:.1f} dB" in ui.modelDetailsLabel.text
            )


def read_header(path: Path) -> dict:
    data = path.read_bytes()
    return json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])


def packed(header: dict) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


def rewrite_card(path: Path, **values: object) -> None:
    """Change what a model file's card says; its tensors stay."""
    header, data = read_header(path), path.read_bytes()
    card = json.loads(header["__metadata__"][HEADER_KEY]) | values
    tensors = data[8 + struct.unpack("<Q", data[:8])[0] :]
    path.write_bytes(packed(header | {"__metadata__": {HEADER_KEY: json.dumps(card)}}) + tensors)
