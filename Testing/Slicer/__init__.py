"""Test support for the Slicer module: Slicer's C++ core, and doubles for what is not in its wheels."""
