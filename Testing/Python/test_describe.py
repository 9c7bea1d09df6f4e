"""A model's page: written from its header and an evaluation, complete, and refused where the two do not fit."""

import json
from pathlib import Path

import numpy as np
import pytest
from models import a_tiny_model_file
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
    model = a_model(tmp_path, an_index_file, metrics={"validation": {"protocol": "x", "cubic": {"psnr": 20.5}}})
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
    assert "| cubic | 20.5 |" in page
    assert "No trust mask was calibrated" in page
    assert "- Thin walls vanish.\n- Least gain over zero-filled: " in page
    assert "](tiny-failures.png)" in page
    assert (out / "tiny-failures.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "tiny-failures.png").stat().st_size < 150_000
    assert str(tmp_path) not in page


def test_a_header_alone_makes_a_page(tmp_path, an_index_file):
    assert describe.main([str(a_model(tmp_path, an_index_file)), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "tiny.md").read_text()
    assert "## Ranges" in page and "## Known failures" not in page


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
