"""The JSON file beside a volume file that tells how thick its slices are."""

import json

import numpy as np
import pytest

from SuperResolution3DLib.volumes.sidecar import read_slice_sizes, sidecar_of, write_slice_sizes
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume


@pytest.fixture(params=["head.nii", "head.nii.gz", "head.1.nrrd", "head.mha"])
def a_file(request, tmp_path):
    array = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    write_volume(Volume(array, np.diag([0.5, 0.6, 5.0, 1])), tmp_path / request.param)
    return tmp_path / request.param


def test_slice_sizes_come_from_a_sidecar_beside_the_file(a_file):
    sidecar_of(a_file).write_text(json.dumps({"SliceThickness": 4.4, "SpacingBetweenSlices": "5"}))
    volume = read_volume(a_file)
    assert (volume.slice_thickness, volume.slice_spacing) == (4.4, None)
    sidecar_of(a_file).write_text(json.dumps({"SliceThickness": 3}), "utf-8-sig")
    assert read_volume(a_file).slice_thickness == 3
    odd = [json.dumps({"SliceThickness": value}) for value in (-1, True, 1e-9)]
    for broken in ("[]", "{", "[" * 100_000, *odd):
        sidecar_of(a_file).write_text(broken)
        assert read_volume(a_file).slice_thickness is None


@pytest.mark.parametrize("sizes", [(4.4, 5.0), (4.4, None), (None, 5.0)])
def test_sizes_that_were_written_are_read_again(a_file, sizes):
    write_slice_sizes(a_file, *sizes)
    assert read_slice_sizes(a_file) == sizes
    volume = read_volume(a_file)
    assert (volume.slice_thickness, volume.slice_spacing) == sizes


def test_uneven_positions_are_read_where_they_will_do(a_file):
    positions = (0.0, 4.9, 10.1, 15.0)
    write_slice_sizes(a_file, 4.4, None, positions)
    volume = read_volume(a_file, uneven_slices=True)
    assert (volume.slice_thickness, volume.slice_positions) == (4.4, positions)
    assert read_volume(a_file).slice_positions is None
    for broken in ([0, 5, 10], [1, 5, 10, 15], [0, 5, 4, 15], [0, 5, None, 15], [0, 5, "10", 15], {}, 7):
        sidecar_of(a_file).write_text(json.dumps({"SlicePositions": broken}))
        assert read_volume(a_file, uneven_slices=True).slice_positions is None


def test_without_any_size_no_sidecar_is_written(a_file):
    write_slice_sizes(a_file, None, None)
    assert not sidecar_of(a_file).exists()
