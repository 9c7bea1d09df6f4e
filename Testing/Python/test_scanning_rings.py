"""The scan for wrong detail: known frequencies, and the one patch that was changed."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.metrics.scanning_rings import EDGE, ring_crossings, ring_threshold, scan_rings, suspicious


def a_textured_block(shape=(72, 100, 96)) -> np.ndarray:
    """A bright block of texture in dark air."""
    texture = np.random.default_rng(0).normal(0, 1, shape)
    volume = np.full(shape, 0.0)
    inside = (slice(4, -4),) * 3
    volume[inside] = 100 + 20 * gaussian_filter(texture, 0.7)[inside]
    return volume.astype(np.float32)


def low_passed(patches: np.ndarray, cutoff: float, rng) -> np.ndarray:
    """Replace all detail above a share of the Nyquist frequency by another one of the same strength."""
    edge = patches.shape[-1]
    frequency = np.fft.fftfreq(edge) * 2
    high = np.hypot(*np.meshgrid(frequency, frequency, indexing="ij")) > cutoff
    other = np.fft.fft2(rng.normal(0, 1, patches.shape))
    return np.fft.ifft2(np.where(high, other, np.fft.fft2(patches))).real


@pytest.mark.parametrize("cutoff", [0.2, 0.4, 0.7])
def test_the_crossing_is_where_the_detail_becomes_another_one(cutoff):
    rng = np.random.default_rng(0)
    hr = rng.normal(0, 1, (40, EDGE, EDGE))
    crossings = ring_crossings(low_passed(hr, cutoff, rng), hr, 0.5)
    assert np.median(crossings) == pytest.approx(cutoff, abs=0.04)


def test_the_same_patch_never_crosses_and_another_one_does_at_once():
    rng = np.random.default_rng(0)
    hr = rng.normal(0, 1, (10, EDGE, EDGE))
    assert ring_crossings(hr * 3 + 7, hr, 0.99).tolist() == [1.0] * 10
    assert ring_crossings(rng.normal(0, 1, hr.shape), hr, 0.75).max() < 0.1


def test_a_stricter_threshold_crosses_earlier():
    rng = np.random.default_rng(0)
    hr = gaussian_filter(rng.normal(0, 1, (10, EDGE, EDGE)), (0, 2, 2))
    sr = hr + rng.normal(0, 0.01, hr.shape)
    assert (ring_crossings(sr, hr, 0.75) <= ring_crossings(sr, hr, 0.5)).all()
    assert (ring_threshold("MR T1w"), ring_threshold("CT chest"), ring_threshold("")) == (0.75, 0.5, 0.75)


def test_only_the_boxes_over_invented_texture_are_marked():
    hr = a_textured_block()
    sr = hr.copy()
    changed = (slice(20, 60), slice(10, 50), slice(8, 48))
    sr[changed] = 100 + 20 * gaussian_filter(np.random.default_rng(1).normal(0, 1, hr.shape), 0.7)[changed]
    patches = scan_rings(sr, hr)
    marked = suspicious(patches, (4, 4, 4))
    assert marked
    assert all(patch.crossing == 1 for patch in patches if patch.corner[0] >= 50 and patch.view == "axial")
    for box in marked:
        if box.view == "axial":
            assert 20 <= box.number < 60
            assert box.corner[0] < 50 and box.corner[1] < 48  # it reaches into what was changed
    assert len(marked) < len(patches)
    assert suspicious(scan_rings(hr, hr), (4, 4, 4)) == []


def test_air_is_not_scanned():
    hr = np.zeros((72, 150, 96), np.float32)
    hr[:, :60, :] = a_textured_block()[:, 10:70]
    assert max(patch.corner[0] for patch in scan_rings(hr, hr) if patch.view == "axial") <= 36


def test_what_cannot_be_scanned_is_refused():
    thin = np.zeros((40, 60, 40)) + np.arange(40)
    with pytest.raises(VolumeError, match=r"Patches take 48 voxels along two axes, the volume has \(40, 60, 40\)"):
        scan_rings(thin, thin)
    with pytest.raises(GeometryError):
        scan_rings(np.zeros((48, 48, 48)), np.ones((48, 48, 49)))
