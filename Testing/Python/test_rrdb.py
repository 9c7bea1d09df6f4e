"""The generator: the paper's size, any scale, and where its tail looks."""

import pytest
import torch
from models import a_tiny_card

from SuperResolution3DLib.inference.memory_plan import tail_halo
from SuperResolution3DLib.networks.rrdb import RRDBConfig, RRDBNet
from SuperResolution3DLib.volumes.scale import upsampling_stages


def a_tiny_network(scale: tuple[int, int, int]) -> RRDBNet:
    torch.manual_seed(0)
    return RRDBNet(RRDBConfig(scale=scale, num_features=4, num_blocks=1, growth=2, tail_features=3)).double()


def test_the_papers_network_has_50_059_905_parameters():
    assert sum(parameter.numel() for parameter in RRDBNet().parameters()) == 50_059_905


@pytest.mark.parametrize("scale", [(4, 4, 4), (4, 1, 1), (2, 3, 6), (1, 9, 2)])
def test_each_axis_grows_by_its_factor(scale):
    sr = a_tiny_network(scale)(torch.rand(2, 1, 3, 4, 5, dtype=torch.float64))
    assert sr.shape == (2, 1, 3 * scale[0], 4 * scale[1], 5 * scale[2])


def test_stages_are_split_per_axis():
    assert upsampling_stages((4, 4, 4)) == [(2, 2, 2), (2, 2, 2)]
    assert upsampling_stages((4, 1, 1)) == [(2, 1, 1), (2, 1, 1)]
    assert upsampling_stages((6, 4, 1)) == [(2, 2, 1), (3, 2, 1)]


@pytest.mark.parametrize("scale", [(5, 1, 1), (1, 1, 1), (4, 0, 4), (4, -2, 4)])
def test_a_scale_that_is_no_product_of_2s_and_3s_is_refused(scale):
    with pytest.raises(ValueError, match=r"product of 2s and 3s|enlarges no axis"):
        upsampling_stages(scale)


@pytest.mark.parametrize(("scale", "halo"), [((4, 4, 4), (2, 2, 2)), ((4, 1, 1), (2, 4, 4)), ((2, 2, 2), (2, 2, 2))])
def test_the_tail_sees_no_further_than_its_halo(scale, halo):
    assert tail_halo(a_tiny_card(scale)) == halo
    network = a_tiny_network(scale)
    features = torch.rand(1, 4, 11, 11, 11, dtype=torch.float64)
    changed = features.clone()
    changed[..., 5, 5, 5] += 1
    touched = (network.tail(features) - network.tail(changed))[0, 0].abs() > 0
    for axis, (factor, reach) in enumerate(zip(scale, halo, strict=True)):
        voxels = touched.nonzero()[:, axis] // factor
        assert 5 - reach <= voxels.min() <= voxels.max() <= 5 + reach
    assert (touched.nonzero()[:, 0] // scale[0]).min() == 5 - halo[0]  # and no less far


@pytest.mark.parametrize("name", ["num_features", "num_blocks", "growth", "tail_features"])
def test_a_size_below_one_is_refused_by_name(name):
    with pytest.raises(ValueError, match=f"{name} must be a whole number above 0, not 0"):
        RRDBConfig(**{name: 0})
