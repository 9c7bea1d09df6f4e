"""What the volumes of a model's training were like, for its card."""

import logging

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.inference.trust.input_measures import measure_input
from SuperResolution3DLib.models.input_ranges import InputRanges
from Training.data.index import Index, IndexEntry, check_unchanged
from Training.data.preparation import PreparationConfig
from Training.evaluation.held_out import held_out_volume, named
from Training.evaluation.methods import ModelMethod

log = logging.getLogger(__name__)


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
    card, preparation = method.model.card, method.preparation or PreparationConfig()
    measures = []
    for entry in training_entries(index, method):
        with named(entry):
            volume = held_out_volume(index, entry, preparation, card.scale)
            lr = volume.lr(method.grid)
            depth, height, width = (step * factor for step, factor in zip(volume.spacing, card.scale, strict=True))
            measures.append(measure_input(method.model.intensity.fit(lr).to_network(lr), (depth, height, width)))
        log.info("measured %s", entry.file)
    return InputRanges.of(measures)
