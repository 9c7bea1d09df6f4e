"""Model files: what goes in comes out, and a bad file gets one sentence."""

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from models import a_tiny_card, a_tiny_model_file
from safetensors.torch import load_file, save_file

from SuperResolution3DLib.errors import ModelError, OutputError
from SuperResolution3DLib.models.checkpoint import load_model, save_model
from SuperResolution3DLib.models.installed_models import (
    MODELS_VARIABLE,
    InstalledModel,
    find_model,
    installed_models,
    user_model_folder,
)
from SuperResolution3DLib.models.model_card import HEADER_KEY, ModelCard, file_sha256, read_card
from SuperResolution3DLib.sentence import Sentence


@pytest.fixture
def a_model_file(tmp_path):
    return a_tiny_model_file(tmp_path)


def rewrite(path, tensors=None, header=None):
    """Write the file anew with other tensors or another card text."""
    tensors = load_file(path) if tensors is None else tensors
    header = read_card(path).to_json() if header is None else header
    save_file(tensors, path, metadata={HEADER_KEY: header})


def test_a_saved_model_is_loaded_with_its_card_and_weights(a_model_file):
    model = load_model(a_model_file)
    assert json.loads(model.card.to_json()) == json.loads(a_tiny_card().to_json())
    assert model.sha256 == file_sha256(a_model_file)
    for name, tensor in load_file(a_model_file).items():
        assert torch.equal(model.network.state_dict()[name], tensor)


def test_a_model_is_stored_in_fp16_and_used_in_fp32(tmp_path, a_model_file):
    network = load_model(a_model_file).network
    save_model(tmp_path / "half.safetensors", network.state_dict(), a_tiny_card())
    assert {tensor.dtype for tensor in load_file(tmp_path / "half.safetensors").values()} == {torch.float16}
    assert {tensor.dtype for tensor in load_model(tmp_path / "half.safetensors").network.parameters()} == {
        torch.float32
    }


def test_a_failed_save_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("SuperResolution3DLib.models.checkpoint.save", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_model(tmp_path / "new.safetensors", {}, a_tiny_card())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_and_keeps_the_model_that_was_there(tmp_path, a_model_file, monkeypatch):
    before = a_model_file.read_bytes()

    def full(path, data):
        path.touch()  # the folder still takes the name
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"tiny\.safetensors could not be written \(No space left on device\)"):
        save_model(a_model_file, load_model(a_model_file).network.state_dict(), a_tiny_card())
    assert list(tmp_path.iterdir()) == [a_model_file]
    assert a_model_file.read_bytes() == before


def test_the_card_is_read_without_the_tensors(a_model_file):
    assert read_card(a_model_file).to_json() == a_tiny_card().to_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "model format version 2, this program reads 1"),
        ({"scale": [4, 4]}, "not three whole numbers"),
        ({"grid": "middle"}, "none of center, corner"),
        ({"modality": " "}, "modality is empty"),
        ({"skip": "cubic"}, "none of none, zero-filled, consistent"),
        ({"intensity_from": "both"}, "intensity_from 'both' is none of lr, hr"),
        ({"spacing_range": [2, 1]}, "not two increasing numbers"),
        ({"config": []}, r"config must be a JSON object, not \[\]"),
        ({"metrics": []}, "metrics must be a JSON object"),
        ({"performance": []}, "performance must be a JSON object"),
        ({"training": "long"}, "training must be a JSON object"),
        ({"name": 5}, "name must be a text, not 5"),
        ({"name": " "}, "name is empty"),
        ({"network": ["rrdb"]}, "network must be a text"),
        ({"licence": None}, "licence must be a text, not None"),
        ({"description": None}, "description must be a text, not None"),
        ({"scale": [5, 5, 5]}, "product of 2s and 3s, got 5"),
        ({"scale": [1, 1, 1]}, "enlarges no axis"),
        ({"scale": 4}, "the model's header cannot be used"),
        ({"spacing_range": ["a", "b"]}, "not two increasing numbers"),
        ({"spacing_range": [1, float("inf")]}, "not two increasing numbers"),
        ({"spacing_range": [1, 10**400]}, "the model's header cannot be used"),
        ({"performance": {"cpu_seconds_per_million_voxels": "fast"}}, "seconds above 0, not 'fast'"),
        ({"performance": {"cuda_seconds_per_million_voxels": 0}}, "seconds above 0, not 0"),
        ({"performance": {"cpu_seconds_per_million_voxels": float("nan")}}, "seconds above 0, not nan"),
        ({"performance": {"cpu_seconds_per_million_voxels": True}}, "seconds above 0, not True"),
        ({"performance": {"trunk_halo": "x"}}, "whole number of LR voxels, not 'x'"),
        ({"performance": {"trunk_halo": -1}}, "whole number of LR voxels, not -1"),
        ({"network": "transformer"}, "Unknown network 'transformer'"),
        ({"config": {"layers": 3}}, "cannot be built from its config"),
        ({"scale": [4, 4, 4]}, "the card says scale"),
        ({"intensity": {"policy": "guess"}}, "intensity policy"),
    ],
)
def test_a_wrong_header_is_refused_with_the_reason(a_model_file, change, message):
    rewrite(a_model_file, header=json.dumps(json.loads(a_tiny_card().to_json()) | change))
    with pytest.raises(ModelError, match=message):
        load_model(a_model_file)


def test_a_header_without_a_field_is_refused(a_model_file):
    values = json.loads(a_tiny_card().to_json())
    del values["grid"]
    rewrite(a_model_file, header=json.dumps(values))
    with pytest.raises(ModelError, match=r"lacks grid"):
        read_card(a_model_file)


def test_fields_that_a_newer_program_added_are_left_out(a_model_file):
    rewrite(a_model_file, header=json.dumps(json.loads(a_tiny_card().to_json()) | {"planes": "slice", "operator": {}}))
    assert load_model(a_model_file).card.to_json() == a_tiny_card().to_json()


def test_fields_with_a_default_may_be_missing(a_model_file):
    values = json.loads(a_tiny_card().to_json())
    for name in ("description", "training", "metrics", "performance"):
        del values[name]
    rewrite(a_model_file, header=json.dumps(values))
    assert read_card(a_model_file).training == {}


def test_a_file_that_may_not_be_read_is_not_called_damaged(a_model_file, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ModelError, match=r"tiny\.safetensors cannot be read \(Permission denied\)"):
        load_model(a_model_file)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelError, match=r"tiny\.safetensors cannot be read \(Permission denied\)"):
        read_card(a_model_file)


def test_a_model_whose_name_is_no_utf8_is_loaded(a_model_file):
    other = a_model_file.rename(a_model_file.with_name("t\udcffny.safetensors"))
    assert load_model(other).card.to_json() == a_tiny_card().to_json()


def test_a_card_that_is_no_text_is_refused(tmp_path):
    header = json.dumps({"__metadata__": {HEADER_KEY: 5}}).encode()
    path = tmp_path / "odd.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(ModelError, match="holds no model card"):
        read_card(path)


def test_the_modalities_of_a_blend_are_those_of_both_its_parents():
    card = a_tiny_card(modality="MR T1w, CT")
    assert card.dicom_modalities == ("MR", "CT")
    assert [card.fits_modality(modality) for modality in ("", "MR", "CT", "PT")] == [True, True, True, False]


@pytest.mark.parametrize("header", ["no json", "[1]"])
def test_a_header_that_is_no_json_object_is_refused(a_model_file, header):
    rewrite(a_model_file, header=header)
    with pytest.raises(ModelError, match=r"the model's header is not (a )?JSON"):
        read_card(a_model_file)


def test_wrong_tensors_are_refused_by_name(a_model_file):
    tensors = load_file(a_model_file)
    for wrong, message in (
        ({name: tensor for name, tensor in tensors.items() if name != "conv_last.bias"}, "lacks 1 tensors"),
        (tensors | {"extra": torch.zeros(1)}, "has 1 unknown ones"),
        (tensors | {"conv_last.bias": torch.zeros(2)}, r"conv_last.bias has shape \(2,\), wanted \(1,\)"),
        (tensors | {"conv_last.bias": torch.tensor([float("nan")])}, "not finite"),
        (tensors | {"conv_last.bias": torch.zeros(1, dtype=torch.int32)}, "not finite"),
    ):
        rewrite(a_model_file, tensors=wrong, header=a_tiny_card().to_json())
        with pytest.raises(ModelError, match=message):
            load_model(a_model_file)


def test_files_that_are_no_model_files_are_refused(tmp_path, a_model_file):
    content = a_model_file.read_bytes()
    for name, data in (
        ("empty", b""),
        ("text", b"PK\x03\x04 this is a pickled checkpoint, not a model"),
        ("long-header", struct.pack("<Q", 1 << 40) + b"{}"),
        ("no-json", struct.pack("<Q", 4) + b"abcd"),
        ("list", struct.pack("<Q", 2) + b"[]"),
    ):
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(data)
        with pytest.raises(ModelError, match="is not a model file"):
            read_card(path)
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="holds no model card"):
        read_card(tmp_path / "other.safetensors")
    a_model_file.write_bytes(content[:-100])
    with pytest.raises(ModelError, match="is damaged"):
        load_model(a_model_file)
    with pytest.raises(ModelError, match="There is no model file"):
        read_card(tmp_path / "missing.safetensors")


@pytest.fixture
def two_folders(tmp_path, monkeypatch):
    first, user = tmp_path / "first", tmp_path / "data" / "SuperResolution3D" / "Models"
    for folder in (first, user):
        folder.mkdir(parents=True)
    monkeypatch.setenv(MODELS_VARIABLE, str(first))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("sys.platform", "linux")
    return first, user


def test_the_variables_folder_comes_before_the_users_and_the_shipped_one(two_folders):
    first, user = two_folders
    in_user = a_tiny_model_file(user, name="mine")
    a_tiny_model_file(user, name="both")
    in_first = a_tiny_model_file(first, name="both")
    assert find_model("both") == in_first
    assert find_model("mine") == in_user
    assert find_model(str(in_user)) == in_user
    names = [model.card.name for model in installed_models() if model.card]
    assert names[:2] == ["both", "mine"]


def test_a_broken_file_is_listed_with_its_problem(two_folders):
    (two_folders[0] / "broken.safetensors").write_bytes(b"nothing")
    broken = installed_models()[0]
    assert broken.card is None
    assert "not a model file" in str(broken.problem)


def test_an_unknown_name_lists_the_installed_models(two_folders):
    a_tiny_model_file(two_folders[0], name="mine")
    with pytest.raises(ModelError, match="No model is called 'yours'; installed: mine"):
        find_model("yours")
    with pytest.raises(ModelError, match="There is no model file"):
        find_model("yours.safetensors")


def test_a_name_that_is_nearly_right_is_told_the_closest(two_folders):
    a_tiny_model_file(two_folders[0], name="brain-x4")
    a_tiny_model_file(two_folders[0], name="brain-x4-sharp")
    with pytest.raises(ModelError, match=r"called .old-brain-x4.; installed: .*; the closest name is brain-x4$"):
        find_model("old-brain-x4")


@pytest.mark.parametrize("name", ["mr-brain-x4", "mr-brain-x4-gan"])
def test_the_name_that_a_shipped_model_once_had_is_told_that_of_today(two_folders, name):
    with pytest.raises(ModelError, match=f"called 'rrdb-{name}'; installed: .*; the closest name is {name}$"):
        find_model(f"rrdb-{name}")


def test_no_model_at_all_says_where_to_put_one(two_folders, monkeypatch):
    monkeypatch.setattr("SuperResolution3DLib.models.installed_models.model_folders", list)
    with pytest.raises(ModelError, match="No model is installed: put a model file into"):
        find_model(None)


def test_a_card_survives_json():
    card = replace(a_tiny_card(), training={"seed": 1}, metrics={"psnr": 30.5})
    assert ModelCard.from_json(card.to_json(), "test").to_json() == card.to_json()


def test_a_models_rank_counts_not_its_name_nor_that_somebody_added_it(tmp_path, monkeypatch):
    for name, rank in (("brain-gan", 0), ("brain", 99)):
        a_tiny_model_file(tmp_path, name=name, rank=rank)
    monkeypatch.setenv("SUPERRES3D_MODELS", str(tmp_path))
    monkeypatch.setattr("SuperResolution3DLib.models.installed_models.user_model_folder", lambda: tmp_path / "none")
    assert [model.card.name for model in installed_models() if model.card][:2] == ["brain", "brain-gan"]
    assert find_model(None).stem == "brain"
    a_tiny_model_file(tmp_path, name="brain", rank=0)
    assert find_model(None).stem == "mr-brain-x4"


def test_a_user_without_a_home_folder_still_has_the_other_models(two_folders, monkeypatch):
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    in_first = a_tiny_model_file(two_folders[0], name="mine")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert find_model("mine") == in_first
    with pytest.raises(ModelError, match="You have no home folder: set HOME"):
        user_model_folder()
    monkeypatch.setattr("SuperResolution3DLib.models.installed_models.model_folders", list)
    with pytest.raises(ModelError, match=r"put a model file into a folder \(you have no home folder\) or name"):
        find_model(None)


def test_a_folder_that_may_not_be_entered_is_listed_and_passed_over(two_folders, monkeypatch):
    first, user = two_folders
    in_user = a_tiny_model_file(user, name="mine")
    look, enter = Path.stat, Path.iterdir

    def stat_of(path: Path, **options: bool) -> os.stat_result:
        if path == first:
            raise PermissionError(13, "Permission denied")
        return look(path, **options)

    def entries(path: Path) -> Iterator[Path]:
        if path == first:
            raise PermissionError(13, "Permission denied")
        return enter(path)

    monkeypatch.setattr(Path, "stat", stat_of)  # root, who runs containers, may enter anywhere
    monkeypatch.setattr(Path, "iterdir", entries)
    assert find_model("mine") == in_user
    assert installed_models()[0] == InstalledModel(
        first, None, Sentence("model-folder", {"reason": "Permission denied"})
    )


def test_a_name_that_is_too_long_or_a_circle_of_links_is_told(tmp_path):
    (tmp_path / "circle.safetensors").symlink_to(tmp_path / "circle.safetensors")
    for name, reason in (("n" * 300, "File name too long"), (str(tmp_path / "circle.safetensors"), "Too many levels")):
        with pytest.raises(ModelError, match=f"cannot be looked at .{reason}"):
            find_model(name)
