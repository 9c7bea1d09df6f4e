"""Training and evaluation of the networks of SuperResolution3DLib."""
