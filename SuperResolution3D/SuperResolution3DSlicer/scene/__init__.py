"""Nodes of the scene: volumes to and from files, checks, regions, sample data."""
