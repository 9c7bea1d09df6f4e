"""The networks that the RRDBNet is measured against: their sizes, their grid, how far they see, their model files."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from baseline_models import SIZES, TILED, a_baseline, a_baseline_card, a_baseline_file, a_baseline_network
from torch import nn
from torch.nn import functional

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.models.checkpoint import build_network, load_model, save_model
from SuperResolution3DLib.networks.dcsrn import DCSRNet, DCSRNetConfig
from SuperResolution3DLib.networks.pixel_shuffle import pixel_shuffle
from SuperResolution3DLib.networks.rcan import RCAN, RCANConfig
from SuperResolution3DLib.networks.srresnet import SRResNet, SRResNetConfig
from SuperResolution3DLib.networks.trilinear import trilinear
from SuperResolution3DLib.volumes.geometry import sr_affine

SCALES = [(4, 4, 4), (4, 1, 1), (2, 3, 6)]
GRIDS = ["center", "corner"]


def interpolated(lr: np.ndarray, scale: tuple[int, int, int], grid: str) -> np.ndarray:
    """Interpolate by numpy alone, axis by axis, the border repeated outside."""
    for axis, factor in enumerate(scale):
        phase = {"center": (factor - 1) / 2, "corner": 0}[grid]
        position = (np.arange(lr.shape[axis] * factor) - phase) / factor
        known = np.arange(lr.shape[axis])
        lr = np.apply_along_axis(lambda line: np.interp(position, known, line), axis, lr)  # noqa: B023
    return lr


@pytest.fixture
def an_lr_volume():
    return np.random.default_rng(0).random((5, 7, 6))


# --- Sizes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "config", "parameters"),
    [
        (SRResNet, SRResNetConfig.authors(), 5_425_665),
        (SRResNet, SRResNetConfig.original(), 5_519_764),
        (SRResNet, SRResNetConfig.small(), 1_724_289),
        (DCSRNet, DCSRNetConfig.authors(), 141_816),
        (DCSRNet, DCSRNetConfig.original(), 223_584),
        (DCSRNet, DCSRNetConfig.small(), 35_916),
        (RCAN, RCANConfig.authors(), 38_493_953),
        (RCAN, RCANConfig.original(), 47_369_633),
        (RCAN, RCANConfig.small(), 1_970_453),
    ],
)
def test_the_networks_have_the_published_numbers_of_parameters(network, config, parameters):
    with torch.device("meta"):
        network = network(config)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", SCALES)
def test_each_axis_grows_by_its_factor(size, scale):
    network = a_baseline_network(a_baseline_card(size, scale))
    assert network(torch.rand(2, 1, 3, 4, 5)).shape == (2, 1, 3 * scale[0], 4 * scale[1], 5 * scale[2])


@pytest.mark.parametrize("size", SIZES)
def test_every_parameter_learns(size):
    network = a_baseline_network(a_baseline_card(size)).train()
    network(torch.rand(1, 1, 6, 6, 6)).square().sum().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_a_pixel_shuffle_in_two_dimensions_is_torchs():
    features = torch.rand(2, 12, 1, 3, 5)
    wanted = functional.pixel_shuffle(features[:, :, 0], 2)
    torch.testing.assert_close(pixel_shuffle(features, (1, 2, 2))[:, :, 0], wanted)


def test_a_pixel_shuffle_spreads_channels_in_the_order_of_the_axes():
    features = torch.arange(2 * 12).reshape(1, 24, 1, 1, 1)
    np.testing.assert_array_equal(pixel_shuffle(features, (2, 3, 2))[0], np.arange(24).reshape(2, 2, 3, 2))


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (SRResNetConfig, {"num_blocks": 0}, "num_blocks must be a whole number above 0, not 0"),
        (SRResNetConfig, {"design": "new"}, "design is modified or original, got 'new'"),
        (SRResNetConfig, {"grid": "middle"}, "grid is center or corner, got 'middle'"),
        (DCSRNetConfig, {"growth": 0}, "growth must be a whole number above 0, not 0"),
        (DCSRNetConfig, {"output_kernel": 2}, "output_kernel is 1 or 3, got 2"),
        (DCSRNetConfig, {"grid": "middle"}, "grid is center or corner, got 'middle'"),
        (DCSRNetConfig, {"scale": (5, 1, 1)}, "product of 2s and 3s"),
        (RCANConfig, {"patch_size": 0}, "patch_size must be a whole number above 0, not 0"),
        (RCANConfig, {"num_features": 8}, "num_features 8 must not be below the reduction 16"),
    ],
)
def test_a_wrong_size_is_refused_by_name(config, values, message):
    with pytest.raises(ValueError, match=message):
        config(**values)


# --- The grid --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("scale", SCALES)
def test_trilinear_is_what_numpy_interpolates(an_lr_volume, scale, grid):
    sr = trilinear(torch.from_numpy(an_lr_volume)[None, None], scale, grid)
    np.testing.assert_allclose(sr[0, 0].numpy(), interpolated(an_lr_volume, scale, grid), atol=1e-12)


def test_trilinear_on_the_center_grid_is_torchs(an_lr_volume):
    lr = torch.from_numpy(an_lr_volume)[None, None]
    wanted = functional.interpolate(lr, scale_factor=(4.0, 2.0, 3.0), mode="trilinear", align_corners=False)
    torch.testing.assert_close(trilinear(lr, (4, 2, 3), "center"), wanted)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_box_is_cut_from_the_whole_interpolation(an_lr_volume, grid):
    lr, box = torch.from_numpy(an_lr_volume), (slice(3, 9), slice(2, 5), slice(17, 24))
    torch.testing.assert_close(trilinear(lr, (4, 1, 4), grid, box), trilinear(lr, (4, 1, 4), grid)[box], rtol=0, atol=0)


def identical(network: DCSRNet) -> DCSRNet:
    """Make the network return its interpolated input."""
    nn.init.dirac_(network.conv_first.weight)
    network.silence()
    edge = network.conv_last.kernel_size[0] // 2
    with torch.no_grad():
        network.conv_last.weight[0, 0, edge, edge, edge] = 1
    return network.double()


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("scale", SCALES)
def test_dcsrnet_sees_the_volume_interpolated_on_its_grid(an_lr_volume, scale, grid):
    network = identical(a_baseline_network(a_baseline_card("dcsrn", scale, grid)))
    lr = torch.from_numpy(an_lr_volume).float().double()  # the interpolation runs in fp32
    with torch.no_grad():
        sr = network(lr[None, None])[0, 0].numpy()
    np.testing.assert_allclose(sr, interpolated(lr.numpy(), scale, grid), atol=1e-6)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("scale", SCALES)
def test_srresnet_begins_training_at_the_volume_interpolated_on_its_grid(an_lr_volume, scale, grid):
    network = a_baseline_network(a_baseline_card("srresnet", scale, grid)).double()
    network.silence()
    with torch.no_grad():
        sr = network(torch.from_numpy(an_lr_volume)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(sr, interpolated(an_lr_volume, scale, grid), atol=1e-12)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("size", ["srresnet", "dcsrn"])
def test_a_ramp_stays_where_it_was_in_mm(size, grid):
    scale, affine = (4, 4, 2), np.diag([0.5, 2.0, 3.0, 1.0])
    network = a_baseline_network(a_baseline_card(size, scale, grid))
    network = identical(network) if isinstance(network, DCSRNet) else network.double()
    if isinstance(network, SRResNet):
        network.silence()

    def millimetres(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
        k, j, i = np.indices(shape)
        r, a, s, _ = np.moveaxis(np.stack([i, j, k, np.ones(shape)], -1) @ affine.T, -1, 0)
        return r + 10 * a + 100 * s

    lr = torch.from_numpy(millimetres((5, 6, 7), affine))
    with torch.no_grad():
        sr = network(lr[None, None])[0, 0].numpy()
    inner = (slice(4, -4),) * 3  # the ramp ends at the border
    wanted = millimetres(sr.shape, sr_affine(affine, scale, grid))
    np.testing.assert_allclose(sr[inner], wanted[inner], rtol=1e-6)


# --- How far they see ------------------------------------------------------------------------------------------------


def touched(function, voxels: torch.Tensor, scale: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Return the LR voxels (first, last) of each axis whose result a change in the middle voxel touches."""
    middle = voxels.shape[-1] // 2
    changed = voxels.clone()
    changed[..., middle, middle, middle] += 1
    with torch.no_grad():
        where = ((function(voxels) - function(changed)).abs() > 0).any(dim=1)[0].nonzero()
    found = [where[:, axis] // factor - middle for axis, factor in enumerate(scale)]
    return [(int(values.min()), int(values.max())) for values in found]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("scale", [(4, 4, 4), (4, 1, 1), (2, 2, 2), (1, 3, 6)])
@pytest.mark.parametrize("size", SIZES)
def test_the_tail_sees_no_further_than_its_halo(size, scale, grid):
    card = a_baseline_card(size, scale, grid)
    network, halo = a_baseline_network(card).double(), card.footprint().tail_halo
    features = torch.rand(1, card.footprint().features, 13, 13, 13, dtype=torch.float64)
    found = touched(network.tail, features, scale)
    assert all(-reach <= first <= 0 <= last <= reach for (first, last), reach in zip(found, halo, strict=True))
    if not size.startswith("dcsrn"):  # its halo also holds the voxels that the interpolation gets wrong at an edge
        assert [last for _, last in found] == list(halo)


def test_halos_of_the_papers_baselines_at_4x():
    cards = (
        ("srresnet", SRResNetConfig.authors(), (2, 2, 2), 33),
        ("srresnet", SRResNetConfig.original(), (3, 3, 3), 37),
        ("dcsrn", DCSRNetConfig.authors(), (2, 2, 2), 0),
        ("rcan", RCANConfig.authors(), (2, 2, 2), None),
    )
    for network, config, halo, reach in cards:
        found = a_baseline_card(network, (4, 4, 4), config=asdict(config)).footprint()
        assert (found.tail_halo, found.trunk_reach) == (halo, reach)


@pytest.mark.parametrize("size", TILED)
def test_the_trunk_sees_exactly_its_reach(size):
    card = a_baseline_card(size)
    reach = card.footprint().trunk_reach
    network = a_baseline_network(card).double()
    for module in network.modules():  # so that nothing is cut off on the way
        if isinstance(module, nn.ReLU):
            module.forward = lambda features: features
    lr = torch.rand(1, 1, 2 * reach + 5, 2 * reach + 5, 2 * reach + 5, dtype=torch.float64)
    assert touched(network.trunk, lr, (1, 1, 1)) == [(-reach, reach)] * 3


def test_rcan_sees_everything():
    network = a_baseline_network(a_baseline_card("rcan")).double()
    assert touched(network.trunk, torch.rand(1, 1, 31, 31, 31, dtype=torch.float64), (1, 1, 1)) == [(-15, 15)] * 3


# --- Model files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_a_model_file_of_16_bits_holds_the_whole_network(tmp_path, size):
    card = a_baseline_card(size)
    network, path = a_baseline_network(card), tmp_path / "model.safetensors"
    assert all(tensor.is_floating_point() for tensor in network.state_dict().values())  # so that it can be averaged
    save_model(path, network.state_dict(), card)
    lr = torch.rand(1, 1, 6, 5, 7)
    with torch.no_grad():
        difference = load_model(path).network(lr) - network(lr)
    assert difference.abs().max() < 0.02 * network(lr).abs().max()


@pytest.mark.parametrize("size", ["srresnet", "dcsrn"])
def test_a_card_of_another_grid_is_refused(tmp_path, size):
    config = a_baseline_card(size, grid="corner").config
    with pytest.raises(ModelError, match="the card says grid center, the network's config corner"):
        a_baseline(tmp_path, size, config=config)


def test_two_volumes_under_one_detail_are_refused(tmp_path):
    with pytest.raises(ModelError, match="the card says skip zero-filled, but the network adds a trilinear"):
        a_baseline(tmp_path, "srresnet", skip="zero-filled")


def test_srresnet_without_its_interpolation_takes_the_zero_filled_skip_and_any_grid(tmp_path):
    config = a_baseline_card("srresnet").config | {"adds_trilinear": False}
    model = a_baseline(tmp_path, "srresnet", (2, 2, 2), "corner", skip="zero-filled", config=config)
    model.network.silence()
    assert not model.network(torch.rand(1, 1, 5, 5, 5)).any()


@pytest.mark.parametrize("size", SIZES)
def test_a_silenced_tail_returns_zeros(size):
    network = a_baseline_network(a_baseline_card(size))
    network.silence()
    assert not network.tail(network.trunk(torch.rand(1, 1, 5, 5, 5))).any()


def test_a_network_built_from_the_lists_of_a_json_file_is_the_same():
    config = a_baseline_card("rcan").config | {"scale": [4, 1, 1]}
    assert build_network("rcan", config).scale == (4, 1, 1)


def test_a_missing_batch_norm_is_refused_by_name(tmp_path):
    card = a_baseline_card("dcsrn")
    state = a_baseline_network(card).state_dict()
    del state["units.0.norm.running_mean"]
    path = a_baseline_file(tmp_path, "dcsrn")
    save_model(path, state, card)
    with pytest.raises(ModelError, match=r"lacks 1 tensors .*\(units.0.norm.running_mean\)"):
        load_model(path)
