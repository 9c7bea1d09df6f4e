"""Volumes in a folder, of whatever origin, with or without a table that says whose they are.

Without a table every volume file below the root is taken (NIfTI, NRRD, MetaImage, MGZ), also behind links; what cannot
be entered or leads nowhere is listed with a problem. Its subject is what follows
``sub-`` in its path (BIDS), or else the first folder below the root, or else its name; folders train/, validation/ and
test/ at the top are a fixed split and no subjects. That errs on the side of too few subjects, never of a leak.

A table (.tsv, or .csv with commas) has a row for each volume and the columns

    subject     whom the volume shows; rows of one subject are never parted
    file        path below the root; also a folder with one DICOM series
    modality    for example MR T1w; training chooses by how it begins
    split       optional: train, validation or test; for all rows or for none

Other columns are ignored.
"""

import csv
import re
from collections import Counter
from pathlib import Path

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.volumes.volume import READ_EXTENSIONS
from Training.data.index import SPLITS, Split
from Training.datasets.data_set import Candidate, DataSet
from Training.datasets.tree import walk

BIDS_SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")
COLUMNS = ("subject", "file", "modality")


def find(root: Path) -> list[Candidate]:
    """Return all volume files below the root."""
    tree = walk(root)
    return [_candidate(path.relative_to(root)) for path in (*filter(_may_be_volume, tree.files), *tree.lost)]


def read_table(table: Path) -> list[Candidate]:
    """Return the files that a table names.

    Raises:
        InputError: it cannot be read, lacks a column, has no rows, rows without a subject or file, a file twice, an
            unknown split, or a split for some rows only.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, delimiter="," if table.suffix.lower() == ".csv" else "\t")
            rows = [{name: (value or "").strip() for name, value in row.items() if name} for row in _strings(reader)]
            columns = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The table {table} cannot be read ({error}); it is a .tsv or .csv file") from error
    missing = [name for name in COLUMNS if name not in columns]
    if missing or not rows:
        raise InputError(
            f"The table {table} has {len(rows)} rows and the columns {', '.join(columns)}; "
            f"{'missing: ' + ', '.join(missing) if missing else 'at least one row is needed'}"
        )
    _check_rows(rows, table)
    return [Candidate(row["subject"], row["file"], row["modality"], _split(row.get("split", ""))) for row in rows]


def _strings(reader: "csv.DictReader[str]") -> list[dict[str, str | None]]:
    return [{name: value for name, value in row.items() if isinstance(name, str)} for row in reader]


def _check_rows(rows: list[dict[str, str]], table: Path) -> None:
    empty = [str(number) for number, row in enumerate(rows, start=2) if not row["subject"] or not row["file"]]
    if empty:
        raise InputError(f"The table {table} has no subject or no file in line {', '.join(empty)}")
    twice = sorted(file for file, count in Counter(row["file"] for row in rows).items() if count > 1)
    if twice:
        raise InputError(f"The table {table} names a file more than once: {', '.join(twice)}")
    splits = Counter(row.get("split", "") for row in rows)
    unknown = sorted(set(splits) - {"", *SPLITS})
    if unknown:
        raise InputError(f"The table {table} has the split {', '.join(unknown)}; it is one of {', '.join(SPLITS)}")
    if 0 < splits[""] < len(rows):
        raise InputError(f"The table {table} has {splits['']} of {len(rows)} rows without a split; fill all or none")


def _may_be_volume(path: Path) -> bool:
    """Say so of volume files, and of links to nowhere that may have been the folder of a subject."""
    try:
        is_lost = path.is_symlink() and not path.exists()
    except OSError:  # a loop of links, or a folder that may not be entered
        is_lost = True
    return path.name.lower().endswith(READ_EXTENSIONS) or (is_lost and not path.suffix)


def _candidate(file: Path) -> Candidate:
    parts = file.parts
    split = _split(parts[0]) if len(parts) > 1 else None
    rest = parts[1:] if split else parts
    bids = BIDS_SUBJECT.search(file.as_posix())
    name = rest[0] if len(rest) > 1 else re.sub(r"(\.nii)?\.[^.]+$", "", file.name)
    return Candidate(bids.group() if bids else name, file.as_posix(), "", split)


def _split(text: str) -> Split | None:
    return next((split for split in SPLITS if split == text), None)


DATA_SET = DataSet(
    "folder",
    "Training/datasets/folder.py",
    tuple(f"**/*{ending}" for ending in READ_EXTENSIONS),
    find,
    takes_table=True,
)
