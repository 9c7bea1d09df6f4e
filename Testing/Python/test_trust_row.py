"""The comparison's row of the trust mask: where it is drawn, what it says, and that it belongs to its report."""

import json
from pathlib import Path

import numpy as np
import pytest
from calibrated_models import a_calibrated_model_file
from drawings import grey_values, oblique_affine, written_figures

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.cli import figure as figure_module
from SuperResolution3DLib.cli.figure import MARK, FigureRow, comparison_figure
from SuperResolution3DLib.errors import ExitCode
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

SHAPE = (24, 30, 20)
SPACING = (1.5, 1.0, 1.25)  # mm along D, H, W
BLOCK = (slice(12, 20), slice(4, 14), slice(3, 12))  # voxels (D, H, W): superior, posterior, left


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch) -> None:
    monkeypatch.setattr(figure_module, "FEWEST_PIXELS", 600)


@pytest.fixture
def a_run(tmp_path, monkeypatch, a_phantom, capsys) -> Path:
    """The working folder after a run that wrote sr.nrrd, its trust.nrrd and sr.json."""
    models = tmp_path / "models"
    models.mkdir()
    a_calibrated_model_file(models)
    monkeypatch.setenv("SUPERRES3D_MODELS", str(models))
    monkeypatch.chdir(tmp_path)
    affine = oblique_affine((2, 3, 2.5)) @ np.diag([-1, 1, 1, 1])
    write_volume(Volume(a_phantom.array[:9, :11, :13].astype(np.float32), affine), tmp_path / "lr.nrrd")
    files = "lr.nrrd sr.nrrd --trust-map trust.nrrd --report sr.json"
    assert main(f"super-resolve {files} --model tiny --device cpu --precision fp32".split()) == 0
    capsys.readouterr()
    return tmp_path


def compare(arguments: str) -> int:
    return main(f"compare --lr lr.nrrd {arguments} out.png --overwrite".split())


def test_the_mark_stands_on_the_voxels_of_the_mask(tmp_path, monkeypatch) -> None:
    drawn = written_figures(monkeypatch)
    array, marked = np.full(SHAPE, 20, np.int16), np.zeros(SHAPE, bool)
    array[BLOCK] = 200
    marked[BLOCK] = True
    plain = FigureRow("SR", array, oblique_affine(SPACING))
    both = [plain, FigureRow("Trust mask", array, plain.affine, "where", marked)]
    comparison_figure(both, tmp_path / "picture.png")
    from matplotlib.image import imread

    picture = imread(tmp_path / "picture.png")[..., :3]
    height = len(picture)
    for above, below in zip(drawn[0].axes[:3], drawn[0].axes[3:], strict=True):
        (left, bottom), (_, top) = (below.get_position().min, below.get_position().max)
        rows = slice(round((1 - top) * height) + 1, round((1 - bottom) * height) - 1)
        left, right = (round(x * picture.shape[1]) for x in (left, below.get_position().max[0]))
        tinted = picture[rows, left:right]
        top = above.get_position().max[1]
        start = round((1 - top) * height) + 1
        untinted = picture[start : start + len(tinted), left:right]
        block = (untinted > 0.99).all(axis=-1)
        block &= (tinted > 0.01).all(axis=-1) | (tinted[..., 0] > 0.5)  # no letter
        np.testing.assert_allclose(np.median(tinted[block], axis=0), 0.5 + 0.5 * np.array(MARK), atol=0.01)
        yellow = tinted[..., 0] - tinted[..., 2] > 0.2
        assert (yellow & (untinted < 0.01).all(axis=-1)).sum() < 0.02 * yellow.sum()
        assert yellow.mean() == pytest.approx(block.mean(), rel=0.05)


def test_a_marked_row_sets_no_window(tmp_path, monkeypatch) -> None:
    drawn = written_figures(monkeypatch)
    plain = FigureRow("SR", np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE), oblique_affine(SPACING))
    marked = FigureRow("Trust mask", plain.array * 2, plain.affine, "", np.ones(SHAPE, bool))
    comparison_figure([plain, marked], tmp_path / "picture.png")
    assert "percentile of SR" in drawn[0].texts[-1].get_text()
    assert {panel.images[0].get_clim() for panel in drawn[0].axes} == {tuple(np.percentile(plain.array, [0.5, 99.5]))}
    with pytest.raises(ValueError, match="at least one row"):
        comparison_figure([marked], tmp_path / "picture.png")


def test_the_row_says_what_the_mask_means(a_run, monkeypatch) -> None:
    drawn = written_figures(monkeypatch)
    share = np.mean(read_volume("trust.nrrd").array >= 100)
    assert 0.02 < share < 0.98
    for hr in ("", "--hr sr.nrrd"):
        assert compare(f"--sr sr.nrrd {hr} --trust-map trust.nrrd --report sr.json") == 0
        texts = [text.get_text() for text in drawn[-1].texts]
        said = f"where the estimate\nmay be off by more\nthan 20 % of the range\n({share:.0%} of the voxels)"
        assert any(text.endswith(said) for text in texts)
        assert [text.strip() for text in texts if text.endswith("\n")] == [
            "LR",
            "SR",
            "Trust mask",
            *(["HR"] if hr else []),
        ]
        assert "\N{BLACK SQUARE}" in texts
    assert grey_values(a_run / "out.png").std() > 0


def test_the_mask_lies_on_the_voxels_of_a_part_of_the_result(a_run, monkeypatch) -> None:
    drawn = written_figures(monkeypatch)
    sr, trust = read_volume("sr.nrrd"), read_volume("trust.nrrd")
    affine = sr.affine.copy()
    affine[:, 3] = sr.affine @ [4, 5, 6, 1]
    part = (slice(6, 16), slice(5, 21), slice(4, 24))
    write_volume(Volume(sr.array[part], affine), "part.nrrd")
    assert compare("--sr part.nrrd --trust-map trust.nrrd --report sr.json") == 0
    tint = drawn[-1].axes[6].images[1].get_array()[..., 3] > 0  # axial, (H, W)
    mask = trust.array[part] >= 100
    wanted = Volume(mask.astype(np.uint8), affine).canonical().array
    assert any(np.array_equal(tint, plane) for plane in wanted)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            "--sr sr.nrrd --trust-map trust.nrrd",
            "--trust-map needs --report: the report of the run that wrote trust.nrrd",
        ),
        ("--sr sr.nrrd --report sr.json", "--report tells what a --trust-map means: give both"),
        ("--sr sr.nrrd --trust-map trust.nrrd --report gone.json", "The report gone.json cannot be read"),
        ("--sr sr.nrrd --trust-map trust.nrrd --report trust.nrrd", "cannot be read"),
        (
            "--sr sr.nrrd --trust-map trust.nrrd --report plain.json",
            "plain.json is the report of a run without a trust map",
        ),
        ("--sr sr.nrrd --trust-map other.nrrd --report sr.json", "other.nrrd marks "),
        ("--sr sr.nrrd --trust-map moved.nrrd --report sr.json", "moved.nrrd is not the trust map of this SR: "),
    ],
)
def test_what_does_not_belong_together_is_refused(a_run, capsys, arguments, sentence) -> None:
    trust = read_volume("trust.nrrd")
    write_volume(trust.with_array(255 - trust.array, trust.affine), "other.nrrd")
    affine = trust.affine.copy()
    affine[:, 3] = trust.affine @ [2, 0, 0, 1]
    write_volume(trust.with_array(trust.array, affine), "moved.nrrd")
    Path("plain.json").write_text(json.dumps(json.loads(Path("sr.json").read_text()) | {"trust": None}))
    assert compare(arguments) == ExitCode.BAD_INPUT
    assert sentence in capsys.readouterr().err
    assert not (a_run / "out.png").exists()
