"""Data sets: what is looked for in a folder, whose it is, and what is checked."""
