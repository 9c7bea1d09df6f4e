"""Whether intensities are those of CT."""

import numpy as np

from SuperResolution3DLib.inference.super_resolve import degrade_volume
from SuperResolution3DLib.volumes.hounsfield import HounsfieldShares
from SuperResolution3DLib.volumes.volume import read_volume


def test_shares_of_air_fat_and_soft_tissue():
    array = np.array([-1000, -950, -100, 40, 60, 100, 300, 4000, -50, -2000], np.int16).reshape(1, 2, 5)
    found = HounsfieldShares.of(array)
    assert found == HounsfieldShares(0.2, 0.1, 0.1, 0.3, 0.1)
    assert not found.has_air and not found.has_tissue  # too much lies beyond the range of CT
    of_ct = HounsfieldShares.of(array.clip(max=3000))
    assert of_ct.has_air and of_ct.has_tissue


def test_a_large_volume_is_looked_at_in_steps_along_every_axis():
    array = np.zeros((160, 200, 180), np.int16)
    array[:16] = -1000
    array[16:, :40] = -80
    exact = [np.count_nonzero(array == value) / array.size for value in (-1000, -80)]
    found = HounsfieldShares.of(array)
    np.testing.assert_allclose([found.air, found.fat], exact, atol=0.01)


def test_every_real_ct_and_no_real_mr_looks_like_ct(shared_data):
    files = sorted(shared_data.glob("*/*.nii.gz"))
    ct = {path for path in files if path.name.startswith("ct-")}
    chosen = [*ct, *(path for path in files if path not in ct and path.parent.name == "test")]
    found = {path for path in chosen if HounsfieldShares.of(read_volume(path).array).are_of_ct}
    assert ct and found == ct


def test_no_real_mr_looks_like_ct_once_it_was_degraded_and_rings(shared_data):
    files = [*shared_data.glob("test/t[12]-*.nii.gz"), *shared_data.glob("train/flair-brain-openms-*.nii.gz")]
    lrs = {path.name: degrade_volume(read_volume(path), (4, 4, 4), "center")[0] for path in files}
    assert lrs and not [name for name, lr in lrs.items() if HounsfieldShares.of(lr.array).are_of_ct]
