"""The running statistics of batch norms, which each process gathers from its own patches."""

from lightning.fabric import Fabric
from torch import nn


def share_batch_statistics(fabric: Fabric, network: nn.Module) -> None:
    """Give every process the mean of all processes' statistics: what is validated is what is saved."""
    if fabric.world_size == 1:
        return
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            for statistic in (module.running_mean, module.running_var):
                if statistic is not None:
                    statistic.copy_(fabric.all_reduce(statistic, reduce_op="mean"))
