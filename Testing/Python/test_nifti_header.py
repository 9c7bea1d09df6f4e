"""NIfTI headers whose fields cannot be taken at their word."""

import re

import numpy as np
import pytest

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.volumes import nifti_header
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

ARRAY = np.arange(60, dtype=np.int16).reshape(3, 4, 5)


def write_with(path, field, value):
    write_volume(Volume(ARRAY, np.diag([-1.0, 2.0, 3.0, 1.0])), path)
    data = bytearray(path.read_bytes())
    header = np.frombuffer(data, nifti_header.HEADER.newbyteorder("<"), count=1)
    header[field][0] = value
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("offset", [0, -16, 348, 351.5, 352])
def test_voxels_begin_at_byte_352_where_the_header_says_an_earlier_one(tmp_path, offset):
    volume = read_volume(write_with(tmp_path / "early.nii", "vox_offset", offset))
    np.testing.assert_array_equal(volume.array, ARRAY)


@pytest.mark.parametrize("offset", [np.nan, np.inf, -np.inf])
def test_an_offset_that_is_no_number_is_refused_by_its_name(tmp_path, offset):
    path = write_with(tmp_path / "nowhere.nii", "vox_offset", offset)
    with pytest.raises(VolumeError, match=re.escape(f"begin at byte {offset}; repair its vox_offset")):
        read_volume(path)


def test_an_offset_beyond_the_end_of_the_file_is_a_file_cut_short(tmp_path):
    path = write_with(tmp_path / "far.nii", "vox_offset", 1e30)
    with pytest.raises(VolumeError, match="cut short"):
        read_volume(path)
