"""LPIPS over slices: which slices, in which range, and the values that others publish."""

from pathlib import Path

import numpy as np
import pytest
import torch

from SuperResolution3DLib.errors import GeometryError, ModelError, VolumeError
from SuperResolution3DLib.metrics.evaluation_protocols import compared_pair, reference
from Training.evaluation import perceptual_metrics, slice_pictures
from Training.evaluation.perceptual_metrics import Layers, Lpips

SHAPE = (40, 50, 36)


class MeanDifference(torch.nn.Module):
    """Stands for the network: the mean absolute difference of each pair, and the shapes that it was asked for.

    Its features are the mean and the first pixel of each picture.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, images: torch.Tensor) -> Layers:
        assert images.dtype == torch.float32
        self.shapes.append(tuple(images.shape))
        return Layers([images], torch.stack([images.mean(dim=(1, 2, 3)), images[:, 0, 0, 0]], dim=1))

    def distance(self, first: Layers, second: Layers) -> torch.Tensor:
        (one,), (other,) = first.normalised, second.normalised
        assert one.shape == other.shape
        return (one - other).abs().mean(dim=(1, 2, 3))


@pytest.fixture
def a_stand_in(monkeypatch) -> MeanDifference:
    network = MeanDifference()
    monkeypatch.setattr(perceptual_metrics, "_load", lambda net: network)
    return network


@pytest.fixture
def a_pair() -> tuple[np.ndarray, np.ndarray]:
    """Return an SR and an HR (40, 50, 36) that is bright everywhere."""
    random = np.random.default_rng(6)
    hr = 100 + 20 * random.random(SHAPE)
    hr[::9] = 0  # every ninth slice is dark, so that there is a foreground
    return (hr + 10 * random.random(SHAPE)).astype(np.float32), hr.astype(np.float32)


def test_each_view_is_the_mean_over_its_slices(a_stand_in: MeanDifference, a_pair) -> None:
    sr, hr = a_pair
    data_range = np.percentile(hr, 99.9)
    foreground = slice(1, 40)  # D: slice 0 is dark
    difference = 2 * np.abs((sr / data_range).clip(0, 1) - (hr / data_range).clip(0, 1))[foreground]
    scores = Lpips(stride=3, central_share=0.5).score(sr, hr)
    # 39 slices: 9.75 is left out at either end; 50: 12.5; 36: 9
    assert scores.axial == pytest.approx(difference[9:30:3].mean(axis=(1, 2)).mean(), rel=1e-5)
    assert scores.coronal == pytest.approx(difference[:, 12:38:3].mean(axis=(0, 2)).mean(), rel=1e-5)
    assert scores.sagittal == pytest.approx(difference[:, :, 9:27:3].mean(axis=(0, 1)).mean(), rel=1e-5)
    assert scores.mean == pytest.approx((scores.axial + scores.coronal + scores.sagittal) / 3)
    assert (scores.num_slices, scores.num_skipped) == (7 + 9 + 6, 0)


def test_the_paper_protocol_takes_the_whole_volume_in_the_range_of_the_hr(a_stand_in: MeanDifference, a_pair) -> None:
    sr, hr = (volume - 1000 for volume in a_pair)
    sr[3, 4, 5] = 1e5
    low, high = hr.min(), hr.max()
    difference = 2 * np.abs(sr.clip(low, high) - hr) / (high - low)
    scores = Lpips(stride=1, central_share=1).score(sr, hr, "paper")
    for view in (scores.axial, scores.coronal, scores.sagittal):
        assert view == pytest.approx(difference.mean(), rel=1e-5)  # slices of a view have the same size
    assert (scores.num_slices, scores.num_skipped) == (40 + 50 + 36, 0)


def test_the_features_are_those_of_the_same_slices_of_sr_and_hr(a_stand_in: MeanDifference, a_pair) -> None:
    sr, hr = a_pair
    lpips = Lpips(stride=5, central_share=1)
    features = lpips.compare(compared_pair(sr, hr, "paper"))[1]
    assert features.frechet == "Frechet distance, AlexNet relu5"
    assert features.doubt is None
    low, high = hr.min(), hr.max()
    wanted = [
        2 * (sr.take(n, axis).clip(low, high).mean(dtype=float) - low) / (high - low) - 1
        for axis in range(3)
        for n in range(0, sr.shape[axis], 5)
    ]
    assert features.sr[:, 0] == pytest.approx(wanted, abs=1e-5)
    assert features.hr.shape == (8 + 10 + 8, 2)


def test_slices_become_images_of_three_equal_channels(a_stand_in: MeanDifference, a_pair) -> None:
    Lpips().score(*a_pair)
    assert [shape[1:] for shape in a_stand_in.shapes] == [(3, 50, 36)] * 2 + [(3, 39, 36)] * 2 + [(3, 39, 50)] * 2


def test_batches_hold_no_more_pixels_than_allowed(a_stand_in: MeanDifference, a_pair, monkeypatch) -> None:
    expected = Lpips().score(*a_pair)
    a_stand_in.shapes.clear()
    monkeypatch.setattr(slice_pictures, "BATCH_PIXELS", 4000)
    assert Lpips().score(*a_pair).mean == pytest.approx(expected.mean, rel=1e-5)
    assert all(n * height * width <= 4000 for n, _, height, width in a_stand_in.shapes)


def test_the_slices_of_an_hr_go_through_the_network_once(a_stand_in: MeanDifference, a_pair, monkeypatch) -> None:
    sr, hr = a_pair
    part, lpips = reference(hr, "foreground"), Lpips()
    first, second = (Lpips().compare(part.pair(volume)) for volume in (sr, sr + 1))
    a_stand_in.shapes.clear()
    for wanted, volume in ((first, sr), (second, sr + 1)):
        scores, features = lpips.compare(part.pair(volume), keep_hr=True)
        assert scores == wanted[0]
        np.testing.assert_array_equal(features.hr, wanted[1].hr)
    assert len(a_stand_in.shapes) == 3 * (2 + 1)
    other = reference(hr + 1, "foreground")  # another HR is not taken for the one before
    assert lpips.compare(other.pair(sr), keep_hr=True)[0] == lpips.compare(other.pair(sr))[0] != first[0]
    a_stand_in.shapes.clear()
    monkeypatch.setattr(perceptual_metrics, "MOST_KEPT_BYTES", 0)
    assert [Lpips().compare(part.pair(sr), keep_hr=True)[0] for _ in range(2)] == [first[0]] * 2
    assert len(a_stand_in.shapes) == 3 * (2 + 2)


def test_slices_below_31_pixels_are_skipped_and_counted(a_stand_in: MeanDifference, a_pair) -> None:
    sr, hr = (volume[:, :, :30] for volume in a_pair)
    scores = Lpips(stride=1, central_share=1).score(sr, hr)
    assert (scores.axial, scores.coronal) == (None, None)
    assert scores.sagittal == scores.mean
    assert (scores.num_slices, scores.num_skipped) == (30, 39 + 50)


def test_volumes_without_a_slice_that_is_large_enough_are_refused(a_stand_in: MeanDifference, a_pair) -> None:
    sr, hr = (volume[:, :30, :30] for volume in a_pair)
    with pytest.raises(GeometryError, match=r"31 x 31 pixels, the HR's foreground has \(39, 30, 30\)"):
        Lpips().score(sr, hr)


def test_what_stands_in_a_defaced_block_does_not_matter(a_stand_in: MeanDifference, a_pair) -> None:
    sr, hr = a_pair
    hr[hr == 0] = 3
    hr[:12, :, :18] = 0
    lpips = Lpips()
    expected = lpips.score(sr, hr)
    sr[:12, :, :18] = 77
    assert lpips.score(sr, hr) == expected


def test_shapes_that_differ_and_voxels_that_are_not_finite_are_refused(a_stand_in: MeanDifference, a_pair) -> None:
    sr, hr = a_pair
    with pytest.raises(GeometryError, match=r"\(39, 50, 36\) voxels, its HR \(40, 50, 36\)"):
        Lpips().score(sr[1:], hr)
    with pytest.raises(VolumeError, match="constant"):
        Lpips().score(sr, np.full_like(hr, 3))
    sr[0, 1, 2] = np.inf
    with pytest.raises(VolumeError, match="1 of 72000 voxels that are not finite"):
        Lpips().score(sr, hr)


@pytest.mark.parametrize("arguments", [{"net": "resnet"}, {"stride": 0}, {"central_share": 0}, {"central_share": 1.5}])
def test_arguments_out_of_range_are_refused(arguments) -> None:
    with pytest.raises(ValueError, match=r"one of alex, squeeze, vgg|stride of 1 or more"):
        Lpips(**arguments)


def test_missing_weights_are_told_with_what_to_do_and_never_downloaded(tmp_path: Path, monkeypatch) -> None:
    downloads: list[object] = []
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *args, **kwargs: downloads.append(args))
    with pytest.raises(
        ModelError, match=r"alexnet-owt-7be5be79\.pth .*is not there.* into .*hub/checkpoints.*TORCH_HOME"
    ):
        Lpips()
    assert downloads == []


def test_damaged_weights_are_told(tmp_path: Path, monkeypatch) -> None:
    checkpoint = tmp_path / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"cut short")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ModelError, match=r"alexnet-owt-7be5be79\.pth of torchvision, a file that could not be loaded"):
        Lpips()


def test_squeeze_gives_the_values_that_torchmetrics_documents(shared_weights: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("TORCH_HOME", str(shared_weights / "torch_home"))
    torch.manual_seed(42)
    first, second = torch.rand(2, 3, 100, 100) * 2 - 1, torch.rand(2, 3, 100, 100) * 2 - 1
    assert Lpips("squeeze").distance(first, second).tolist() == pytest.approx([0.1024, 0.0938], abs=5e-5)
    assert capsys.readouterr().out == ""


@pytest.mark.filterwarnings("ignore::UserWarning")  # the package calls torchvision by an old signature
@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_distances_equal_those_of_the_package(shared_weights: Path, monkeypatch, net) -> None:
    monkeypatch.setenv("TORCH_HOME", str(shared_weights / "torch_home"))
    package = pytest.importorskip("lpips").LPIPS(net=net, verbose=False)
    generator = torch.Generator().manual_seed(1)
    first, second = (2 * torch.rand(3, 1, 45, 64, generator=generator) - 1 for _ in range(2))
    wanted = package(first.expand(-1, 3, -1, -1), second.expand(-1, 3, -1, -1)).flatten()
    torch.testing.assert_close(Lpips(net).distance(first, second), wanted, rtol=1e-5, atol=1e-6)


def test_features_are_relu5_of_torchvision_s_alexnet(shared_weights: Path, monkeypatch, a_pair) -> None:
    monkeypatch.setenv("TORCH_HOME", str(shared_weights / "torch_home"))
    models = pytest.importorskip("torchvision.models")
    sr, hr = a_pair
    features = Lpips(stride=60, central_share=1).compare(compared_pair(sr, hr, "paper"))[1]
    images = torch.from_numpy((hr[0] - hr.min()) / (hr.max() - hr.min())).expand(1, 3, -1, -1)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        network = models.alexnet(weights=models.AlexNet_Weights.IMAGENET1K_V1).features[:12]
        wanted = network((images - mean) / std).mean(dim=(2, 3))[0]
    assert features.hr.shape == (3, 256)
    torch.testing.assert_close(torch.from_numpy(features.hr[0]), wanted, rtol=1e-3, atol=1e-3)


def test_alex_finds_equal_volumes_alike_and_noise_unlike(shared_weights: Path, monkeypatch, a_pair) -> None:
    monkeypatch.setenv("TORCH_HOME", str(shared_weights / "torch_home"))
    lpips = Lpips(stride=16)
    sr, hr = a_pair
    assert lpips.score(hr, hr).mean == pytest.approx(0, abs=1e-6)
    assert lpips.score(sr, hr).mean > 0.001
    assert "LPIPS v0.1 (alex)" in lpips.describe()
