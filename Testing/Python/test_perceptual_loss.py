"""The 2.5D perceptual loss against a plain computation, its memory, and the refusal of anything but real weights."""

from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import l1_loss
from torchvision.models.vgg import cfgs, make_layers
from training_runs import GAN, arguments, make_index, make_vgg19

from SuperResolution3DLib.errors import ModelError
from Training.config import PerceptualConfig
from Training.train import main as train
from Training.trainer.losses import pixel_loss
from Training.trainer.objective import slice_generator
from Training.trainer.perceptual_loss import IMAGENET_MEAN, IMAGENET_STD, PerceptualLoss
from Training.trainer.vgg19 import Vgg19Features, layer_index, load_vgg19


@pytest.fixture(scope="module")
def a_network():
    """VGG19 with random weights, which the loader would refuse; only its arithmetic is looked at."""
    torch.manual_seed(0)
    return Vgg19Features(["relu1_2", "relu2_1"])


@pytest.fixture
def sr_and_hr():
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(2, 1, 6, 8, 10, generator=generator) for _ in range(2))


def plain_loss(network, config, sr, hr):
    """The definition: every slice of every view, one after the other, differentiated by autograd."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    views = []
    for axis in (2, 3, 4):
        values = []
        for patch in range(len(sr)):
            for number in range(sr.shape[axis]):
                images = [
                    (volume[patch : patch + 1].select(axis, number).expand(-1, 3, -1, -1) - mean) / std
                    for volume in (sr, hr)
                ]
                given, wanted = (network(image) for image in images)
                values.append(sum(w * l1_loss(given[name], wanted[name]) for name, w in config.layers.items()))
        views.append(torch.stack(values).mean())
    total = torch.stack(views)
    return total.sum() if config.views == "sum" else total.mean()


@pytest.mark.parametrize(("chunk", "views"), [(1, "mean"), (7, "sum"), (1000, "mean")])
def test_value_and_gradient_equal_the_plain_computation(a_network, sr_and_hr, chunk, views):
    sr, hr = sr_and_hr
    config = PerceptualConfig(layers={"relu1_2": 1.0, "relu2_1": 0.3}, views=views, chunk=chunk)
    first, second = sr.clone().requires_grad_(True), sr.clone().requires_grad_(True)
    loss = PerceptualLoss(config, a_network)(first, hr, torch.Generator())
    wanted = plain_loss(a_network, config, second, hr)
    torch.testing.assert_close(loss, wanted, rtol=1e-5, atol=0)
    (3 * loss).backward()
    (3 * wanted).backward()
    # A difference of features that is zero but for rounding has either sign, so single voxels differ.
    assert (first.grad - second.grad).norm() < 1e-3 * second.grad.norm()


def test_the_loss_of_equal_volumes_is_zero(a_network, sr_and_hr):
    _, hr = sr_and_hr
    assert PerceptualLoss(PerceptualConfig(layers={"relu1_2": 1.0}), a_network)(hr, hr, torch.Generator()) == 0


def test_the_network_is_not_trained(a_network, sr_and_hr):
    sr, hr = sr_and_hr
    loss = PerceptualLoss(PerceptualConfig(layers={"relu1_2": 1.0}), a_network)
    loss(sr.requires_grad_(True), hr, torch.Generator()).backward()
    assert sr.grad is not None and sr.grad.abs().max() > 0
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in loss.parameters())


def test_a_fraction_of_the_slices_is_a_function_of_the_generator(a_network, sr_and_hr):
    sr, hr = sr_and_hr
    loss = PerceptualLoss(PerceptualConfig(layers={"relu1_2": 1.0}, slice_fraction=0.3), a_network)
    values = [loss(sr, hr, torch.Generator().manual_seed(seed)).item() for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]


def test_memory_does_not_grow_with_the_number_of_slices(a_network):
    """What is kept for backward passes at any one time is the activations of one chunk."""
    loss = PerceptualLoss(PerceptualConfig(layers={"relu2_1": 1.0}, chunk=4), a_network)
    peaks = [peak_of_saved_elements(loss, torch.rand(patches, 1, 8, 8, 8)) for patches in (1, 4)]
    assert 0 < peaks[1] <= 1.01 * peaks[0]


def peak_of_saved_elements(loss, volume):
    live, peak = 0, 0

    class Kept:
        def __init__(self, tensor):
            nonlocal live, peak
            self.tensor = tensor
            live += tensor.numel()
            peak = max(peak, live)

        def __del__(self):
            nonlocal live
            live -= self.tensor.numel()

    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        loss(volume.requires_grad_(True), torch.rand_like(volume), torch.Generator())
    return peak


@pytest.mark.parametrize(
    ("name", "index"), [("relu1_1", 1), ("relu1_2", 3), ("relu2_1", 6), ("relu3_4", 17), ("relu5_4", 35)]
)
def test_layers_have_torchvision_s_numbers(name, index):
    assert layer_index(name) == index


def test_a_layer_that_vgg19_does_not_have_is_refused():
    with pytest.raises(ValueError, match="no layer 'relu2_3'"):
        PerceptualConfig(layers={"relu2_3": 1.0})


def test_features_equal_torchvision_s():
    torch.manual_seed(0)
    whole = make_layers(cfgs["E"]).eval()
    network = Vgg19Features(["relu2_2", "relu3_1"])
    network.features.load_state_dict(
        {key: value for key, value in whole.state_dict().items() if key in network.features.state_dict()}
    )
    images = torch.rand(1, 3, 32, 40)
    given = network(images)
    torch.testing.assert_close(given["relu2_2"], whole[:9](images))
    torch.testing.assert_close(given["relu3_1"], whole[:12](images))


def test_missing_weights_are_refused_and_never_random(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("downloaded unasked"))
    with pytest.raises(ModelError, match=r"vgg19-dcbb9e9d\.pth is not there: download https"):
        load_vgg19(["relu1_1"], None, download=False)


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"features.0.weight": torch.zeros(64, 1, 3, 3)}, path)
    with pytest.raises(ModelError, match=r"features\.0\.weight has shape \(64, 1, 3, 3\), wanted \(64, 3, 3, 3\)"):
        load_vgg19(["relu1_1"], path, download=False)
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, path)
    with pytest.raises(ModelError, match=r"tensor features\.0\.bias is missing"):
        load_vgg19(["relu1_1"], path, download=False)
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be read"):
        load_vgg19(["relu1_1"], path, download=False)
    with pytest.raises(ModelError, match="is not there"):
        load_vgg19(["relu1_1"], tmp_path / "absent.pth", download=False)


def test_a_pickled_program_is_not_run(tmp_path):
    class Program:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    torch.save(Program(), tmp_path / "weights.pth")
    with pytest.raises(ModelError, match=r"^weights\.pth is no file of weights \(\.pth or \.safetensors\)$"):
        load_vgg19(["relu1_1"], tmp_path / "weights.pth", download=False)
    (tmp_path / "table.tsv").write_text("subject\tfile\n")
    with pytest.raises(ModelError, match=r"^table\.tsv is no file of weights"):
        load_vgg19(["relu1_1"], tmp_path / "table.tsv", download=False)


@pytest.mark.parametrize("error", [URLError("no network"), RuntimeError("invalid hash value")])
def test_a_download_that_fails_is_told_in_a_sentence(tmp_path, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(ModelError, match=r"vgg19-dcbb9e9d\.pth could not be fetched: .*(no network|invalid hash)"):
        load_vgg19(["relu1_1"], None, download=True)


def test_torchvision_s_and_8_bit_files_are_read(tmp_path):
    torch.manual_seed(0)
    network = Vgg19Features(["relu1_1"])
    torch.save(network.state_dict(), tmp_path / "vgg19-dcbb9e9d.pth")
    loaded = load_vgg19(["relu1_1"], tmp_path / "vgg19-dcbb9e9d.pth", download=False)
    torch.testing.assert_close(loaded.state_dict(), network.state_dict())
    assert loaded.source.name == "VGG19, torchvision IMAGENET1K_V1"
    weight = network.features[0].weight.detach()
    scale, least = (weight.max() - weight.min()) / 255, weight.min()
    tensors = {
        "features.0.weight": ((weight - least) / scale).round().to(torch.uint8),
        "features.0.weight.scale_min": torch.stack([scale, least]),
        "features.0.bias": network.features[0].bias.detach(),
    }
    save_file(tensors, tmp_path / "small.safetensors", metadata={"source": "a test"})
    loaded = load_vgg19(["relu1_1"], tmp_path / "small.safetensors", download=False)
    assert (loaded.features[0].weight - weight).abs().max() <= scale
    assert loaded.source.name == "VGG19, a test"


def test_the_shared_weights_respond_to_edges(shared_weights):
    network = load_vgg19(["relu5_4"], shared_weights / "vgg19_features.uint8.safetensors", download=False)
    assert "VGG19" in network.source.name and len(network.source.sha256) == 64
    sharp = torch.zeros(1, 1, 32, 32, 32)
    sharp[..., 8:24, 8:24, 8:24] = 1
    blurred = torch.nn.functional.avg_pool3d(sharp, 5, stride=1, padding=2)
    slightly = torch.nn.functional.avg_pool3d(sharp, 3, stride=1, padding=1)
    loss = PerceptualLoss(PerceptualConfig(slice_fraction=0.2), network)
    values = [loss(volume, sharp, torch.Generator().manual_seed(0)).item() for volume in (slightly, blurred)]
    assert 0 < values[0] < values[1]


def test_the_pixel_loss_leaves_out_what_was_not_measured():
    sr, hr, measured = torch.rand(2, 1, 3, 4, 5), torch.rand(2, 1, 3, 4, 5), torch.ones(2, 1, 3, 4, 5)
    measured[0, :, 0] = 0
    wanted = ((sr - hr).abs()[0, :, 1:].mean() + (sr - hr).abs()[1].mean()) / 2
    torch.testing.assert_close(pixel_loss(sr, hr, measured), wanted)
    assert pixel_loss(sr, hr, torch.zeros_like(sr)) == 0


def test_each_backward_pass_of_each_process_draws_its_own_slices(a_network):
    loss = PerceptualLoss(PerceptualConfig(layers={"relu1_2": 1.0}, slice_fraction=0.5), a_network)
    places = [(step, number, process) for step in range(3) for number in range(2) for process in range(2)]
    drawn = {place: tuple(loss._choose(40, slice_generator(7, *place)).tolist()) for place in places}
    assert len(set(drawn.values())) == len(places)
    assert all(drawn[place] == tuple(loss._choose(40, slice_generator(7, *place)).tolist()) for place in places)
    assert drawn[0, 0, 0] != tuple(loss._choose(40, slice_generator(8, 0, 0, 0)).tolist())


def test_a_run_draws_its_slices_by_step_backward_pass_and_process(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "Training.trainer.objective.slice_generator",
        lambda *place: asked.append(place) or slice_generator(*place),
    )
    options = GAN | {"loss.perceptual.weights": make_vgg19(tmp_path), "optimisation.accumulate": 2, "seed": 3}
    assert train(arguments(make_index(tmp_path), tmp_path / "run", **options, **{"optimisation.steps": 2})) == 0
    assert asked == [(3, 0, 0, 0), (3, 0, 1, 0), (3, 1, 0, 0), (3, 1, 1, 0)]
