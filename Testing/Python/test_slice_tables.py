"""Tables of simulated thick slices: means over modalities, and what is below consistent interpolation is marked."""

import csv
import json
import re

import numpy as np
import pytest
from models import a_through_plane_file
from training_runs import index_of, write_blobs

from SuperResolution3DLib.volumes.volume import read_volume, write_volume
from Training.evaluate import main
from Training.evaluation.simulated_slices import SliceScore
from Training.reporting.slice_tables import simulated_tables

PSNR = {"cubic": 25.0, "consistent": 26.0}


def scores_of(file, modality, ours, lpips=0.1):
    """Return what is scored on one volume: ours is the PSNR for slices every 3 and every 4 mm."""
    return [
        SliceScore(file, modality, "axial", spacing, 0.2, method, psnr, 0.9, share, 0.2, 1.0, 1.0)
        for spacing, own in zip((3.0, 4.0), ours, strict=True)
        for method, psnr, share in [*((name, value, 0.2) for name, value in PSNR.items()), ("ours", own, lpips)]
    ]


def cells(table, start):
    """Return the cells of the first row that begins so after each heading."""
    return [
        [cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines() if row.startswith(f"| {start}")
    ]


def test_the_mean_over_modalities_is_that_of_their_means():
    t1 = scores_of("a", "MR T1w", (28.0, 28.0)) + scores_of("b", "MR T1w", (30.0, 30.0))
    table = simulated_tables([*t1, *scores_of("c", "MR T2w", (27.0, 26.5), lpips=0.14)], "command")
    assert "## Mean over MR T1w, MR T2w" in table
    means, *_ = cells(table, "ours")
    assert means == ["ours", "+2.88", "+1.50", "+1.88", "+0.50", "x0.60"]  # T1 +4, T2 +1.75 over cubic
    assert cells(table, "every 4 mm, gap 20%") == [["every 4 mm, gap 20%", "+2.75", "+1.75"]]
    assert "(!)" not in table and table.count("No volume and no scan is below consistent interpolation.") == 2
    assert "Mean over" not in simulated_tables(t1, "command")


def test_what_is_below_consistent_interpolation_is_marked_and_named():
    good, bad = scores_of("good", "MR", (27.0, 27.0)), scores_of("bad", "MR", (26.5, 24.9))
    table = simulated_tables([*good, *bad], "command")
    (line,) = [line for line in table.splitlines() if line.startswith("(!)")]
    assert line == "(!) Below consistent interpolation: ours on bad, axial slices every 4 mm, gap 20%: -1.10 dB"
    gains, every_3, every_4 = cells(table, "ours")
    assert gains[3:5] == ["+0.35", "-1.10 (!)"]
    assert every_3[2] == "+0.75" and every_4[2] == "-0.05 (!)"
    assert all("(!)" not in cell for row in cells(table, "cubic") for cell in row)  # an interpolation may be


def test_without_lpips_its_cells_are_empty():
    table = simulated_tables(scores_of("a", "MR", (27.0, 27.0), lpips=None), "command")
    assert "nan" not in table and cells(table, "ours")[1][4] == ""


@pytest.fixture
def an_index(tmp_path):
    """Return the index of an isotropic volume, and of one whose slices are 2.5 mm apart."""
    for name in ("test/a", "test/b"):
        write_blobs(tmp_path, name, (36, 36, 38))
    thick = tmp_path / "data" / "test" / "b.nii.gz"
    volume = read_volume(thick)
    write_volume(volume.with_array(volume.array[::2], np.diag([1, 1, 2.5, 1.0])), thick, overwrite=True)
    index = index_of(tmp_path)
    values = json.loads(index.read_text())
    for entry in values["entries"]:
        entry["modality"] = {"a": "MR T1w 3D", "b": "MR T2w"}[entry["file"][5]]
    index.write_text(json.dumps(values))
    return index


def test_a_volume_of_thick_slices_serves_along_the_axes_of_its_pixels(an_index, tmp_path, capsys, caplog):
    words = ["--forward", "slice-profile", "--index", an_index, "--lpips", "none", "--out", tmp_path / "out"]
    words += ["--modality", "MR T1w", "MR T2w", "--plane", "axial", "coronal", "--device", "cpu", "--slice-gap", "0"]
    words += ["--slice-spacing", "4", "--model", f"ours={a_through_plane_file(tmp_path)}"]
    assert main([str(word) for word in words]) == 0
    with (tmp_path / "out" / "results.csv").open() as stream:
        scored = {(row["file"], row["modality"], row["plane"]) for row in csv.DictReader(stream)}
    assert scored == {
        ("test/a.nii.gz", "MR T1w", "axial"),
        ("test/a.nii.gz", "MR T1w", "coronal"),
        ("test/b.nii.gz", "MR T2w", "coronal"),
    }
    assert "test/b.nii.gz has no axial slices: its voxels are too coarse across them" in caplog.text
    told = capsys.readouterr().out
    assert "Pixels are 2.5 times as long as wide in coronal slices of test/b.nii.gz." in told
    assert re.search(r"## Mean over MR T1w, MR T2w\n", told)
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"figure-1.png", "figure-2.png"}
