"""The Inception network with random weights of its layout: arithmetic and loading, and the refusal of its figures."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.metrics.evaluation_protocols import compared_pair
from Training.evaluation import inception
from Training.evaluation.inception import Inception, empty_network
from Training.evaluation.picture_sets import PictureSets
from Training.evaluation.slice_pictures import SliceChoice

pytest.importorskip("torch_fidelity")


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    torch.save(empty_network().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def a_random_inception(random_weights: Path) -> Inception:
    return Inception(random_weights)


@pytest.fixture
def a_pair():
    random = np.random.default_rng(1)
    hr = random.random((40, 44, 36)).astype(np.float32)
    return compared_pair(hr + 0.1 * random.random(hr.shape).astype(np.float32), hr, "paper")


def test_four_taps_of_the_same_slices_are_given(a_random_inception: Inception, a_pair) -> None:
    found = a_random_inception.features(a_pair, SliceChoice(stride=22))
    assert [item.frechet for item in found] == ["FID 64", "FID 192", "FID 768", "FID 2048"]
    assert [item.kernel for item in found] == [None, None, None, "KID 2048"]
    assert [item.hr.shape for item in found] == [(6, width) for width in (64, 192, 768, 2048)]
    assert all(item.sr.shape == item.hr.shape and (item.sr != item.hr).any() for item in found)


def test_features_are_those_of_the_package_on_eight_bit_grey_pictures(a_random_inception: Inception, a_pair) -> None:
    found = a_random_inception.features(a_pair, SliceChoice(stride=40))
    levels = np.rint((a_pair.hr[:, 0, :] - a_pair.low) / a_pair.data_range * 255).astype(np.uint8)
    network = empty_network()
    network.load_state_dict(a_random_inception._network.state_dict())
    picture = torch.from_numpy(levels).expand(1, 3, -1, -1)
    for item, wanted in zip(found, network(picture), strict=True):
        assert item.hr[1] == pytest.approx(wanted[0].numpy(), rel=1e-3, abs=1e-5)


def test_figures_from_random_weights_are_refused(a_random_inception: Inception, a_pair) -> None:
    sets = PictureSets()
    sets.add("volume", a_random_inception.features(a_pair, SliceChoice(stride=30)))
    with pytest.raises(ModelError, match=r"No table of FID 64: random\.pth \(sha256 .*not the original FID Inception"):
        sets.figures()


def test_the_original_file_is_known_by_its_checksum(random_weights: Path, monkeypatch) -> None:
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(random_weights.read_bytes()).hexdigest())
    assert Inception(random_weights, taps=("64",)).doubt is None
    assert inception.FILE.endswith(f"{inception.ADDRESS[-12:-4]}.pth")


def test_safetensors_of_the_same_layout_are_read(a_random_inception: Inception, tmp_path) -> None:
    save_file(a_random_inception._network.state_dict(), tmp_path / "inception.safetensors")
    assert "inception.safetensors" in Inception(tmp_path / "inception.safetensors", taps=("64",)).doubt


@pytest.mark.parametrize("change", ["missing", "surplus", "shape", "not finite"])
def test_tensors_that_are_not_exactly_those_of_inception_are_refused(a_random_inception, tmp_path, change) -> None:
    tensors = dict(a_random_inception._network.state_dict())
    if change == "missing":
        del tensors["fc.bias"]
    elif change == "surplus":
        tensors["AuxLogits.weight"] = torch.zeros(1)
    elif change == "shape":
        tensors["fc.weight"] = torch.zeros(1000, 2048)  # torchvision's has 1000 classes
    else:
        tensors["fc.bias"] = torch.full((1008,), torch.nan)
    path = tmp_path / "weights.pth"
    torch.save(tensors, path)
    with pytest.raises(ModelError, match=r"weights\.pth .*Inception.*(fc\.|AuxLogits)"):
        Inception(path)


def test_a_missing_file_is_told_with_what_to_download(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"none\.pth is not there: download https://.*6726825d\.pth"):
        Inception(tmp_path / "none.pth")


class Harmful:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


def test_nothing_is_unpickled(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"fc.bias": Harmful()}, tmp_path / "harmful.pth")
    with pytest.raises(ModelError, match=r"^harmful\.pth is no file of weights"):
        Inception(tmp_path / "harmful.pth")
    assert not (tmp_path / "unpickled").exists()
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelError, match=r"list\.pth holds no weights of Inception"):
        Inception(tmp_path / "list.pth")


def test_an_unknown_tap_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="taps are 64, 192, 768, 2048, got 100"):
        Inception(tmp_path / "none.pth", taps=("100",))
