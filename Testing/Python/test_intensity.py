"""The intensity map: from the LR alone, linear, and inverted exactly."""

import numpy as np
import pytest

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.volumes.intensity import IntensityPolicy


@pytest.fixture
def an_lr_volume():
    return np.random.default_rng(0).normal(500, 200, (5, 7, 9))


@pytest.mark.parametrize("policy", ["percentiles", "min-max", "fixed"])
def test_the_map_is_inverted_on_output(an_lr_volume, policy):
    mapping = IntensityPolicy(policy, 1, 99).fit(an_lr_volume)
    back = mapping.from_network(mapping.to_network(an_lr_volume))
    np.testing.assert_allclose(back, an_lr_volume, rtol=1e-5, atol=1e-2)


def test_percentiles_ignore_one_hot_voxel(an_lr_volume):
    hot = an_lr_volume.copy()
    hot[0, 0, 0] = 1e6
    policy = IntensityPolicy("percentiles", 2, 98)
    assert policy.fit(hot).width == pytest.approx(policy.fit(an_lr_volume).width, rel=0.05)
    assert IntensityPolicy("min-max").fit(hot).width > 1000 * policy.fit(hot).width / 2


def test_the_low_and_high_value_become_0_and_1(an_lr_volume):
    network = IntensityPolicy("min-max").fit(an_lr_volume).to_network(an_lr_volume)
    assert (network.min(), network.max()) == pytest.approx((0, 1), abs=1e-6)
    assert network.dtype == np.float32
    hu = IntensityPolicy("fixed", -1024, 3000).fit(an_lr_volume).to_network(np.array([-1024, 3000, 5000]))
    np.testing.assert_allclose(hu, [0, 1, 6024 / 4024], rtol=1e-6)  # nothing is clipped


def test_a_volume_of_mostly_air_falls_back_to_its_range():
    volume = np.zeros((20, 20, 20))
    volume[0, 0, :5] = [1, 2, 3, 4, 5]
    assert IntensityPolicy().fit(volume).width == 5


def test_a_constant_volume_is_refused():
    with pytest.raises(VolumeError, match="constant \\(7 everywhere\\)"):
        IntensityPolicy().fit(np.full((3, 3, 3), 7))


def test_a_policy_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="Unknown intensity policy 'guess'"):
        IntensityPolicy("guess")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"intensity\.low must be below intensity\.high"):
        IntensityPolicy("percentiles", 99, 1)
    with pytest.raises(ValueError, match="percentiles from 0 to 100, got -5 and 120"):
        IntensityPolicy("percentiles", -5, 120)
    with pytest.raises(ValueError, match="both finite, got"):
        IntensityPolicy("fixed", -1024, float("inf"))
