"""The part of a model's card that says from which caution on its estimate may be off, and how that was found."""

from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.sentence import Sentence

SIGNALS = ("spread", "companion", "detail", "residual", "gradient")  # from which the caution follows, in this order


@dataclass(frozen=True)
class TrustCalibration:
    """How signals become a caution, and a caution becomes a mask."""

    companion: str
    """name of the model whose distance is one of the signals"""
    companion_sha256: str
    """of its file"""
    factor: float
    """caution = factor * product of signal ** exponent"""
    exponents: tuple[float, ...]
    """one for each of ``SIGNALS``, never negative"""
    threshold: float
    """caution from which a voxel belongs to the mask"""
    bound: float
    """share of the intensity range (0.5 to 99.5 percentile of the LR) by which the estimate may be off in the mask"""
    alpha: float
    """mean share of the voxels outside the mask that may be off by more than the bound"""
    cap: float
    """share of such voxels as which a volume counts that has more of them"""
    volumes: int
    """that it was calibrated on, none of which a model was trained on"""

    @classmethod
    def from_card(cls, values: dict[str, Any]) -> "TrustCalibration | None":
        """Read what ``to_card`` wrote; None for a card without it.

        Raises:
            ValueError: something else.
        """
        if not values:
            return None
        if missing := sorted({item.name for item in fields(cls)} - values.keys()):
            raise ValueError(f"trust lacks {missing}")
        try:
            known = {item.name: values[item.name] for item in fields(cls)}
            numbers = {name: float(known[name]) for name in ("factor", "threshold", "bound", "alpha", "cap")}
            exponents = tuple(float(value) for value in known["exponents"])
            volumes = int(known["volumes"])
        except (TypeError, ValueError) as error:
            raise ValueError(f"trust holds something else than a calibration: {error}") from None
        if len(exponents) != len(SIGNALS) or not all(0 <= value < 100 for value in exponents):
            raise ValueError(f"trust holds the exponents {exponents}, wanted {len(SIGNALS)} that are not negative")
        if not all(isfinite(value) and value > 0 for value in numbers.values()) or numbers["alpha"] >= 1:
            raise ValueError(f"trust holds numbers that are not above 0, or an alpha that is not below 1: {numbers}")
        texts = {name: str(known[name]) for name in ("companion", "companion_sha256")}
        return cls(**texts, **numbers, exponents=exponents, volumes=volumes)  # type: ignore[arg-type]

    @classmethod
    def required(cls, values: dict[str, Any], name: str) -> "TrustCalibration":
        """Return the calibration of the model called ``name``.

        Raises:
            ModelError: it has none.
        """
        calibration = cls.from_card(values)
        if calibration is None:
            raise ModelError(Sentence("model-not-calibrated", {"model": name}))
        return calibration

    def to_card(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self) | {"exponents": list(self.exponents)}

    def sentence(self, share: float, *, unlike: bool = False) -> Sentence:
        """Say what a mask means that holds this share of the voxels, of a volume like the calibration's or not."""
        values = {"share": share, "bound": self.bound, "volumes": self.volumes, "alpha": self.alpha, "cap": self.cap}
        return Sentence("trust-unlike" if unlike else "trust", values)
