"""Model files: the card, the weights, and blends of two models."""
