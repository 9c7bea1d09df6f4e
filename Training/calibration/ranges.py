"""What the volumes of a model's training were like, for its card."""

from functools import cache

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.inference.trust.input_measures import measure_input
from SuperResolution3DLib.models.input_ranges import InputMeasures, InputRanges
from SuperResolution3DLib.volumes.geometry import Grid, Scale
from SuperResolution3DLib.volumes.intensity import IntensityPolicy
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


def measured_ranges(index: Index, method: ModelMethod) -> InputRanges:
    """Degrade the volumes that a model was trained on, whole, and measure them as its input is measured in use.

    Raises:
        InputError: there is none in the index.
        VolumeError: one cannot be used.
    """
    preparation = method.preparation or PreparationConfig()
    entries = training_entries(index, method)
    countdown, measures = Countdown(len(entries)), []
    for entry in entries:
        with named(entry):
            intensity, scale = method.model.intensity, method.model.card.scale
            measures.append(_measured(index, entry, preparation, intensity, scale, method.grid))
        countdown.tell(f"measured the LR of {entry.file}")
    return InputRanges.of(measures)


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
