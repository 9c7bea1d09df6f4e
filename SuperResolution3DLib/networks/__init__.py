"""The table of networks that a model file may name: name -> (module, network class, config class)."""

NETWORKS = {"rrdb": ("SuperResolution3DLib.networks.rrdb", "RRDBNet", "RRDBConfig")}
