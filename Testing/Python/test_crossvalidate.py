"""Folds x methods on phantoms: killed, stopped, failed or spread over an array, the table is the same."""

import csv
import json
import re
import shutil
import signal
import sys
from dataclasses import replace
from typing import get_type_hints

import numpy as np
import pytest
from child_processes import PATIENT, wait_for
from made_up_features import FRECHET, measure_slices
from models import a_tiny_model_file
from scipy.ndimage import gaussian_filter
from training_runs import ROOT, log_lines

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.volumes.volume import Volume, write_volume
from Training import crossvalidate, evaluate, train
from Training.cross_validation import fold_collection, plan
from Training.cross_validation.child_process import SignalRelay
from Training.crossvalidate import main
from Training.data.index import read_index, write_index
from Training.evaluation.request import read_request
from Training.evaluation.results import read_method_results, read_record, read_results
from Training.folder_lock import locked
from Training.prepare import main as prepare

SHAPE = (26, 28, 24)
RATES = {"a": 1e-3, "b": 3e-3}
INTERPOLATIONS = ["--interpolations", "trilinear", "zero-filled"]
METHODS = ["trilinear", "zero-filled", "tiny-a", "tiny-b"]  # in the table's order
QUICK = ["lpips=none", "protocol=foreground", "device=cpu", "precision=fp32"]
KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from Training.trainer.checkpoints import Checkpoints
from Training.crossvalidate import main
from Training.folder_lock import locked
save = Checkpoints.save
def save_and_die(self, step, content):
    save(self, step, content)
    if self.folder.parts[-4:-2] == ("tiny-a", "fold-3") and step == 4:
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoints.save = save_and_die
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def a_data_set(tmp_path_factory):
    """Index of five subjects in five folds, blobs with sharp edges, and two presets that differ in one field."""
    folder = tmp_path_factory.mktemp("folds")
    for number in range(5):
        smooth = gaussian_filter(np.random.default_rng(number).random(SHAPE), 2)
        path = folder / "data" / f"subject-{number}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        write_volume(Volume((500 * (smooth > smooth.mean())).astype(np.int16), np.eye(4)), path)
    options = ["--dataset", "folder", "--root", folder / "data", "--out", folder / "index.json", "--modality", "MR"]
    assert prepare([*map(str, options), "--folds", "5"]) == 0
    for name, rate in RATES.items():
        write_preset(folder, name, rate)
    return folder


@pytest.fixture(scope="module")
def a_whole_run(a_data_set, tmp_path_factory):
    """Folder of five folds x two trained methods and two interpolations, done in one go."""
    out = tmp_path_factory.mktemp("whole")
    assert main(command(a_data_set, out, *INTERPOLATIONS)) == 0
    return out


def write_preset(folder, name, rate, **changes):
    """Write a preset of six steps on patches of 12^3 HR voxels; JSON is YAML."""
    network = {"scale": [2, 2, 2], "num_features": 4, "num_blocks": 1, "growth": 2, "tail_features": 4}
    preset = {
        "model": {"name": f"tiny-{name}", "modality": "MR", "licence": "Apache-2.0"},
        "data": {"patch_size": 6, "grid_shifts": 2},
        "network": {"config": network},
        "optimisation": {"steps": 6, "learning_rate": rate, "warmup_steps": 0},
        "loop": {"save_every": 2, "validate_every": 6, "lpips": False, "precision": "32-true"}
        | {"accelerator": "cpu", "threads": 1},
    }
    (folder / f"{name}.yaml").write_text(json.dumps(preset | changes))
    return folder / f"{name}.yaml"


def command(folder, out, *options, methods=("a", "b"), in_process=True):
    presets = [folder / f"{name}.yaml" for name in methods]
    values = ["--index", folder / "index.json", "--out", out, *(["--methods", *presets] if presets else [])]
    return list(map(str, [*values, "--evaluate", *QUICK, *(["--in-process"] if in_process else []), *options]))


def times_of(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("[!.]*")) if path.is_file()}


def rows(out):
    """Return what the table is made of, without the seconds that it took."""
    with (out / "all-folds" / "results.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def table(out):
    """Return the table without the models' sha256, which the hours in their cards change."""
    return re.sub(r"\b[0-9a-f]{12}\b", "", (out / "all-folds" / "table.md").read_text("utf-8"))


def test_five_folds_of_two_methods_killed_once_give_the_table_of_an_unbroken_run(
    a_data_set, a_whole_run, start, tmp_path
):
    out, script = tmp_path / "killed", tmp_path / "killed.py"
    script.write_text(KILLED.format(root=str(ROOT)))
    process = start([sys.executable, script, *command(a_data_set, out, *INTERPOLATIONS)])
    output, _ = process.communicate(timeout=PATIENT)
    assert process.returncode == -signal.SIGKILL, output
    done = sorted(path.parent for path in (out / "parts").glob("*/*/evaluation"))
    assert [f"{part.parent.name} {part.name}" for part in done] == [
        *(f"tiny-a fold-{fold}" for fold in range(3)),
        *(f"{name} fold-{fold}" for name in ("trilinear", "zero-filled") for fold in range(5)),
    ]
    assert [line["step"] for line in log_lines(out / "parts/tiny-a/fold-3/run")] == [1, 2, 3, 4]
    assert not (out / "all-folds").exists()
    before = [times_of(part) for part in done]
    assert main(command(a_data_set, out, *INTERPOLATIONS)) == 0
    assert [times_of(part) for part in done] == before  # neither trained nor evaluated again
    assert table(out) == table(a_whole_run)
    assert rows(out) == rows(a_whole_run)


def test_slices_are_collected_as_if_one_evaluation_had_seen_all_volumes(a_data_set, tmp_path, monkeypatch):
    measure_slices(monkeypatch)
    arguments = command(a_data_set, tmp_path / "folds", "--interpolations", "trilinear", "cubic", methods=[])
    assert main(arguments) == 0
    assert main([*arguments, "--collect"]) == 0
    index = read_index(a_data_set / "index.json")
    whole = replace(index, entries=tuple(replace(entry, split="test") for entry in index.entries))
    write_index(tmp_path / "index.json", whole)
    place = ["--index", str(tmp_path / "index.json"), "--out", str(tmp_path / "whole"), "--no-figures"]
    methods = ["--interpolations", "trilinear", "cubic", "--scale", "4,4,4"]
    assert evaluate.main([*place, *methods, *(f"--{option}" for option in QUICK)]) == 0
    found, wanted = (read_method_results(folder) for folder in (tmp_path / "folds/all-folds", tmp_path / "whole"))
    assert [result.method for result in found] == ["cubic", "trilinear"]
    for one, other in zip(found, wanted, strict=True):
        assert one.metrics[f"{FRECHET}: slices"] == 5 * SHAPE[0] - 10  # two voxels a volume are no multiple of 4
        assert one.metrics == pytest.approx(other.metrics)


def test_the_collection_draws_figure_2_with_the_models_that_held_the_volume_out(a_whole_run, monkeypatch, a_data_set):
    folder = a_whole_run / "all-folds"
    (picture,) = folder.glob("figure2-*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "data:image/png;base64" in (folder / "report.html").read_text("utf-8")
    assert read_record(folder).lr_nyquist == 0.25  # cycles/mm at LR voxels of 2 mm
    drawn = []
    monkeypatch.setattr(fold_collection, "draw_figure", lambda plan: drawn.append(plan) or [])
    (held_out,) = json.loads((a_data_set / "splits.json").read_text())["folds"][3]
    chosen = ["--collect", "--evaluate", *QUICK, f"figure-volume={held_out}.nii.gz"]  # changes no score
    assert main(command(a_data_set, a_whole_run, *INTERPOLATIONS, *chosen)) == 0
    assert main(command(a_data_set, a_whole_run, *INTERPOLATIONS, "--no-figures", *chosen)) == 0
    monkeypatch.setattr(crossvalidate, "Evaluation", lambda measures: pytest.fail("nothing is left to be measured"))
    assert main(command(a_data_set, a_whole_run, *INTERPOLATIONS, *chosen[1:])) == 0
    plan, again = drawn
    assert plan.figure_entry == again.figure_entry
    assert plan.figure_entry.subject == held_out
    assert [method.name for method in plan.methods] == METHODS
    run = a_whole_run / "parts/tiny-a/fold-3/run/last.safetensors"
    assert plan.methods[2].model.sha256 == load_model(run).sha256


def test_every_volume_is_scored_once_by_a_model_that_never_saw_it(a_data_set, a_whole_run):
    found = [(row["method"], row["subject"]) for row in rows(a_whole_run)]
    subjects = [f"subject-{number}" for number in range(5)]
    assert found == [(method, subject) for method in METHODS for subject in subjects]
    scores = {row["foreground/psnr"] for row in rows(a_whole_run)}
    assert len(scores) == len(found)  # each by its own method, on its own volume
    for fold, held_out in enumerate(json.loads((a_data_set / "splits.json").read_text())["folds"]):
        part = a_whole_run / "parts" / "tiny-a" / f"fold-{fold}"
        assert [result.subject for result in read_results(part / "evaluation")] == held_out
        card = load_model(part / "run" / "last.safetensors").card
        entries = read_index(a_data_set / "index.json").entries
        wanted = [entry.sha256 for entry in entries if entry.subject not in held_out]
        assert card.training["train"] == sorted(wanted) and len(wanted) == 4


def test_a_changed_preset_is_refused_before_anything_is_done(a_data_set, tmp_path, capsys):
    preset = write_preset(a_data_set, "changing", 1e-3)
    arguments = command(a_data_set, tmp_path, "--folds", "0", methods=["changing"])
    assert main(arguments) == 0
    before = times_of(tmp_path)
    write_preset(a_data_set, "changing", 2e-3)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "tiny-changing, fold 0" in error and "optimisation.learning_rate 0.001, now 0.002" in error
    assert "--out" in error
    assert times_of(tmp_path) == before
    write_preset(a_data_set, "changing", 1e-3)
    text = json.loads(preset.read_text())
    text["loop"] |= {"save_every": 3, "threads": 2}  # where and how fast, not what
    preset.write_text(json.dumps(text))
    assert main(arguments) == 0
    assert {path: times_of(tmp_path)[path] for path in before if "parts" in path.parts} == {
        path: value for path, value in before.items() if "parts" in path.parts
    }


def test_what_may_change_between_starts_are_fields_of_a_run():
    for name in plan.PLACE + plan.PACE:
        config = train.TrainConfig
        for part in name.split("."):
            config = get_type_hints(config)[part]


def test_the_code_to_start_again_is_passed_on_and_processes_of_their_own_go_on(a_data_set, tmp_path):
    own = command(a_data_set, tmp_path, "--folds", "1", methods=["a"], in_process=False)
    part = tmp_path / "parts" / "tiny-a" / "fold-1"
    assert main([*own, "--in-process", "--set", "loop.time_limit=1e-9"]) == train.EXIT_AGAIN
    assert [line["step"] for line in log_lines(part / "run")] == [1]
    assert not (part / "evaluation").exists()
    assert main(own) == 0
    assert [line["step"] for line in log_lines(part / "run") if "loss" in line] == [1, 2, 3, 4, 5, 6]
    assert "tiny-a" in (tmp_path / "folds-1" / "table.md").read_text()
    assert "tiny-a" in (tmp_path / "folds-1" / "report.html").read_text()


def test_an_array_task_does_its_part_and_the_last_one_collects(a_data_set, tmp_path, monkeypatch, capsys):
    options = ["--interpolations", "trilinear", "zero-filled", "--folds", "0", "3"]
    arguments = command(a_data_set, tmp_path, *options, methods=[])
    assert main([*arguments, "--list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "0\ttrilinear, fold 0\tto do",
        "1\ttrilinear, fold 3\tto do",
        "2\tzero-filled, fold 0\tto do",
        "3\tzero-filled, fold 3\tto do",
    ]
    for task in (3, 0, 1):
        assert main([*arguments, "--array-task", str(task)]) == 0
        assert not (tmp_path / "folds-0-3").exists()
    assert main([*arguments, "--collect"]) == 2
    assert "1 of 4 parts are not done: 1 of zero-filled" in capsys.readouterr().err
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    assert main(arguments) == 0
    table = (tmp_path / "folds-0-3" / "table.md").read_text()
    assert "trilinear" in table and "zero-filled" in table
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "4")
    assert main(arguments) == 2
    assert "no part 4: the parts are 0 to 3" in capsys.readouterr().err
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert main(arguments) == 2
    assert "without srun" in capsys.readouterr().err


def test_a_part_that_fails_leaves_the_others_running(a_data_set, tmp_path, monkeypatch, caplog):
    whole = evaluate.run

    def fails_on_fold_2(request, command):
        if request.fold == 2:
            raise VolumeError("this one fails")
        whole(request, command)

    monkeypatch.setattr(evaluate, "run", fails_on_fold_2)
    arguments = command(a_data_set, tmp_path, "--interpolations", "trilinear", methods=[])
    assert main(arguments) == crossvalidate.EXIT_FAILED
    assert "1 of 5 parts failed: trilinear, fold 2" in caplog.text
    assert len(list((tmp_path / "parts/trilinear").glob("*/evaluation/results"))) == 4
    monkeypatch.setattr(evaluate, "run", whole)
    assert main(arguments) == 0
    assert len(rows(tmp_path)) == 5


def test_changed_measuring_evaluates_again_without_training(a_data_set, tmp_path):
    arguments = command(a_data_set, tmp_path, "--folds", "0", methods=["a"])
    assert main(arguments) == 0
    trained = times_of(tmp_path / "parts/tiny-a/fold-0/run")
    assert main([*arguments, "--evaluate", "lpips=none", "protocol=paper", "device=cpu"]) == 0
    assert times_of(tmp_path / "parts/tiny-a/fold-0/run") == trained
    assert "paper/psnr" in (tmp_path / "folds-0" / "results.csv").read_text()


def test_scores_of_another_version_of_the_figures_are_made_again(a_data_set, tmp_path, monkeypatch, capsys):
    arguments = command(a_data_set, tmp_path, "--interpolations", "trilinear", "--folds", "0", methods=[])
    assert main(arguments) == 0
    for version, status in ((plan.VERSION, "done"), (plan.VERSION + 1, "to do")):
        monkeypatch.setattr(plan, "VERSION", version)
        capsys.readouterr()
        assert main([*arguments, "--list"]) == 0
        assert capsys.readouterr().out.split("\t")[2].strip() == status


@pytest.mark.parametrize(
    ("options", "methods", "message"),
    [
        ([], [], "nothing to compare"),
        (["--folds", "5"], ["a"], "numbers from 0 to 4, not 5"),
        (["--folds", "x"], ["a"], "numbers from 0 to 4, not x"),
        ([], ["a", "a"], "Methods of the same name: tiny-a"),
        ([], ["missing"], "no preset"),
        (["--set", "optimisation.stepps=3"], ["a"], "stepps"),
        (["--set", "optimisation.steps=-3"], ["a"], "must be positive"),
        (["--set", "loop.devices=2"], ["a"], "--in-process cannot start"),
        (["--set", "model.name=../a"], ["a"], "cannot be a file's name"),
        (["--methods", "../a=mr-brain-x4", "--modality", "MR"], [], "'../a' cannot be a folder's name"),
        (["--reference", "b"], ["a"], "--reference b is none of the methods tiny-a"),
        (["--modality", "CT"], ["a"], "no volume of modality 'CT'"),
        (["--evaluate", "lpips=none", "fold=0"], ["a"], "--evaluate fold: that is for crossvalidate.py"),
        (["--evaluate", "lpips=none", "out=there"], ["a"], "--evaluate out"),
        (["--set", "data.fold=0"], ["a"], "--set data.fold: that is for crossvalidate.py"),
        (["--evaluate", "lpips=none", "figure-volume=x"], ["a"], "figure-volume=x: none of these folds holds it out"),
        (["--evaluate", "lpips=none", "inception=missing.pth"], ["a"], "missing.pth is not there"),
    ],
)
def test_what_cannot_work_is_refused_at_once(a_data_set, tmp_path, capsys, options, methods, message):
    assert main(command(a_data_set, tmp_path / "out", *options, methods=methods)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_figure_that_is_not_drawn_may_be_of_another_fold(a_data_set, tmp_path):
    (held_out,) = json.loads((a_data_set / "splits.json").read_text())["folds"][3]
    own = ["--folds", "0", "--list", "--interpolations", "trilinear", "--evaluate", f"figure-volume={held_out}.nii.gz"]
    assert main(command(a_data_set, tmp_path, *own, methods=[])) == 2
    assert main(command(a_data_set, tmp_path, "--no-figures", *own, methods=[])) == 0


def test_a_volume_that_stands_in_two_folds_is_refused(a_data_set, a_whole_run, tmp_path, capsys):
    out = tmp_path / "copy"
    shutil.copytree(a_whole_run, out)
    folders = [out / f"parts/trilinear/fold-{fold}/evaluation/results" for fold in (0, 1)]
    (result,) = folders[0].glob("*/*.json")
    shutil.copy(result, next(folders[1].glob("*")))
    assert main(command(a_data_set, out, *INTERPOLATIONS, "--collect")) == 2
    assert "Volumes were scored in two folds: trilinear: subject-" in capsys.readouterr().err
    assert len(rows(out)) == len(read_results(out / "all-folds")) == 20  # what was collected before is still there


def test_all_methods_begin_with_what_they_share_and_override_it(a_data_set, tmp_path):
    for name, steps in {"short": 1, "longer": 2}.items():
        (tmp_path / f"{name}.yaml").write_text(f"{{model: {{name: tiny-{name}}}, optimisation: {{steps: {steps}}}}}")
    methods = [tmp_path / "short.yaml", f"other={tmp_path / 'longer.yaml'}"]
    shared = ["--config", a_data_set / "b.yaml", "--folds", "0", "--methods", *methods]
    assert main(command(a_data_set, tmp_path / "out", *shared, methods=[])) == 0
    for name, steps in {"tiny-short": 1, "other": 2}.items():
        card = load_model(tmp_path / "out" / "parts" / name / "fold-0" / "run" / "last.safetensors").card
        assert card.training["steps"] == steps
        assert card.training["recipe"]["optimisation"]["learning_rate"] == RATES["b"]


def test_a_part_can_be_done_by_hand_from_the_files_in_its_folder(a_data_set, a_whole_run, tmp_path):
    part = a_whole_run / "parts" / "tiny-a" / "fold-1"
    assert train.main([f"--config={part / 'training.yaml'}", f"--out={tmp_path / 'run'}"]) == 0
    runs = [load_model(folder / "run" / "last.safetensors") for folder in (part, tmp_path)]
    assert runs[0].card.training["config_sha256"] == runs[1].card.training["config_sha256"]
    assert read_request(part / "evaluation.yaml").fold == 1
    assert evaluate.main([f"--config={part / 'evaluation.yaml'}", f"--out={tmp_path / 'evaluation'}"]) == 0
    found, wanted = (read_results(folder / "evaluation") for folder in (tmp_path, part))
    assert [replace(result, seconds=0) for result in found] == [replace(result, seconds=0) for result in wanted]


def test_presets_of_different_scales_or_data_are_refused(a_data_set, tmp_path, capsys):
    network = {"scale": [4, 1, 1], "num_features": 4, "num_blocks": 1, "growth": 2, "tail_features": 4}
    write_preset(a_data_set, "thick", 1e-3, network={"config": network})
    assert main(command(a_data_set, tmp_path, methods=["a", "thick"])) == 2
    assert "network.scale must be the same" in capsys.readouterr().err
    write_preset(a_data_set, "cropped", 1e-3, data={"patch_size": 6, "preparation": {"crop_foreground": True}})
    assert main(command(a_data_set, tmp_path, methods=["a", "cropped"])) == 2
    assert "data.preparation must be the same" in capsys.readouterr().err


def test_a_model_that_saw_a_held_out_volume_is_no_beginning(a_data_set, tmp_path, capsys):
    index = read_index(a_data_set / "index.json")
    entry = next(entry for entry in index.entries if entry.subject == "subject-3")
    model = a_tiny_model_file(tmp_path, training={"train": [entry.sha256]})
    assert main(command(a_data_set, tmp_path / "out", "--set", f"init_from={model}", methods=["a"])) == 2
    assert re.search(
        r"tiny-a, fold \d: init_from: tiny\.safetensors was trained on .* subject-3\.nii\.gz", capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


def test_a_signal_is_handed_to_the_process_that_works(tmp_path):
    program = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\n"
        "os.kill(os.getppid(), signal.SIGUSR1)\n"
        "time.sleep(60)\n"
    )
    with SignalRelay() as relay:
        assert relay.run([sys.executable, "-c", program]) == 75
        assert relay.asked


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_a_killed_run_leaves_no_process_behind_and_the_next_one_waits_for_it(start, tmp_path):
    """What the killed run had started holds the part until it has saved and ended."""
    child = (
        "import pathlib, signal, sys, time\n"
        "def save(*_):\n    time.sleep(0.5)\n    pathlib.Path(sys.argv[1], 'saved').touch()\n    sys.exit(75)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "pathlib.Path(sys.argv[1], 'started').touch()\n"
        "time.sleep(60)\n"
    )
    parent = (
        f"import sys, pathlib\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from Training.cross_validation.child_process import SignalRelay\nfrom Training.folder_lock import locked\n"
        "with SignalRelay() as relay, locked(pathlib.Path(sys.argv[1])) as held:\n"
        f"    relay.run([sys.executable, '-c', {child!r}, sys.argv[1]], held)\n"
    )
    process = start([sys.executable, "-c", parent, tmp_path])
    wait_for(tmp_path / "started", process)
    process.kill()
    process.wait(timeout=PATIENT)
    with locked(tmp_path):
        assert (tmp_path / "saved").exists()


def test_a_folder_that_cannot_be_made_is_told(a_data_set, tmp_path, capsys):
    (tmp_path / "out").touch()
    assert main(command(a_data_set, tmp_path / "out", "--interpolations", "trilinear", methods=[])) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_trainings_whose_last_weights_are_used_validate_at_their_end_only(a_data_set, tmp_path):
    """Those with the best ones as the preset says, and a run by them is good for the last ones too, not vice versa."""
    write_preset(
        tmp_path, "often", 1e-3, loop=json.loads((a_data_set / "a.yaml").read_text())["loop"] | {"validate_every": 2}
    )

    def validated(out, *options):
        given = command(a_data_set, out, "--folds", "0", "--methods", tmp_path / "often.yaml", *options, methods=[])
        assert main(given) == 0
        return [line["step"] for line in log_lines(out / "parts/tiny-often/fold-0/run") if "validation" in line]

    assert validated(tmp_path / "last") == [6]
    assert validated(tmp_path / "asked", "--set", "loop.validate_every=3") == [3, 6]
    assert validated(tmp_path / "best", "--weights", "best") == [2, 4, 6]
    assert validated(tmp_path / "best") == [2, 4, 6]
    given = command(a_data_set, tmp_path / "last", "--folds", "0", "--methods", tmp_path / "often.yaml", methods=[])
    assert main([*given, "--weights", "best"]) == 2
