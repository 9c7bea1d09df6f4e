"""The table of networks that a model file may name: name -> (module, network class, config class)."""

_HERE = "SuperResolution3DLib.networks"

NETWORKS = {
    "rrdb": (f"{_HERE}.rrdb", "RRDBNet", "RRDBConfig"),
    "srresnet": (f"{_HERE}.srresnet", "SRResNet", "SRResNetConfig"),
    "dcsrn": (f"{_HERE}.dcsrn", "DCSRNet", "DCSRNetConfig"),
    "rcan": (f"{_HERE}.rcan", "RCAN", "RCANConfig"),
    "through-plane": (f"{_HERE}.through_plane", "ThroughPlaneNet", "ThroughPlaneConfig"),
}
