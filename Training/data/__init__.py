"""Data sets on disk made into patches: index, folds, preparation, cache."""
