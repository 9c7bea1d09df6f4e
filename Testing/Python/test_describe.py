"""A model's page: written from its header and an evaluation, complete, and refused where the two do not fit."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from calibrated_models import a_calibrated_model_file
from models import a_through_plane_file, a_tiny_model_file
from training_runs import index_of, write_blobs

from SuperResolution3DLib.metrics.scanning_rings import EDGE, RingPatch
from Training import describe, evaluate
from Training.data.index import read_index
from Training.reporting.failures_figure import worst_patches

QUICK = ("--lpips", "none", "--device", "cpu", "--precision", "fp32", "--threads", "1", "--no-report")


@pytest.fixture
def an_index_file(tmp_path: Path) -> Path:
    for name, shape in (("train/a", (20, 24, 20)), ("test/b", (56, 52, 54)), ("test/c", (54, 56, 52))):
        write_blobs(tmp_path, name, shape)
    return index_of(tmp_path)


def a_model(folder: Path, index: Path, **fields) -> Path:
    seen = [entry.sha256 for entry in read_index(index).entries if entry.split == "train"]
    training = {"train": [*seen, "0" * 64], "volumes": {"train": {"MR": 2}}, "command": "python Training/train.py"}
    return a_tiny_model_file(folder, training=training, **fields)


def test_a_page_holds_header_evaluation_curve_licences_and_the_worst_patches(tmp_path, an_index_file):
    model = a_model(
        tmp_path, an_index_file, metrics={"validation": {"protocol": "x", "cubic": {"psnr": 20.5, "lpips": 0.25}}}
    )
    options = ["--index", str(an_index_file), "--model", str(model), "--interpolations", "zero-filled", "--ensemble"]
    assert evaluate.main([*options, *QUICK, "--out", str(tmp_path / "evaluation")]) == 0
    log = tmp_path / "log.jsonl"
    lines = [{"step": 1, "seconds": 3600.0}, {"step": 1, "validation_psnr": 25.5, "validation_ssim": 0.75}]
    log.write_text("\n".join(map(json.dumps, lines)))
    sha256 = next(entry.sha256 for entry in read_index(an_index_file).entries if entry.split == "train")
    table = tmp_path / "table.tsv"
    table.write_text(f"file\tlicence\tsha256\na\tCC0-1.0; LICENSE\t{sha256}\n")
    given = ["--evaluation", str(tmp_path / "evaluation"), "--log", str(log), str(log), "--table", str(table)]
    out = tmp_path / "pages"
    assert describe.main([str(model), *given, "--failure", "Thin walls vanish.", "--out", str(out)]) == 0
    page = (out / "tiny.md").read_text()
    assert page.startswith("# tiny\n")
    assert "**For research use only, not for diagnosis.**" in page
    assert "| CC0-1.0 | 1 |" in page and "| not in the table | 1 |" in page
    for row in ("zero-filled", "tiny", "tiny, ensemble"):
        assert f"\n| {row} |" in page
    assert "`--ensemble` gains " in page
    assert "| 1 | 1 | 25.5 | 0.75 |" in page and "| 1 | 2 | 25.5 | 0.75 |" in page
    assert "| cubic | 0.25 | 20.5 |\n\nIts LPIPS is of the slices in the central 60 %" in page
    assert "No trust mask was calibrated" in page
    assert "- Thin walls vanish.\n- Least gain over zero-filled: " in page
    assert "](tiny-failures.png)" in page
    assert (out / "tiny-failures.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "tiny-failures.png").stat().st_size < 150_000
    assert str(tmp_path) not in page


def test_a_model_for_slices_has_its_baselines_and_worst_patches_on_its_page(tmp_path, an_index_file, capsys):
    model = a_through_plane_file(tmp_path)
    options = ["--forward", "slice-profile", "--index", an_index_file, "--model", model, "--slice-spacing", "4,5"]
    options += ["--slice-gap", "0.2", "--lpips", "none", "--device", "cpu", "--precision", "fp32"]
    out = tmp_path / "evaluation"
    words = [str(word) for word in [*options, "--out", out]]
    assert evaluate.main([*words, "--figure-volume", "test/x.nii.gz"]) == 2
    assert "--figure-volume test/x.nii.gz is none of test/b.nii.gz, test/c.nii.gz" in capsys.readouterr().err
    assert evaluate.main([*words, "--figure-volume", "test/c.nii.gz"]) == 0
    with (out / "results.csv").open() as stream:
        psnr = {(r["file"], r["spacing"], r["method"]): float(r["psnr"]) for r in csv.DictReader(stream)}
    gains = {key: psnr[key] - psnr[*key[:2], "consistent"] for key in psnr if key[2] == "between"}
    file, spacing, _ = min(gains, key=gains.__getitem__)
    assert describe.main([str(model), "--evaluation", str(out), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "between.md").read_text()
    assert "Slices every 4, 5 mm, gap 20%; PSNR and SSIM of voxels without a slice's centre, mean of 2 volumes:" in page
    for method in ("nearest", "linear", "cubic", "consistent", "between", "between, projected"):
        mean = np.mean([value for key, value in psnr.items() if key[2] == method])
        assert f"\n| {method} | {mean:.5g} |" in page
    least = f"{min(gains.values()):+.2f} dB on {file}, axial slices every {float(spacing):g} mm, gap 20%."
    assert f"- Least gain over consistent interpolation: {least}" in page
    assert "](between-failures.png)" in page
    assert (tmp_path / "between-failures.png").read_bytes().startswith(b"\x89PNG")
    assert describe.main([str(model), "--evaluation", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "is no folder of an evaluation on simulated slices" in capsys.readouterr().err


def test_a_header_alone_makes_a_page(tmp_path, an_index_file):
    assert describe.main([str(a_model(tmp_path, an_index_file)), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "tiny.md").read_text()
    assert "## Ranges" in page and "## Known failures" not in page


def test_a_blends_page_tells_what_both_models_were_trained_on(tmp_path):
    def of(command: str) -> dict:
        return {"name": "x", "training": {"volumes": {"train": {"MR": 2}}, "command": command, "hours": 3}}

    blend = {"alpha": 0.85, "first": of("train.py A"), "second": of("train.py B")}
    model = a_tiny_model_file(tmp_path, training={"blend": blend, "note": "Seen."})
    assert describe.main([str(model), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "tiny.md").read_text()
    assert page.count("Train: 2 MR; each volume's sha256 stands in the card.") == 1
    assert "Recipe of 85% of the weights: `train.py B`; 3 hours." in page
    assert "Recipe of 15% of the weights: `train.py A`; 3 hours." in page
    assert "Note: Seen." in page


def test_a_page_says_in_words_what_the_trust_mask_does_on_the_test(tmp_path):
    figures = {"volumes": 5, "coverage": 0.946, "caught": 0.72, "rank_correlation_around": 0.85}
    model = a_calibrated_model_file(tmp_path, metrics={"trust mask, test": figures})
    assert describe.main([str(model), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "tiny.md").read_text()
    assert "with second) marks where the estimate may be off by more than 20% of the intensity range" in page
    for row in (
        "| volumes | 5 |",
        "| outside the mask, off by no more than the bound | 0.946 |",
        "| of all voxels that are off by more, those in the mask | 0.72 |",
        "| rank correlation of the caution with the errors around | 0.85 |",
    ):
        assert row in page
    assert "caught" not in page and "rank_correlation" not in page


def test_what_cannot_be_described_is_refused(tmp_path, an_index_file, capsys):
    model = a_model(tmp_path, an_index_file)
    options = ["--index", str(an_index_file), "--model", f"other={model}", *QUICK, "--no-figures"]
    assert evaluate.main([*options, "--out", str(tmp_path / "evaluation")]) == 0
    capsys.readouterr()
    damaged = tmp_path / "damaged"
    damaged.write_text("{")
    for option, path, message in (
        ("--evaluation", tmp_path / "evaluation", "has no row tiny, only other"),
        ("--table", damaged, "lacks the columns licence, sha256"),
        ("--log", damaged, "is no log of a training"),
    ):
        assert describe.main([str(model), option, str(path), "--out", str(tmp_path)]) == 2
        assert message in capsys.readouterr().err


def test_the_worst_patches_do_not_show_the_same():
    rng = np.random.default_rng(0)
    patches = [
        RingPatch(view, number, (row, 0), float(rng.random()))
        for view in ("axial", "coronal")
        for number in (12, 36, 84)
        for row in (0, 24, 48)
    ]
    chosen = worst_patches(patches, lambda patch: 0.0, 4)
    assert chosen[0] == min(patches, key=lambda patch: patch.crossing)
    largest = worst_patches(patches, lambda patch: patch.crossing, 4)
    assert largest[0] == sorted(patches, key=lambda patch: patch.crossing)[3]  # of the four that agree least
    for index, one in enumerate(chosen):
        for other in chosen[:index]:
            apart = one.view != other.view or abs(one.number - other.number) >= EDGE
            assert apart or abs(one.corner[0] - other.corner[0]) >= EDGE
