"""The plan of an evaluation: what is scored, how, and where the results go."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from SuperResolution3DLib.models.model_card import file_sha256
from SuperResolution3DLib.volumes.box import Box
from SuperResolution3DLib.volumes.geometry import Scale
from Training.data.index import Index, IndexEntry
from Training.data.preparation import PreparationConfig
from Training.evaluation.held_out import HeldOutVolume, held_out_volume
from Training.evaluation.methods import Method
from Training.evaluation.results import result_key
from Training.evaluation.volume_scores import EvaluationConfig
from Training.evaluation.zoom_box import ZoomBox

VERSION = 5  # of what is measured; another one makes old results invalid


@dataclass(frozen=True, eq=False)
class ScoringPlan:
    """What is scored, how, and where the results go."""

    index: Index
    dataset: str
    """its name in tables"""
    entries: Sequence[IndexEntry]
    methods: Sequence[Method]
    scale: Scale
    preparation: PreparationConfig
    measures: EvaluationConfig
    out: Path
    figure_entry: IndexEntry | None = None
    """the volume whose SR volumes are kept for Figure 2"""
    box: ZoomBox | None = None
    """what Figure 2 enlarges; None: where the HR has the most detail"""
    keep_volumes: bool = False
    """write all SR volumes"""
    regions: Mapping[str, Box] = field(default_factory=dict)
    """by file: what of the scored HR (D, H, W) every method is scored on; without a file: all of it"""

    def key(self, method: Method, entry: IndexEntry | None = None) -> str:
        """Return what a result, or the slice statistics of a method, must have been made with."""
        return result_key(
            version=VERSION,
            file=entry and [entry.sha256, entry.orientation],
            method=method.identity,
            scale=self.scale,
            preparation=asdict(self.preparation),
            measures={name: value for name, value in asdict(self.measures).items() if name != "device"},
            inception=self._inception_sha256,
            regions=sorted(self.regions.items()) if entry is None else self.regions.get(entry.file),
        )

    def volume(self, entry: IndexEntry) -> HeldOutVolume:
        return held_out_volume(self.index, entry, self.preparation, self.scale)

    def figure_path(self, method: Method) -> Path:
        """Return where the SR volume for Figure 2 lies: it depends on volume, method and settings."""
        if self.figure_entry is None:
            raise ValueError("No volume was chosen for the figure")
        return self.out / "figure2" / f"{self.key(method, self.figure_entry)[:24]}.npy"

    @cached_property
    def _inception_sha256(self) -> str | None:
        inception = self.measures.inception
        return file_sha256(inception) if inception is not None and inception.is_file() else None
