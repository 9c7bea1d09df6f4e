"""What an evaluation is asked for, and the plan that comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ArgumentError, ArgumentParser

from SuperResolution3DLib.errors import InputError, readable
from SuperResolution3DLib.inference.devices import choose_device
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.metrics.evaluation_protocols import PROTOCOLS, Protocol
from SuperResolution3DLib.volumes.geometry import Scale
from Training.command_record import without_folders
from Training.config_file import read_fields
from Training.data.index import IndexEntry, Split, read_index
from Training.data.preparation import PreparationConfig
from Training.evaluation.existing_volumes import common_regions, existing_volumes
from Training.evaluation.held_out import held_out_entries
from Training.evaluation.methods import (
    INTERPOLATIONS,
    PAPER_OVERLAP,
    PAPER_WINDOW,
    VARIANTS,
    IntensitySource,
    InterpolationMethod,
    Method,
    check_methods,
    model_method,
    with_variants,
)
from Training.evaluation.perceptual_metrics import Net
from Training.evaluation.plan import ScoringPlan
from Training.evaluation.provenance import common_preparation
from Training.evaluation.volume_scores import EvaluationConfig
from Training.evaluation.zoom_box import ZoomBox


@dataclass(frozen=True)
class EvaluationRequest:
    """What an evaluation is asked for; the options of ``evaluate.py`` explain the fields."""

    index: Path
    out: Path
    split: Split = "test"
    fold: int | None = None
    modality: str = ""
    dataset: str | None = None
    model: tuple[str, ...] = ()
    sr: tuple[str, ...] = ()
    interpolations: tuple[str, ...] = ()
    """none at all: all of them if there is no model"""
    scale: Scale | None = None
    preparation: PreparationConfig | None = None
    protocol: Protocol | Literal["both"] = "both"
    windows: Literal["engine", "paper"] = "engine"
    intensity: IntensitySource | None = None
    ensemble: bool = False
    projected: bool = False
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    lpips: Net | Literal["none"] = "alex"
    lpips_stride: int = 1
    inception: Path | None = None
    reference: str | None = None
    keep_volumes: bool = False
    figures: bool = True
    report: bool = True
    figure_volume: str | None = None
    box: ZoomBox | None = None

    def plan(self) -> ScoringPlan:
        """Return what is scored, with everything refused that can be.

        Raises:
            InputError: no volumes, no methods, methods that do not go together, or an unknown volume for the figure.
            ModelError: a model that is not there, or damaged.
        """
        index = read_index(self.index)
        entries = held_out_entries(index, self.index.parent, split=self.split, fold=self.fold, modality=self.modality)
        methods = [*self._methods(), *(existing_volumes(chosen, entries) for chosen in self.sr)]
        plan = ScoringPlan(
            index=index,
            dataset=readable(self.dataset or index.dataset),
            entries=entries,
            methods=methods,
            scale=check_methods(methods, self.scale),
            preparation=self.preparation or common_preparation(methods),
            measures=self.measures(),
            out=self.out,
            figure_entry=self._figure_entry(entries) if self.figures else None,
            box=self.box,
            keep_volumes=self.keep_volumes,
        )
        return replace(plan, regions=common_regions(plan))

    def measures(self) -> EvaluationConfig:
        """Return what is measured.

        Raises:
            InputError: a number that is none of its kind, or a device that is not there.
        """
        if self.lpips_stride < 1 or self.threads < 0:
            raise InputError(
                f"--lpips-stride must be 1 or more, --threads not negative; got {self.lpips_stride} and {self.threads}"
            )
        return EvaluationConfig(
            protocols=PROTOCOLS[::-1] if self.protocol == "both" else (self.protocol,),
            lpips=None if self.lpips == "none" else self.lpips,
            stride=self.lpips_stride,
            inception=self.inception,
            device=str(choose_device(self.device)),
        )

    def recorded(self) -> dict[str, Any]:
        """Return the fields as a report shows them, without folders and without those that say nothing."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _recorded(value) for name, value in values.items() if value not in (None, ())}

    def _methods(self) -> list[Method]:
        """Return the rows of the table: interpolations, then models as they were given."""
        names = self.interpolations or (("none",) if self.model else ("all",))
        chosen = [name for name in INTERPOLATIONS if name in names or "all" in names]
        paper = self.windows == "paper"
        settings = EngineSettings(
            self.device, self.precision, window=PAPER_WINDOW if paper else None, overlap=PAPER_OVERLAP
        )
        variants = [variant for variant in VARIANTS if getattr(self, variant)]
        models = [
            row
            for name in self.model
            for row in with_variants(
                model_method(name, settings, intensity_from=self.intensity, paper_windows=paper), variants
            )
        ]
        return [*(InterpolationMethod(name) for name in chosen), *models]

    def _figure_entry(self, entries: Sequence[IndexEntry]) -> IndexEntry:
        for entry in entries:
            if self.figure_volume in (None, entry.file):
                return entry
        raise InputError(
            f"--figure-volume {self.figure_volume} is none of {', '.join(entry.file for entry in entries)}"
        )


def read_request(path: Path) -> EvaluationRequest:
    """Read the fields from a YAML file.

    Raises:
        InputError: it cannot be read, or has fields that are missing, unknown or of another type.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(EvaluationRequest)
    try:
        return EvaluationRequest(**parser.instantiate(parser.parse_object(read_fields(path))))
    except (ArgumentError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read as the options of an evaluation: {error}") from error


def _recorded(value: Any) -> Any:
    if isinstance(value, tuple):
        return without_folders(map(str, value))
    return value if isinstance(value, int | float) else without_folders([str(value)])[0]
