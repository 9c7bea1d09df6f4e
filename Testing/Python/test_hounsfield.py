"""Whether intensities are those of CT."""

import numpy as np

from SuperResolution3DLib.volumes.hounsfield import HounsfieldShares
from SuperResolution3DLib.volumes.volume import read_volume


def test_shares_of_air_fat_and_soft_tissue():
    array = np.array([-1000, -950, -100, 40, 60, 100, 300, 800, -500, -2000], np.int16).reshape(1, 2, 5)
    found = HounsfieldShares.of(array)
    assert found == HounsfieldShares(0.2, 0.1, 0.3)
    assert found.has_air and found.has_tissue


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
