"""DICOM files for the tests, written by pydicom: classic ones of one slice and enhanced ones of many."""

from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

SERIES = "1.2.826.0.1.3680043.8.498.7"
SPACING = (1.7, 1.1, 0.8)
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def a_grid(spacing=SPACING, origin=(-31.5, 12.25, 40.0)):
    """Return the affine to LPS mm of an oblique stack along its normal; spacing is (D, H, W) in mm."""
    row = np.array([0.8, 0.6, 0.0])
    column = np.cross([0.36, -0.48, 0.8], row)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([row * spacing[2], column * spacing[1], np.cross(row, column) * spacing[0]], axis=1)
    affine[:3, 3] = origin
    return affine


def some_slices(count, seed=0):
    """Return (D, H, W) uint16 with 12 bits."""
    return np.random.default_rng(seed).integers(0, 4096, (count, 9, 7)).astype(np.uint16)


def an_image(pixels, sop_class, **tags):
    """Return a dataset with pixels (H, W) or (frames, H, W) of 8, 16 or 32 bits."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.SOPClassUID = sop_class
    image.SOPInstanceUID = generate_uid()
    image.Modality = "CT" if sop_class == CTImageStorage else "MR"
    image.SeriesInstanceUID = SERIES
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = pixels.shape[-2:]
    image.BitsAllocated = image.BitsStored = 8 * pixels.itemsize
    image.HighBit = image.BitsStored - 1
    image.PixelRepresentation = int(pixels.dtype.kind == "i")
    image.PixelData = pixels.tobytes()
    image["PixelData"].VR = "OW"
    if pixels.ndim == 3:
        image.NumberOfFrames = len(pixels)
    return with_tags(image, tags)


def with_tags(dataset, tags):
    """Set tags by keyword; None leaves one out."""
    for keyword, value in tags.items():
        if value is not None:
            setattr(dataset, keyword, value)
        elif keyword in dataset:
            delattr(dataset, keyword)
    return dataset


def a_slice(pixels, k, to_lps=None, *, position=None, sop_class=MRImageStorage, **tags):
    """Return slice k of a stack, which may be put at another position (LPS mm)."""
    to_lps = a_grid() if to_lps is None else to_lps
    place = placement(to_lps, k, position)
    spacing = np.linalg.norm(to_lps[:3, :3], axis=0)
    return an_image(pixels, sop_class, **(place | {"SliceThickness": round(float(spacing[2]), 6)} | tags))


def placement(to_lps, k, position=None):
    """Return the tags that tell where slice k of a stack lies."""
    spacing = np.linalg.norm(to_lps[:3, :3], axis=0)
    position = to_lps[:3, 3] + k * to_lps[:3, 2] if position is None else position
    return {
        "ImagePositionPatient": [round(float(value), 9) for value in position],
        "ImageOrientationPatient": [round(float(v), 12) for v in (to_lps[:3, :2] / spacing[:2]).T.ravel()],
        "PixelSpacing": [float(spacing[1]), float(spacing[0])],
    }


def write(path, dataset, syntax=ExplicitVRLittleEndian):
    path.parent.mkdir(exist_ok=True)
    dataset.file_meta.TransferSyntaxUID = syntax
    dcmwrite(path, dataset, enforce_file_format=True)
    return path


def write_slices(folder, array, to_lps=None, *, name="IM", positions=None, syntax=ExplicitVRLittleEndian, **tags):
    """Write one file a slice under names that say nothing of their order; return the paths by slice."""
    return [
        write(
            Path(folder) / f"{name}{(k * 7 + 3) % 211:04d}",
            a_slice(pixels, k, to_lps, position=None if positions is None else positions[k], **tags),
            syntax,
        )
        for k, pixels in enumerate(array)
    ]


def an_enhanced_file(frames, *, shared=None, sop_class=EnhancedMRImageStorage, **tags):
    """Return one dataset of many frames.

    Args:
        frames: (pixels (H, W), {sequence: {keyword: value}}) of each.
        shared: {sequence: {keyword: value}} that all frames have in common.
    """
    image = an_image(np.stack([pixels for pixels, _ in frames]), sop_class, **tags)
    image.SharedFunctionalGroupsSequence = [groups(shared or {})]
    image.PerFrameFunctionalGroupsSequence = [groups(values) for _, values in frames]
    return image


def groups(values):
    item = Dataset()
    for sequence, tags in values.items():
        setattr(item, sequence, [with_tags(Dataset(), tags)])
    return item
