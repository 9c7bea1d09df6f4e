"""Moving one stack of a patient onto another: rigidly, by mutual information (SimpleITK)."""

import numpy as np
import SimpleITK as sitk

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.volumes.volume import Volume

LARGEST_SHIFT = 20.0  # mm, and degrees: beyond, the registration is not believed
SAMPLED = (0.5, 0.3, 0.2)  # share of the voxels that the registration looks at, coarse to fine


def registered(moving: Volume, fixed: Volume) -> tuple[np.ndarray, float]:
    """Return what moves a volume rigidly onto another, (4, 4) RAS mm, and by how many mm its centre moves.

    Both start where their headers say, so only what the patient moved is looked for.

    Raises:
        VolumeError: the registration fails, or moves farther than a patient does between two stacks.
    """
    target, source = (_image(volume) for volume in (fixed, moving))
    centre = target.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in target.GetSize()])
    start = sitk.Euler3DTransform()
    start.SetCenter(centre)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentagePerLevel(SAMPLED, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 100)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SetInitialTransform(start, inPlace=False)
    try:
        found = sitk.Euler3DTransform(method.Execute(target, source).GetBackTransform())
    except RuntimeError as error:
        raise VolumeError(f"The stacks cannot be registered: {str(error).strip().splitlines()[-1]}") from error
    shift = float(np.linalg.norm(found.GetTranslation()))
    turn = float(np.degrees(np.abs([found.GetAngleX(), found.GetAngleY(), found.GetAngleZ()]).max()))
    if max(shift, turn) > LARGEST_SHIFT:
        raise VolumeError(f"The registration moves a stack by {shift:.1f} mm, {turn:.1f} degrees: not believed")
    return _motion(found), shift


def _motion(transform: sitk.Euler3DTransform) -> np.ndarray:
    """Return the inverse, (4, 4) RAS mm, of a transform that maps fixed points (LPS mm) to moving ones."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    centre, translation = np.array(transform.GetCenter()), np.array(transform.GetTranslation())
    matrix[:3, 3] = translation + centre - matrix[:3, :3] @ centre
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0])
    return np.asarray(to_lps @ np.linalg.inv(matrix) @ to_lps)


def _image(volume: Volume) -> sitk.Image:
    """Return a SimpleITK image of a volume, whose space is LPS."""
    image = sitk.GetImageFromArray(volume.array.astype(np.float32))
    spacing = np.linalg.norm(volume.affine[:3, :3], axis=0)
    flip = np.diag([-1.0, -1.0, 1.0])
    image.SetSpacing(spacing.tolist())
    image.SetOrigin((flip @ volume.affine[:3, 3]).tolist())
    image.SetDirection((flip @ (volume.affine[:3, :3] / spacing)).ravel().tolist())
    return image
