"""What the volumes of a model's training were like, for its card."""

from dataclasses import replace
from functools import cache

import numpy as np

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.inference.trust.input_measures import measure_input
from SuperResolution3DLib.models.input_ranges import InputMeasures, InputRanges
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.volumes.geometry import Grid, Scale
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
from Training.calibration.slice_stacks import DrawnSlices, drawn_in, slice_stacks
from Training.data.index import Index, IndexEntry, check_unchanged
from Training.data.preparation import PreparationConfig
from Training.evaluation.held_out import held_out_volume, named
from Training.evaluation.methods import ModelMethod
from Training.evaluation.progress import Countdown


def training_entries(index: Index, method: ModelMethod) -> list[IndexEntry]:
    """Return the volumes of an index that a model was trained on, in order of their files.

    Raises:
        InputError: there is none, or a file was changed since it was read.
    """
    seen = method.trained_on()
    entries = sorted((entry for entry in index.entries if entry.sha256 in seen), key=lambda entry: entry.file)
    if not entries:
        raise InputError(
            f"None of the {len(index.entries)} volumes of the index is one that {method.name} was trained on "
            f"({len(seen)} in its card); give the index of its training"
        )
    check_unchanged(index, entries)
    return entries


def with_ranges(index: Index, method: ModelMethod) -> ModelCard:
    """Return a model's card with the ranges of the volumes that it was trained on.

    They are degraded, whole, and measured as its input is measured in use.

    Raises:
        InputError: there is none in the index.
        VolumeError: one cannot be used.
    """
    card, measures = method.model.card, []
    preparation = method.preparation or PreparationConfig()
    entries = training_entries(index, method)
    countdown = Countdown(len(entries))
    for entry in entries:
        with named(entry):
            intensity = method.model.intensity
            if card.enlarges_slices_only:
                measures += _of_slices(index, entry, preparation, intensity, drawn_in(card))
            else:
                measures.append(_measured(index, entry, preparation, intensity, card.scale, method.grid))
        countdown.tell(f"measured the LR of {entry.file}")
    ranges = replace(InputRanges.of(measures), volumes=len(entries))
    if card.slice_spacing_range is not None:  # which patches had, not these few stacks
        ranges = replace(ranges, spacing=(card.slice_spacing_range, card.spacing_range, card.spacing_range))
    return replace(card, input_ranges=ranges.to_card())


def _of_slices(
    index: Index, entry: IndexEntry, preparation: PreparationConfig, intensity: IntensityPolicy, drawn: DrawnSlices
) -> list[InputMeasures]:
    volume = held_out_volume(index, entry, preparation, (1, 1, 1))
    measures = []
    for lr, spacing in slice_stacks(volume.hr.astype(np.float32), volume.spacing, intensity, drawn):
        measures += [measure_input(lr, spacing, thick_slices=True)]
    return [*measures, *map(InputMeasures.turned, measures)]


@cache  # a companion was trained on the same volumes
def _measured(
    index: Index,
    entry: IndexEntry,
    preparation: PreparationConfig,
    intensity: IntensityPolicy,
    scale: Scale,
    grid: Grid,
) -> InputMeasures:
    volume = held_out_volume(index, entry, preparation, scale)
    lr = volume.lr(grid)
    depth, height, width = (step * factor for step, factor in zip(volume.spacing, scale, strict=True))
    return measure_input(intensity.fit(lr).to_network(lr), (depth, height, width))
