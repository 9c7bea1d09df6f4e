"""Figures of merit of methods on held-out volumes."""
