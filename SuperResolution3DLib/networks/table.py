"""The table of networks that a model file may name: name -> config, which declares the network (no torch)."""

from typing import Any

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.networks.dcsrn_config import DCSRNetConfig
from SuperResolution3DLib.networks.generator_config import GeneratorConfig
from SuperResolution3DLib.networks.rcan_config import RCANConfig
from SuperResolution3DLib.networks.rrdb_config import RRDBConfig
from SuperResolution3DLib.networks.srresnet_config import SRResNetConfig
from SuperResolution3DLib.networks.through_plane_config import ThroughPlaneConfig
from SuperResolution3DLib.sentence import Sentence

NETWORKS: dict[str, type[GeneratorConfig]] = {
    "rrdb": RRDBConfig,
    "srresnet": SRResNetConfig,
    "dcsrn": DCSRNetConfig,
    "rcan": RCANConfig,
    "through-plane": ThroughPlaneConfig,
}


def network_config(name: str, values: dict[str, Any]) -> GeneratorConfig:
    """Return the config of a network of the table.

    Raises:
        ModelError: unknown network, or values that its config refuses.
    """
    if name not in NETWORKS:
        raise ModelError(Sentence("model-network", {"network": name, "known": ", ".join(sorted(NETWORKS))}))
    try:
        return NETWORKS[name](**values)
    except (TypeError, ValueError) as error:
        raise ModelError(Sentence("model-network-config", {"network": name, "reason": str(error)})) from error
