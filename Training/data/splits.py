"""Who trains and who validates: the data set's own split, or folds by subject that are drawn once and stored."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from SuperResolution3DLib.errors import InputError
from Training.data.index import SPLITS, Index, IndexEntry, read_json, refuse_problems, write_json

FILE_NAME = "splits.json"  # beside the index


@dataclass(frozen=True)
class Splits:
    """Folds of an index: each subject stands in exactly one, with all its volumes."""

    seed: int
    folds: tuple[tuple[str, ...], ...]
    """Subjects of each fold"""


@dataclass(frozen=True)
class Selection:
    """The volumes of a run, in order of their files."""

    train: tuple[IndexEntry, ...]
    validation: tuple[IndexEntry, ...]


def make_splits(index: Index, num_folds: int, seed: int) -> Splits:
    """Deal the subjects into folds whose numbers of subjects differ by one at the most, every modality spread evenly.

    Where the data set has a fixed split, only the subjects of ``train`` are dealt; the others stay what they are.

    Raises:
        InputError: fewer subjects than folds, or less than two folds.
    """
    modalities = defaultdict(set)
    for entry in _foldable(index):
        modalities[entry.subject].add(entry.modality)
    if num_folds < 2 or num_folds > len(modalities):
        raise InputError(
            f"{num_folds} folds of {len(modalities)} training subjects: at least 2 folds and a subject for each are "
            "needed; choose another --folds, or 0 for none"
        )
    random = np.random.default_rng(seed)
    shuffled = [sorted(modalities)[i] for i in random.permutation(len(modalities))]
    dealt = sorted(shuffled, key=lambda subject: sorted(modalities[subject]))  # stable: shuffled within a modality
    return Splits(seed, tuple(tuple(sorted(dealt[fold::num_folds])) for fold in range(num_folds)))


def read_splits(path: Path) -> Splits:
    """Read the folds beside an index.

    Raises:
        InputError: no such file, or none of this version.
    """
    if not path.exists():
        raise InputError(
            f"There are no folds beside the index ({path}), as where the data have a split of their own; make them "
            "with Training/prepare.py --folds 5 --overwrite"
        )
    content = read_json(path, "splits")
    try:
        return Splits(int(content["seed"]), tuple(tuple(map(str, fold)) for fold in content["folds"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} holds no folds ({error}); make it with Training/prepare.py") from error


def write_splits(path: Path, splits: Splits) -> None:
    """Write the folds.

    Raises:
        OutputError: the file cannot be written.
    """
    write_json(path, "splits", {"seed": splits.seed, "folds": splits.folds})


def select(index: Index, folder: Path, fold: int | None, modality: str = "") -> Selection:
    """Return the volumes that train and those that validate.

    Args:
        index: the data set.
        folder: where its ``splits.json`` lies; read only for a fold.
        fold: the fold that validates, the others train; None takes the data set's fixed split.
        modality: take only volumes whose modality begins so; "" takes all.

    Raises:
        InputError: a subject or a volume stands on both sides, a volume is there twice, there is no such fold or no
            fixed split, nothing is left on one side, the folds are those of other subjects, or volumes that would be
            taken cannot be used (all of them are listed).
    """
    check_leaks(index)
    if fold is None:
        if all(entry.split is None for entry in index.entries):
            raise InputError(
                f"The index of {index.dataset} has no split of its own; choose a fold with data.fold, from 0, or give "
                "Training/prepare.py volumes with a split: folders train/ and validation/, or a table that says it"
            )
        train = [entry for entry in index.entries if entry.split == "train"]
        validation = [entry for entry in index.entries if entry.split == "validation"]
        part = "the validation part"
    else:
        splits = read_splits(folder / FILE_NAME)
        _check_splits(splits, index, folder / FILE_NAME)
        if not 0 <= fold < len(splits.folds):
            raise InputError(
                f"There is no fold {fold}: {folder / FILE_NAME} has the folds 0 to {len(splits.folds) - 1}"
            )
        held_out = set(splits.folds[fold])
        train = [entry for entry in _foldable(index) if entry.subject not in held_out]
        validation = [entry for entry in _foldable(index) if entry.subject in held_out]
        part = f"fold {fold}"
    chosen = Selection(_of_modality(train, modality), _of_modality(validation, modality))
    for entries, name in ((chosen.train, "the training part"), (chosen.validation, part)):
        if not entries:
            raise InputError(_nothing_left(index, name, modality))
    bad = [(entry, entry.problem) for entry in (*chosen.train, *chosen.validation) if entry.problem]
    refuse_problems(bad, "cannot be used; repair them, or leave them out with Training/prepare.py --drop-problems")
    return chosen


def check_leaks(index: Index) -> None:
    """Make sure that no subject stands in two parts of a fixed split, and that no volume is there twice.

    Raises:
        InputError: one of them does; all are named.
    """
    subjects = {split: {entry.subject for entry in index.entries if entry.split == split} for split in SPLITS}
    for one, other in combinations(SPLITS, 2):
        both = sorted(subjects[one] & subjects[other])
        if both:
            raise InputError(f"Subjects stand in {one} and in {other}: {', '.join(both)}; put each on one side")
    by_content = defaultdict(list)
    for entry in index.entries:
        if not entry.problem:
            by_content[entry.sha256].append(entry)
    twice = [" = ".join(f"{e.subject} ({e.file})" for e in same) for same in by_content.values() if len(same) > 1]
    files = [file for file, count in Counter(entry.file for entry in index.entries).items() if count > 1]
    if twice or files:
        raise InputError(
            f"The same volume is in the index more than once: {'; '.join(twice or files)}; keep one of each"
        )


def _check_splits(splits: Splits, index: Index, path: Path) -> None:
    counts = Counter(subject for fold in splits.folds for subject in fold)
    twice = sorted(subject for subject, count in counts.items() if count > 1)
    if twice:
        raise InputError(f"{path} has subjects more than once: {', '.join(twice)}; put each into one fold")
    subjects = {entry.subject for entry in _foldable(index)}
    missing, unknown = sorted(subjects - set(counts)), sorted(set(counts) - subjects)
    if missing or unknown:
        parts = [f"without {', '.join(missing)}"] if missing else []
        parts += [f"with {', '.join(unknown)}"] if unknown else []
        raise InputError(f"{path} belongs to another index ({' and '.join(parts)}); run Training/prepare.py again")


def _foldable(index: Index) -> list[IndexEntry]:
    """Return the volumes that folds are made of: all, or ``train`` where the data set has a fixed split."""
    fixed = any(entry.split for entry in index.entries)
    return [entry for entry in index.entries if not fixed or entry.split == "train"]


def _of_modality(entries: list[IndexEntry], modality: str) -> tuple[IndexEntry, ...]:
    chosen = (entry for entry in entries if entry.modality.startswith(modality))
    return tuple(sorted(chosen, key=lambda entry: entry.file))


def _nothing_left(index: Index, part: str, modality: str) -> str:
    if not modality:
        return f"There is no volume in {part} of {index.dataset}"
    known = ", ".join(sorted({entry.modality or "(none)" for entry in index.entries}))
    return f"There is no volume of modality {modality!r} in {part} of {index.dataset}; the index has {known}"
