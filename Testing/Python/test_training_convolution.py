"""A training's convolutions in oneDNN against PyTorch's own, forward and backward."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from SuperResolution3DLib.networks.rrdb import RRDBNet
from SuperResolution3DLib.networks.rrdb_config import RRDBConfig
from Training.trainer.convolution import OneDNNTrainedConvolution, _Convolution, in_onednn


@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3), (1, 1, 1)])
@pytest.mark.parametrize("shape", [(1, 5, 7), (2, 4, 3), (9, 6, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_convolution_and_all_its_gradients_are_those_of_pytorch(kernel, shape, bias):
    torch.manual_seed(0)
    padding = tuple(size // 2 for size in kernel)
    plain = nn.Conv3d(5, 7, kernel, padding=padding, bias=bias).double()
    features, gradient = torch.randn(1, 5, *shape), torch.randn(1, 7, *shape)
    expected = plain(wanted := features.double().requires_grad_())
    expected.backward(gradient.double())

    weight, given = plain.weight.detach().float().requires_grad_(), features.clone().requires_grad_()
    added = plain.bias.detach().float().requires_grad_() if bias else None
    output = _Convolution.apply(given, weight, added, padding)
    output.backward(gradient)

    pairs = [(output, expected), (given.grad, wanted.grad), (weight.grad, plain.weight.grad)]
    for found, correct in pairs + ([(added.grad, plain.bias.grad)] if bias else []):
        torch.testing.assert_close(found.double(), correct, rtol=1e-5, atol=1e-5)


def test_training_in_onednn_takes_the_steps_of_training_without():
    torch.manual_seed(0)
    plain = RRDBNet(RRDBConfig(num_features=8, num_blocks=1, growth=4, tail_features=4))
    rewritten = deepcopy(plain)
    in_onednn(rewritten)
    volume, target = torch.rand(1, 1, 5, 6, 7), torch.rand(1, 1, 20, 24, 28)
    losses = []
    for network in (plain, rewritten):
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        losses.append([])
        for _ in range(4):
            loss = (network(volume) - target).abs().mean()
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            losses[-1].append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[0][-1] < losses[0][0]
    assert list(plain.state_dict()) == list(rewritten.state_dict())


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN")
def test_only_single_small_volumes_in_fp32_take_another_way():
    layer = OneDNNTrainedConvolution(nn.Conv3d(4, 4, 3, padding=1))
    small = torch.rand(1, 4, 5, 5, 5, requires_grad=True)
    assert layer(small).grad_fn.name() == "_ConvolutionBackward"
    batch, large = torch.rand(2, 4, 5, 5, 5), torch.rand(1, 4, 100, 60, 2)
    assert all(layer(volume).grad_fn.name() == "ConvolutionBackward0" for volume in (batch, large))
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(small).grad_fn.name() == "ConvolutionBackward0"
