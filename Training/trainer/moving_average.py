"""The moving average of a generator's weights, which is what the model file holds."""

from torch import Tensor, nn
from torch.optim.swa_utils import PARAM_LIST, AveragedModel, get_ema_multi_avg_fn


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """Return the exponential moving average of a network's weights and buffers; decay 0 follows the last ones.

    A young average follows faster, so that it does not remember the untrained weights.
    """

    def follow(averages: PARAM_LIST, weights: PARAM_LIST, number: Tensor | int) -> None:
        count = int(average.n_averaged)  # on the CPU, where number is on the network's device
        get_ema_multi_avg_fn(min(decay, count / (9 + count)))(averages, weights, number)

    average = AveragedModel(network, multi_avg_fn=follow, use_buffers=True)
    average.n_averaged += 1  # the untrained weights count: from 0 the first update would only copy
    return average
