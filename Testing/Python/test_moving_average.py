"""The moving average of a network's weights, against its recurrence in NumPy."""

import copy

import numpy as np
import pytest
import torch

from SuperResolution3DLib.networks.batch_norm import BatchNorm
from Training.trainer.moving_average import moving_average


@pytest.fixture
def a_network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv3d(1, 3, 3), BatchNorm(3)).double()


def take_a_step(network: torch.nn.Module) -> None:
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.add_(torch.randn_like(tensor))


def flat(network: torch.nn.Module) -> np.ndarray:
    """Return all weights and running statistics (N,)."""
    return np.concatenate([tensor.numpy().ravel() for tensor in network.state_dict().values()])


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
def test_weights_and_statistics_follow_faster_while_the_average_is_young(a_network, decay) -> None:
    average = moving_average(a_network, decay)
    wanted = flat(a_network)
    for step in range(30):
        take_a_step(a_network)
        average.update_parameters(a_network)
        rate = min(decay, (1 + step) / (10 + step))
        wanted = rate * wanted + (1 - rate) * flat(a_network)
        np.testing.assert_allclose(flat(average.module), wanted, rtol=1e-12, atol=1e-12)


def test_an_average_that_goes_on_equals_one_that_was_never_interrupted(a_network) -> None:
    whole = moving_average(a_network, 0.999)
    for step in range(8):
        if step == 5:
            resumed = moving_average(copy.deepcopy(a_network), 0.999)
            resumed.module.load_state_dict(whole.module.state_dict())
            resumed.n_averaged += step
        take_a_step(a_network)
        whole.update_parameters(a_network)
        if step >= 5:
            resumed.update_parameters(a_network)
    np.testing.assert_array_equal(flat(resumed.module), flat(whole.module))
