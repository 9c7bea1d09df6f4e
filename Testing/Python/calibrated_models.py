"""A tiny model that was calibrated, and its companion, for tests of the trust map."""

from pathlib import Path

from models import a_tiny_model_file

from SuperResolution3DLib.models.model_card import file_sha256
from SuperResolution3DLib.models.trust_calibration import SIGNALS, TrustCalibration

EXPONENTS = {"spread": 0.5, "companion": 0.25, "residual": 0.25}


def a_calibrated_model_file(folder: Path, scale: tuple[int, int, int] = (2, 2, 2), **values: object) -> Path:
    """Write ``tiny``, whose estimate may be off by more than 20 % of the range in its mask, and ``second``."""
    companion = a_tiny_model_file(folder, scale, name="second", **values)
    exponents = tuple(EXPONENTS.get(name, 0.0) for name in SIGNALS)
    calibration = TrustCalibration("second", file_sha256(companion), 2.0, exponents, 0.026, 0.2, 0.1, 0.3, 12)
    return a_tiny_model_file(folder, scale, trust=calibration.to_card(), **values)
