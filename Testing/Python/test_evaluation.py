"""All figures of a volume under their names, with an independent value for each where there is one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.forward.kspace import degrade, zero_fill
from SuperResolution3DLib.metrics.metrics import score
from Training.evaluation.perceptual_metrics import Lpips
from Training.evaluation.picture_sets import PictureSets
from Training.evaluation.volume_scores import Evaluation, EvaluationConfig, Measured, residual_percent

SCALE = (2, 4, 2)
SHAPE = (40, 48, 36)
SPACING = (1.2, 0.8, 1.0)


@pytest.fixture(scope="module")
def an_hr() -> np.ndarray:
    """Return a textured box of about 100 in noisy air, (40, 48, 36) float32."""
    random = np.random.default_rng(3)
    hr = np.abs(2 * random.standard_normal(SHAPE))
    hr[4:-4, 5:-6, 3:-3] += 80 + 30 * random.random((32, 37, 30))
    return hr.astype(np.float32)


@pytest.fixture(scope="module")
def the_measured(an_hr: np.ndarray) -> Measured:
    return Measured(degrade(an_hr, SCALE), SCALE)


@pytest.fixture(scope="module")
def an_sr(the_measured: Measured) -> np.ndarray:
    return zero_fill(the_measured.lr, SCALE)


@pytest.fixture
def without_networks() -> Evaluation:
    return Evaluation(EvaluationConfig(lpips=None))


def test_figures_are_those_of_the_single_metrics(without_networks: Evaluation, an_sr, an_hr, the_measured) -> None:
    result = without_networks.score(an_sr, an_hr, SPACING, the_measured)
    assert list(result.figures) == [
        *(f"paper/{name}" for name in ("psnr", "ssim", "ssim_uniform", "ssim_slices")),
        *(f"paper/ssim_{view}" for view in ("axial", "coronal", "sagittal")),
        "foreground/psnr",
        "foreground/ssim",
        *("fsc_0.5", "fsc_0.143", "residual_percent", "added_detail", "tissue_dice", "core_volume_error"),
    ]
    assert all(isinstance(value, float) for value in result.figures.values())
    for protocol in ("paper", "foreground"):
        wanted = score(an_sr, an_hr, protocol)
        assert result.figures[f"{protocol}/psnr"] == wanted.psnr
        assert result.figures[f"{protocol}/ssim"] == wanted.ssim
    assert result.figures["residual_percent"] == pytest.approx(0, abs=1e-3)  # zero-filling agrees with its LR
    assert result.figures["added_detail"] == pytest.approx(0, abs=1e-6)
    assert result.figures["fsc_0.5"] == result.shells.cutoff(0.5)
    assert result.features == []


def test_an_sr_that_never_falls_below_gets_the_highest_frequency(without_networks: Evaluation, an_hr) -> None:
    result = without_networks.score(an_hr, an_hr, SPACING)
    assert result.shells.cutoff(0.5) is None
    assert result.figures["fsc_0.5"] == result.shells.frequency[-1]
    assert result.figures["paper/psnr"] == np.inf
    assert "residual_percent" not in result.figures


def test_residual_is_in_percent_of_the_lr_s_range(an_sr, the_measured) -> None:
    low, high = np.percentile(the_measured.lr, [0.5, 99.5])
    shifted = an_sr + np.float32((high - low) * 0.03)
    assert residual_percent(shifted, the_measured) == pytest.approx(3, rel=1e-3)
    with pytest.raises(GeometryError, match=r"\(39, 48, 36\) voxels, its LR of \(20, 12, 18\) at scale \(2, 4, 2\)"):
        residual_percent(shifted[1:], the_measured)


def test_lpips_and_its_features_stand_under_each_protocol(shared_weights: Path, monkeypatch, an_sr, an_hr) -> None:
    monkeypatch.setenv("TORCH_HOME", str(shared_weights / "torch_home"))
    evaluation = Evaluation(EvaluationConfig(stride=8, fourier_shell=False))
    result = evaluation.score(an_sr, an_hr, SPACING)
    for protocol in ("paper", "foreground"):
        wanted = Lpips(stride=8, central_share=1).score(an_sr, an_hr, protocol)
        assert result.figures[f"{protocol}/lpips"] == pytest.approx(wanted.mean)
        assert result.figures[f"{protocol}/lpips_sagittal"] == pytest.approx(wanted.sagittal)
    assert result.figures["paper/lpips_slices"] == 5 + 6 + 5
    sets = PictureSets()
    sets.add("one", result.features)
    assert [name for name in sets.figures() if "slices" not in name] == [
        "paper/Frechet distance, AlexNet relu5",
        "foreground/Frechet distance, AlexNet relu5",
    ]
    assert any("FID and KID are left out" in line for line in evaluation.describe())


def test_volumes_too_small_for_lpips_are_counted_and_scored_without_it(
    shared_weights: Path, monkeypatch, an_sr, an_hr
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(shared_weights / "torch_home"))
    figures = Evaluation().score(an_sr[:30, :30, :30], an_hr[:30, :30, :30], SPACING).figures
    assert "paper/lpips" not in figures
    assert figures["paper/lpips_slices"] == 0
    assert figures["paper/lpips_skipped"] == 90
    assert figures["paper/psnr"] > 0


def test_inception_s_features_stand_under_each_protocol(tmp_path, an_sr, an_hr) -> None:
    pytest.importorskip("torch_fidelity")
    from Training.evaluation.inception import empty_network

    torch.save(empty_network().state_dict(), tmp_path / "random.pth")
    evaluation = Evaluation(
        EvaluationConfig(("paper",), lpips=None, inception=tmp_path / "random.pth", fourier_shell=False)
    )
    crop = (slice(14, 25),) * 3
    features = evaluation.score(an_sr[crop], an_hr[crop], SPACING).features
    assert [item.frechet for item in features] == [f"paper/FID {tap}" for tap in (64, 192, 768, 2048)]
    assert features[-1].kernel == "paper/KID 2048"
    assert features[-1].hr.shape == (3 * 11, 2048)
    assert "random.pth" in features[0].doubt


def test_an_hr_without_detail_is_scored_but_for_the_added_detail(without_networks: Evaluation, an_hr) -> None:
    lr = degrade(an_hr.astype(np.float64), SCALE)
    smooth = zero_fill(lr, SCALE)
    scores = without_networks.score(smooth + 1e-3 * an_hr, smooth, SPACING, Measured(lr, SCALE))
    assert "added_detail" not in scores.figures
    assert scores.figures["residual_percent"] > 0
    assert scores.notes[0].startswith("added detail is left out: The HR has no detail above the Nyquist frequency")


def test_conventions_are_lines_of_text(without_networks: Evaluation) -> None:
    lines = without_networks.describe()
    assert all("\n" not in line for line in lines)
    for word in ("Protocol paper", "Protocol foreground", "Fourier shell", "Data consistency", "Added detail"):
        assert sum(line.startswith(word) for line in lines) == 1


def test_what_cannot_be_scored_is_refused(without_networks: Evaluation, an_sr, an_hr) -> None:
    with pytest.raises(VolumeError, match="HR is constant"):
        without_networks.score(an_sr, np.ones(SHAPE), SPACING)
    with pytest.raises(VolumeError, match="SR has 69120 of 69120 voxels that are not finite"):
        without_networks.score(np.full(SHAPE, np.nan), an_hr, SPACING)
    with pytest.raises(ValueError, match="each once, got"):
        EvaluationConfig(protocols=("paper", "paper"))
