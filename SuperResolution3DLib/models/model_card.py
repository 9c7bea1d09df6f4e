"""The card inside a model file, read without torch and safetensors.

A model file is a safetensors file: 8 bytes with the length of a JSON header, the header, the tensors. The header's
``__metadata__`` holds one entry of ours, ``superresolution3d``: the card as JSON.
"""

import hashlib
import json
import math
import re
import struct
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.models.input_ranges import InputRanges
from SuperResolution3DLib.models.trust_calibration import TrustCalibration
from SuperResolution3DLib.networks.receptive_field import Footprint
from SuperResolution3DLib.networks.table import network_config
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.output_place import is_file
from SuperResolution3DLib.volumes.scale import upsampling_stages

FORMAT_VERSION = 1
HEADER_KEY = "superresolution3d"
SUFFIX = ".safetensors"
SPACING_SLACK = 1.05  # beyond the model's range without a warning
_LARGEST_HEADER = 10_000_000  # bytes; a longer one is no header of ours
_TEXTS = ("name", "network", "grid", "skip", "modality", "licence", "description", "subject")
_CHOICES: dict[str, tuple[str, ...]] = {
    "grid": ("center", "corner"),
    "skip": ("none", "zero-filled", "consistent"),
    "intensity_from": ("lr", "hr"),
    "axes": ("all", "slice"),
}
_NEVER_EMPTY = ("name", "network", "modality")
_OBJECTS = ("config", "intensity", "training", "metrics", "performance", "input_ranges", "trust", "forward")
_RATE = "_seconds_per_million_voxels"  # how the names of the speeds in ``performance`` end


@dataclass(frozen=True)
class ModelCard:
    """What a model file says of itself."""

    name: str
    """how the model is chosen, for example mr-brain-x4"""
    network: str
    """entry of networks.table.NETWORKS"""
    config: dict[str, Any]
    """arguments of the network's config"""
    scale: tuple[int, int, int]
    """factor per axis (D, H, W) of the canonical RAS orientation; (1, 1, 1) where ``axes`` is slice: as asked for"""
    grid: str
    """center or corner"""
    skip: str
    """none, zero-filled or consistent: the network adds to the zero-filled volume, or to the interpolated slices"""
    intensity: dict[str, Any]
    """arguments of IntensityPolicy"""
    modality: str
    """for example MR T1w; of a blend of two models both, as in MR T1w, MR T2w"""
    spacing_range: tuple[float, float]
    """smallest and largest voxel spacing (mm) of the LR volumes it was trained on; of slices, within their plane"""
    licence: str
    """SPDX name of the model's licence"""
    description: str = ""
    """one sentence for the person who chooses"""
    subject: str = ""
    """what it is for, in two or three words, such as T1 brain; the modality where it is empty"""
    rank: int = 0
    """of the models that fit a volume the one of the highest rank is taken where nobody names one; a new one has 0"""
    training: dict[str, Any] = field(default_factory=dict)
    """recipe: command, seed, steps, sha256 of the config and of every volume; no names"""
    metrics: dict[str, Any] = field(default_factory=dict)
    """measured quality, by data set and method"""
    performance: dict[str, Any] = field(default_factory=dict)
    """seconds per million SR voxels by device; trunk_halo: LR voxels for 1e-3 relative error of a tiled trunk"""
    intensity_from: str = "lr"
    """lr or hr: whose percentiles, or minimum and maximum, became 0 and 1 in training; in use it is always the LR's"""
    axes: str = "all"
    """all, or slice: the model computes what lies between thick slices, along whichever axis they are stacked"""
    slice_spacing_range: tuple[float, float] | None = None
    """smallest and largest distance between slices (mm) that it was trained on; None where ``axes`` is all"""
    forward: dict[str, Any] = field(default_factory=dict)
    """what a model for thick slices assumes of them: the shape of their profile and the noise of the interpolation that
    it adds to; {} where ``axes`` is all, which is the k-space crop of ``scale`` and ``grid``"""
    input_ranges: dict[str, Any] = field(default_factory=dict)
    """what the LR volumes of its training were like: ``InputRanges.to_card``; {}: was not measured"""
    trust: dict[str, Any] = field(default_factory=dict)
    """where its estimate may be off: ``TrustCalibration.to_card``; {}: was not calibrated"""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", tuple(self.scale))
        object.__setattr__(self, "spacing_range", tuple(self.spacing_range))
        if self.slice_spacing_range is not None:
            object.__setattr__(self, "slice_spacing_range", tuple(self.slice_spacing_range))

    @property
    def summary(self) -> str:
        """Return the card in one sentence: ``T1 brain. Faithful.``"""
        return f"{self.subject or self.modality}. {self.description}".strip()

    @property
    def dicom_modalities(self) -> tuple[str, ...]:
        """Return the first word of each modality: MR, CT."""
        return tuple(re.findall(r"(?:^|,)\s*([^\s,]+)", self.modality))

    def fits_modality(self, modality: str) -> bool:
        """Tell whether the model was trained on volumes of a DICOM modality; an unknown one ("") counts as such."""
        return not modality or modality in self.dicom_modalities

    @property
    def enlarges_slices_only(self) -> bool:
        """Tell whether the model is one for thick slices: nothing changes within their plane."""
        return self.axes == "slice"

    def covers(self, spacing: tuple[float, ...]) -> bool:
        """Tell whether voxel spacings (mm) lie in the range that the model was trained on, or 5 % beyond.

        Args:
            spacing: of all axes; of a model for slices, the two within their plane.
        """
        return _lies_in(spacing, self.spacing_range)

    def covers_slices(self, slice_spacing: float) -> bool:
        """Tell whether a distance between slices (mm) lies in the range of the training, or 5 % beyond."""
        return self.slice_spacing_range is not None and _lies_in((slice_spacing,), self.slice_spacing_range)

    def footprint(self) -> Footprint:
        """Return what the network takes of memory and how far it sees, as its config declares.

        Raises:
            ModelError: a network that this program does not have, or a config that it refuses or that lacks a size.
        """
        config = network_config(self.network, self.config)
        unsaid = [item.name for item in fields(config) if item.type is int and item.name not in self.config]
        if unsaid:
            raise ModelError(Sentence("model-config", {"model": self.name, "field": unsaid[0]}))
        return config.footprint()

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: str) -> "ModelCard":
        """Read a card; ``source`` names the file in errors, fields that this program does not know are left out.

        Raises:
            ModelError: not a card, of another format version, or with fields missing or unusable.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ModelError(Sentence("model-not-json", {"file": source, "reason": str(error)})) from error
        if not isinstance(values, dict):
            raise ModelError(Sentence("model-no-object", {"file": source}))
        version = values.get("format_version")
        if version != FORMAT_VERSION:
            given = {"file": source, "version": str(version), "known": FORMAT_VERSION}
            raise ModelError(Sentence("model-version", given))
        required = {item.name for item in fields(cls) if item.default is MISSING and item.default_factory is MISSING}
        if missing := sorted(required - set(values)):
            raise ModelError(Sentence("model-lacks", {"file": source, "fields": ", ".join(missing)}))
        try:  # what a newer program of the same format version added can be left out
            card = cls(**{item.name: values[item.name] for item in fields(cls) if item.name in values})
            card._check()
        except (TypeError, ValueError, OverflowError) as error:
            raise ModelError(Sentence("model-unusable", {"file": source, "reason": str(error)})) from error
        return card

    def _check(self) -> None:
        self._check_types()
        self._check_scale()
        self._check_performance()
        if type(self.rank) is not int:
            raise ValueError(f"rank must be a whole number, not {self.rank!r}")
        InputRanges.from_card(self.input_ranges)
        TrustCalibration.from_card(self.trust)
        for name, choices in _CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise ValueError(f"{name} {value!r} is none of {', '.join(choices)}")
        for values in (self.spacing_range, *([self.slice_spacing_range] if self.enlarges_slices_only else [])):
            are_numbers = values and len(values) == 2 and all(is_finite_number(value) for value in values)
            if not values or not are_numbers or not 0 < values[0] <= values[1]:
                raise ValueError(f"spacing range {values} is not two increasing numbers (mm)")

    def _check_types(self) -> None:
        for name in _TEXTS:
            text = getattr(self, name)
            if not isinstance(text, str):
                raise ValueError(f"{name} must be a text, not {text!r}")
            if name in _NEVER_EMPTY and not text.strip():
                raise ValueError(f"{name} is empty")
        for name in _OBJECTS:
            if not isinstance(getattr(self, name), dict):
                raise ValueError(f"{name} must be a JSON object, not {getattr(self, name)!r}")

    def _check_scale(self) -> None:
        if len(self.scale) != 3 or not all(type(factor) is int and factor >= 1 for factor in self.scale):
            raise ValueError(f"scale {self.scale} is not three whole numbers")
        if not self.enlarges_slices_only:
            upsampling_stages(self.scale)  # refuses what no network of this program can make
        of_card = list(self.scale)
        of_network = self.config.get("scale", of_card)
        if of_network != of_card:
            raise ValueError(f"the card says scale {of_card}, the network's config {of_network!r}")

    def _check_performance(self) -> None:
        for name, value in self.performance.items():
            if name.endswith(_RATE) and not (is_finite_number(value) and value > 0):
                raise ValueError(f"{name} must be a number of seconds above 0, not {value!r}")
        halo = self.performance.get("trunk_halo", 0)
        if type(halo) is not int or halo < 0:
            raise ValueError(f"trunk_halo must be a whole number of LR voxels, not {halo!r}")


def _lies_in(spacing: tuple[float, ...], bounds: tuple[float, float]) -> bool:
    low, high = bounds
    return low <= min(spacing) * SPACING_SLACK and max(spacing) <= high * SPACING_SLACK


def is_finite_number(value: object) -> bool:
    """Tell whether a value of a JSON text is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def read_card(path: Path) -> ModelCard:
    """Read the card of a model file without loading its tensors.

    Raises:
        ModelError: no such file, no safetensors file, or no usable card.
    """
    if not is_file(path, ModelError):
        raise ModelError(Sentence("model-missing", {"path": str(path)}))
    try:
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(_LARGEST_HEADER, path.stat().st_size - 8):
                raise ModelError(Sentence("model-no-header", {"file": path.name}))
            header = json.loads(file.read(length))
        metadata = header.get("__metadata__", {})
    except OSError as error:
        values = {"path": str(path), "reason": error.strerror or str(error)}
        raise ModelError(Sentence("model-unreadable", values)) from error
    except (ValueError, AttributeError) as error:
        raise ModelError(Sentence("model-bad-header", {"file": path.name})) from error
    if not isinstance(metadata, dict) or not isinstance(metadata.get(HEADER_KEY), str):
        raise ModelError(Sentence("model-no-card", {"file": path.name, "key": HEADER_KEY}))
    return ModelCard.from_json(metadata[HEADER_KEY], path.name)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
