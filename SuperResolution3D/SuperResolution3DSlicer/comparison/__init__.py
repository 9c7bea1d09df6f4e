"""LR, SR and HR side by side, and their difference."""
