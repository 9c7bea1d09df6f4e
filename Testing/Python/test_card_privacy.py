"""Cards and records, which go wherever models and reports go, name no volume, no folder and nobody."""

import json

import numpy as np
import pytest
from models import a_tiny_card, a_tiny_model_file
from training_runs import arguments, make_index

from SuperResolution3DLib.models.blend import blend
from SuperResolution3DLib.models.card_privacy import private_texts, without_names
from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.models.model_card import read_card
from Training.command_record import without_folders
from Training.data.index import read_index
from Training.evaluation.seen_volumes import contents, is_complete
from Training.publish import main as publish
from Training.train import main
from Training.trainer.run_card import VOLUMES_FILE

OLD = {  # as files of older versions have it
    "command": "python Training/train.py --config Training/presets/mr-brain-x4.yaml --x=../Doe_Jane/y.pth --out RUN",
    "train": {"Doe_Jane/t1.nii.gz": "1" * 64, "Doe_John": "0" * 64},
    "validation": {"b.nii": "2" * 64},
    "recipe": {"data": {"train": ["train/t1-*.nii.gz"], "preparation": {"floor": None}}, "init_from": "x.safetensors"},
    "init_from": {"name": "parent", "sha256": "3" * 64, "training": {"train": {"Roe/a.nii": "4" * 64}}},
}


def test_names_are_found_and_taken_out_at_every_depth_while_contents_stay() -> None:
    found = private_texts(OLD)
    assert {"../Doe_Jane/y.pth", "Doe_Jane/t1.nii.gz", "Doe_John", "b.nii", "train/t1-*.nii.gz", "Roe/a.nii"} == set(
        found
    )
    clean = without_names(OLD)
    assert private_texts(clean) == []
    assert not {"Doe", "Roe"} & set(json.dumps(clean).replace("_", " ").replace("/", " ").replace('"', " ").split())
    assert clean["command"].startswith("python Training/train.py --config Training/presets/mr-brain-x4.yaml --x=FILE")
    assert clean["recipe"]["data"]["preparation"] == {"floor": None}
    for part in ("train", "validation"):
        assert contents(clean, part) == contents(OLD, part)
    assert contents(clean) == {"0" * 64, "1" * 64, "4" * 64}
    assert is_complete(clean) and is_complete(OLD)
    assert without_names(clean) == clean


@pytest.mark.parametrize(
    "text", ["/home/doe/x", r"C:\Users\doe\x.pt", "~/x", "runs/doe/x", "a/b.pt", "--data=doe.MHA", r"\\server\doe"]
)
def test_a_path_is_one_in_whatever_form(text) -> None:
    assert private_texts({"note": f"see {text} there"})
    assert private_texts({"a": [{text: 1}]})


@pytest.mark.parametrize(
    "text",
    ["T1w/T2w of heads, 0.5 mm", "https://example.org/a/b.pth", "python Training/train.py", "mean / sd", "x.yaml"],
)
def test_a_slash_alone_makes_no_path(text) -> None:
    assert private_texts({"note": text}) == []


def test_scores_by_the_names_of_volumes_are_taken_out_and_those_by_methods_stay() -> None:
    by_method = {"protocol": "foreground", "volumes": 4, "SR": {"psnr": 30.0}}
    metrics = {"validation": {"Doe_Jane": {"psnr": 30.0}}, "test": by_method}
    assert private_texts(metrics) == ["Doe_Jane"]
    assert without_names(metrics) == {"test": by_method}


def test_the_models_of_a_run_name_no_volume_and_its_folder_does(tmp_path) -> None:
    index, run = make_index(tmp_path), tmp_path / "run"
    assert main(arguments(index, run, **{"model.intensity_from": "hr"})) == 0
    entries = {part: [e for e in read_index(index).entries if e.split == part] for part in ("train", "validation")}
    written = json.loads((run / VOLUMES_FILE).read_text("utf-8"))
    for name in ("best", "last"):
        card = read_card(run / f"{name}.safetensors")
        assert card.intensity_from == "hr"
        assert private_texts(json.loads(card.to_json())) == []
        assert not any(entry.file in card.to_json() for part in entries.values() for entry in part)
        for part, wanted in entries.items():
            assert card.training[part] == sorted(entry.sha256 for entry in wanted)
            assert written[part] == {entry.file: entry.sha256 for entry in wanted}
            assert sum(card.training["volumes"][part].values()) == len(wanted)
    assert set(read_card(run / "best.safetensors").metrics["validation"]) == {"protocol", "volumes", "tiny"}


def test_a_card_with_names_is_published_only_without_them(tmp_path, capsys) -> None:
    model = a_tiny_model_file(tmp_path, training=OLD, metrics={"validation": {"Doe_Jane": {"psnr": 30.0}}})
    (tmp_path / "Models").mkdir()
    assert publish([str(model), str(tmp_path / "Models")]) == 2
    assert "names 7 volumes or paths" in capsys.readouterr().err
    assert list((tmp_path / "Models").iterdir()) == []
    assert publish([str(model), str(tmp_path / "Models"), "--without-names"]) == 0
    published = load_model(tmp_path / "Models" / model.name)
    assert private_texts(json.loads(published.card.to_json())) == []
    assert publish([str(model), str(tmp_path / "Models"), "--without-names", "--hardware", "/home/doe/x"]) == 2
    for name, tensor in load_model(model).network.state_dict().items():
        np.testing.assert_array_equal(published.network.state_dict()[name].numpy(), tensor.half().float().numpy())


def test_a_blend_of_models_of_an_older_version_names_no_volume(tmp_path) -> None:
    models = [load_model(a_tiny_model_file(tmp_path, name=name, training=OLD)) for name in ("a", "b")]
    _, card = blend(*models, 0.5)
    assert private_texts(json.loads(card.to_json())) == []
    assert contents(card.training) == contents(OLD)


def test_a_recorded_command_has_no_folders() -> None:
    given = ["--index", "../Doe/index.json", "--model", "GAN=/home/doe/a b/run.safetensors", "--scale", "4,4,4"]
    assert without_folders(given) == ["--index", "index.json", "--model", "GAN=run.safetensors", "--scale", "4,4,4"]
    assert without_folders([r"--x=C:\Users\doe\y.pth", "Training/presets/a.yaml", "runs/doe/"]) == [
        "--x=y.pth",
        "Training/presets/a.yaml",
        "doe",
    ]
    assert without_folders(['--data={"index": "/home/John Doe/i.json", "patch_size": 12}', "[/a/b, 3]"]) == [
        '--data={"index": "i.json", "patch_size": 12}',
        "[b, 3]",
    ]


def test_a_card_of_this_version_with_nothing_private_is_left_as_it_is() -> None:
    values = json.loads(a_tiny_card(training={"train": ["0" * 64], "seed": 1}, description="MR T1w, 4x").to_json())
    assert without_names(values) == values
