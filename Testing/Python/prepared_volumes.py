"""Small data sets prepared for training, and their comparison."""

import numpy as np
from data_sets import an_index, write_nifti

from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from Training.data.degradation import prepare_volumes
from Training.data.preparation import PreparationConfig
from Training.data.survey import inspect
from Training.datasets.data_set import Candidate, nothing_to_check

SCALE = (2, 2, 2)
SETTINGS = {"scale": SCALE, "grid": "center", "intensity": IntensityPolicy(), "num_shifts": 3, "seed": 5}


def an_index_of(folder, *shapes):
    for seed, shape in enumerate(shapes):
        write_nifti(folder / f"{seed}.nii", seed, shape, spacing=(1.0, 1.0, 1.5))
    entries = [
        inspect(folder, Candidate(f"s{seed}", f"{seed}.nii", "MR"), nothing_to_check) for seed in range(len(shapes))
    ]
    return an_index(*entries, root=folder)


def prepared(index, preparation=None, **settings):
    return prepare_volumes(index, index.entries, preparation or PreparationConfig(), **(SETTINGS | settings))


def assert_same_array(one, other):
    np.testing.assert_array_equal(np.asarray(one), np.asarray(other), strict=True)


def assert_same(one, other):
    for first, second in zip(one, other, strict=True):
        assert (first.name, first.subject, first.spacing) == (second.name, second.subject, second.spacing)
        assert first.axis_orders == second.axis_orders
        assert_same_array(first.hr, second.hr)
        assert_same_array(first.measured, second.measured)
        for a, b in zip(first.degraded, second.degraded, strict=True):
            assert (a.start, a.offset, a.width) == (b.start, b.offset, b.width)
            assert_same_array(a.lr, b.lr)
            assert_same_array(a.foreground, b.foreground)
