"""The part of a model's card that says what the volumes of its training were like: a range for each measurement."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

Range = tuple[float, float]

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)  # of the subject's voxels


@dataclass(frozen=True)
class InputMeasures:
    """What is measured of one LR volume, canonical, in network units."""

    spacing: tuple[float, float, float]
    """mm (D, H, W) = along S, A, R"""
    extent: tuple[float, float, float]
    """mm (D, H, W) of the subject's bounding box"""
    noise: float
    """standard deviation of what changes from voxel to voxel along all axes at once; 1 is the range of the volume"""
    quantiles: tuple[float, ...]
    """``QUANTILES`` of the subject's voxels, 0 to 1 on the range of the volume"""
    high_band: tuple[float, float, float]
    """(D, H, W) energy beyond 0.7 of the Nyquist frequency of an axis, as a share of that from 0.35 to 0.7"""

    def turned(self) -> "InputMeasures":
        """Return the measures of the same volume with its axes H and W swapped."""

        def swapped(values: tuple[float, float, float]) -> tuple[float, float, float]:
            return values[0], values[2], values[1]

        return replace(
            self,
            spacing=swapped(self.spacing),
            extent=swapped(self.extent),
            high_band=swapped(self.high_band),
        )


@dataclass(frozen=True)
class InputRanges:
    """Lowest and highest of each measurement over the LR volumes of the training."""

    spacing: tuple[Range, Range, Range]
    extent: tuple[Range, Range, Range]
    noise: Range
    quantiles: tuple[Range, ...]
    high_band: tuple[Range, Range, Range]
    volumes: int
    """that were measured"""

    @classmethod
    def of(cls, measures: Sequence[InputMeasures]) -> "InputRanges":
        """Return the ranges of one or more volumes.

        Raises:
            ValueError: none at all.
        """
        if not measures:
            raise ValueError("There is no volume to take the ranges of")

        def of_each(name: str) -> tuple[Range, ...]:
            return tuple(
                (min(values), max(values)) for values in zip(*(getattr(m, name) for m in measures), strict=True)
            )

        noise = [measure.noise for measure in measures]
        return cls(
            spacing=of_each("spacing"),  # type: ignore[arg-type]
            extent=of_each("extent"),  # type: ignore[arg-type]
            noise=(min(noise), max(noise)),
            quantiles=of_each("quantiles"),
            high_band=of_each("high_band"),  # type: ignore[arg-type]
            volumes=len(measures),
        )

    @classmethod
    def from_card(cls, values: dict[str, Any]) -> "InputRanges | None":
        """Read what ``to_card`` wrote; None for a card without it.

        Raises:
            ValueError: something else.
        """
        if not values:
            return None
        counts = {"spacing": 3, "extent": 3, "quantiles": len(QUANTILES), "high_band": 3}
        wanted = {item.name for item in fields(cls)}
        if missing := sorted(wanted - values.keys()):
            raise ValueError(f"input_ranges lacks {missing}")
        try:
            ranges = {name: tuple(map(_range, values[name])) for name in counts}
            noise, volumes = _range(values["noise"]), int(values["volumes"])
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"input_ranges holds something else than ranges of two increasing numbers: {error}"
            ) from None
        for name, count in counts.items():
            if len(ranges[name]) != count:
                raise ValueError(f"input_ranges holds {len(ranges[name])} ranges of {name}, wanted {count}")
        return cls(noise=noise, volumes=volumes, **ranges)  # type: ignore[arg-type]

    def to_card(self) -> dict[str, Any]:
        """Return a JSON object with four digits, which is more than the ranges mean."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def _range(values: Any) -> Range:
    low, high = (float(value) for value in values)
    if not low <= high:  # NaN, too
        raise ValueError(f"{low:g} to {high:g}")
    return low, high


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
