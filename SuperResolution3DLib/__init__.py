"""Headless inference library of SuperResolution3D: volumes, k-space, networks, engine, command line."""

__version__ = "0.1.0"
