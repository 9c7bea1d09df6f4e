"""Rewrites for the CPU: the same voxels as the network that was trained, in other operations."""

import copy

import numpy as np
import pytest
import torch
from models import a_tiny_model
from torch import nn

from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.rewrites import (
    BlockConvolution,
    BufferedDenseBlock,
    FoldedConvolution,
    OneDNNConvolution,
    TransposedUpsampling,
    block_shape,
    rewrite_for_cpu,
)
from SuperResolution3DLib.networks.pixel_shuffle import pixel_shuffle
from SuperResolution3DLib.networks.rrdb import RRDBConfig, RRDBNet, Upsampling
from SuperResolution3DLib.networks.through_plane import SliceQuery, ThroughPlaneConfig, ThroughPlaneNet

pytestmark = pytest.mark.usefixtures("without_gradients")
SCALES = [(4, 4, 4), (2, 2, 2), (4, 1, 1), (1, 3, 2), (3, 3, 3), (6, 1, 4)]


@pytest.fixture
def without_gradients():
    with torch.no_grad():
        yield


@pytest.fixture
def features():
    return torch.randn(2, 5, 4, 7, 3, generator=torch.Generator().manual_seed(0))  # (N, F, D, H, W)


def distance(given, wanted) -> float:
    assert given.shape == wanted.shape
    return float((given - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("factors", [(2, 2, 2), (2, 1, 1), (1, 3, 2), (3, 3, 3)])
def test_upsampling_and_convolution_are_one_transposed_convolution(features, factors):
    part = Upsampling(5, 6, factors)
    rewritten = TransposedUpsampling(part)
    assert rewritten.kernel_size == tuple(factor + 2 for factor in factors)
    assert distance(rewritten(features), part(features)) < 1e-5


@pytest.mark.parametrize("scale", SCALES)
def test_a_convolution_to_one_channel_computes_blocks_of_voxels(scale):
    part = nn.Conv3d(5, 1, 3, padding=1)
    volume = torch.randn(1, 5, *(size * factor for size, factor in zip((3, 2, 5), scale, strict=True)))
    assert distance(BlockConvolution(part, scale)(volume), part(volume)) < 1e-5


def test_blocks_fill_the_lanes_and_divide_every_enlarged_volume():
    assert [block_shape(scale) for scale in SCALES] == [
        (4, 2, 2),
        (2, 2, 2),
        (4, 1, 1),
        (1, 3, 2),
        (3, 3, 1),
        (6, 1, 2),
    ]


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN")
@pytest.mark.parametrize("channels", [(1, 6), (5, 6), (5, 1)])
def test_a_small_convolution_goes_to_onednn_and_comes_channels_last(features, channels):
    part = nn.Conv3d(*channels, 3, padding=1)
    volume = features[:, : channels[0]].contiguous(memory_format=torch.channels_last_3d)
    rewritten = OneDNNConvolution(part).to(memory_format=torch.channels_last_3d)
    with torch.profiler.profile() as profile:
        result = rewritten(volume)
    assert "aten::mkldnn_convolution" in {event.name for event in profile.events()}
    assert result.is_contiguous(memory_format=torch.channels_last_3d)
    assert distance(result, part(volume)) < 1e-5


@pytest.mark.parametrize("scale", SCALES)
def test_a_rewritten_network_gives_the_same_volume(scale):
    torch.manual_seed(0)
    network = RRDBNet(RRDBConfig(scale, num_features=6, num_blocks=1, growth=3, tail_features=5))
    rewritten = copy.deepcopy(network)
    rewrite_for_cpu(rewritten)
    kinds = {type(module) for module in rewritten.modules()}
    assert {TransposedUpsampling, BlockConvolution} <= kinds
    assert not {Upsampling, nn.Conv3d if torch.backends.mkldnn.is_available() else Upsampling} & kinds
    lr = torch.randn(1, 1, 5, 4, 7)
    assert distance(rewritten(lr), network(lr)) < 1e-5


def test_dense_blocks_of_a_network_stack_in_the_same_memory_and_let_it_go():
    torch.manual_seed(0)
    network = RRDBNet(RRDBConfig((2, 2, 2), num_features=6, num_blocks=2, growth=3, tail_features=5))
    rewritten = copy.deepcopy(network)
    rewrite_for_cpu(rewritten)
    blocks = [module for module in rewritten.modules() if isinstance(module, BufferedDenseBlock)]
    memory = set()
    for block in blocks:
        block.fusing.register_forward_pre_hook(lambda _, inputs: memory.add(inputs[0].untyped_storage().data_ptr()))
    for size in (4, 6, 5):
        lr = torch.randn(1, 1, size, 4, 7)
        assert distance(rewritten.trunk(lr), network.trunk(lr)) < 1e-5
        assert (len(blocks), len(memory)) == (6, 1)
        memory.clear()
    assert len({id(block.stacks) for block in blocks}) == 1
    assert not blocks[0].stacks.is_held


@pytest.mark.parametrize("count", [1, 3, 4, 13, 16])
@pytest.mark.parametrize("in_plane", [(1, 2, 2), (1, 3, 3), (1, 4, 4), (1, 2, 1)])
def test_a_convolution_of_pixels_works_on_the_channels_that_become_them(in_plane, count):
    part = nn.Conv3d(5, 1, 3, padding=1)
    folded = torch.randn(2, 5 * in_plane[1] * in_plane[2], count, 3, 7)
    assert distance(FoldedConvolution(part, in_plane)(folded), part(pixel_shuffle(folded, in_plane))) < 1e-5


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN")
def test_planes_that_fill_no_block_go_to_onednn_however_few_they_are(monkeypatch):
    planes, convolve = [], torch.mkldnn_convolution
    monkeypatch.setattr(
        torch, "mkldnn_convolution", lambda *given: planes.append(given[0].shape[2]) or convolve(*given)
    )
    FoldedConvolution(nn.Conv3d(5, 1, 3, padding=1), (1, 2, 2))(torch.randn(1, 20, 7, 3, 6))
    assert planes == [7, 4]  # the last 3 and the one before


@pytest.mark.parametrize("positions", [torch.arange(13) / 4, torch.linspace(0.2, 3, 16), torch.tensor([3.0])])
@pytest.mark.parametrize("unshuffle", [1, 2, 3])
def test_a_rewritten_network_between_slices_gives_the_same_volume(unshuffle, positions):
    torch.manual_seed(0)
    config = ThroughPlaneConfig(6, 1, 3, unshuffle, decoder_features=5, tail_features=4)
    network = ThroughPlaneNet(config)
    rewritten = copy.deepcopy(network)
    rewrite_for_cpu(rewritten)
    assert isinstance(rewritten.conv_last, FoldedConvolution) == (unshuffle > 1)
    query = SliceQuery(positions, torch.tensor([[5.0], [1.0]]).expand(2, len(positions)))
    slices = torch.randn(2, 1, 4, 6, 12)
    assert distance(rewritten(slices, query), network(slices, query)) < 1e-5


def test_a_run_leaves_the_models_own_weights_alone(tmp_path):
    model = a_tiny_model(tmp_path)
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    Engine(model, EngineSettings("cpu", "fp32")).run(np.ones((4, 5, 6), np.float32))
    after = model.network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
