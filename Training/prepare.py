"""Make the index of a data set and its folds, which training starts from.

python Training/prepare.py --dataset oasis --root DIR --out index.json

Every volume is read to its end once; what cannot be used is listed. The index (subject, file, modality, spacing,
shape, split, checks) is written to --out, and the folds, by subject, to splits.json beside it. The volumes themselves
stay where they are and as they are.
"""

import argparse
import importlib
import sys
from collections import Counter, defaultdict
from pathlib import Path

if __package__ in (None, ""):  # run as a file from a bare checkout, from any folder
    # Not beside it: there others' imports of config, datasets or evaluate would find ours.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tqdm import tqdm

from SuperResolution3DLib.cli.standard_streams import never_fail
from SuperResolution3DLib.errors import InputError, SuperResolutionError, readable
from SuperResolution3DLib.volumes.output_place import check_place
from Training.data.index import SPLITS, Index, IndexEntry, fingerprint, refuse_problems, write_index
from Training.data.splits import FILE_NAME, Splits, check_leaks, make_splits, write_splits
from Training.data.survey import inspect_all
from Training.data.worker_pool import pool_size
from Training.datasets.data_set import Candidate, DataSet
from Training.datasets.folder import read_table
from Training.datasets.table import DATA_SETS

DEFAULT_FOLDS = 5
WORTH_A_POOL = 100_000_000  # bytes to read, which take seconds: as long as processes take to start
READING_FACTOR = 8  # memory that reading a volume takes, in sizes of its file: unpacked, turned, checked


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    never_fail()
    options = make_parser().parse_args(arguments)
    try:
        run(options)
    except SuperResolutionError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; its help ends with what is looked for in each data set."""
    data_sets = "\n\n".join(
        f"--dataset {name}\n{importlib.import_module(DATA_SETS[name]).__doc__}" for name in DATA_SETS
    )
    parser = argparse.ArgumentParser(
        prog="prepare.py", description=__doc__, epilog=data_sets, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", required=True, choices=DATA_SETS, help="which data set, see below")
    parser.add_argument(
        "--root", required=True, type=Path, help="folder that holds it, as its publisher distributes it"
    )
    parser.add_argument("--out", required=True, type=Path, help="index file to write, for example index.json")
    parser.add_argument(
        "--table", type=Path, help="names the files (folder, mouse-mrh): subject, file, modality[, split]"
    )
    parser.add_argument(
        "--modality", default="", help="of volumes whose modality nothing tells (folder without a table)"
    )
    parser.add_argument(
        "--folds",
        type=int,
        help="number of folds, 0 for none; default 5, or none where the data have a split of their own",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the folds; default 0")
    parser.add_argument("--drop-problems", action="store_true", help="leave unusable volumes out of the index")
    parser.add_argument(
        "--workers", type=int, default=0, help="processes that read volumes; default: the processors, as memory allows"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the index and the folds")
    return parser


def run(options: argparse.Namespace) -> None:
    """Make index and folds, and print a summary.

    Raises:
        InputError: nothing there, nothing usable, a table that cannot be used, a leak, too few subjects, or files that
            exist.
    """
    splits_file = options.out.parent / FILE_NAME
    check_place(options.out, overwrite=options.overwrite)
    if options.out.name == FILE_NAME:
        raise InputError(f"{FILE_NAME} is the name of the folds; give the index another one with --out")
    data_set: DataSet = importlib.import_module(DATA_SETS[options.dataset]).DATA_SET
    candidates = _candidates(data_set, options)
    has_split = any(candidate.split for candidate in candidates)
    num_folds = options.folds if options.folds is not None else 0 if has_split else DEFAULT_FOLDS
    if num_folds:
        check_place(splits_file, overwrite=options.overwrite)
    num_workers = _num_workers(options, candidates)
    inspected = inspect_all(options.root, candidates, data_set.check, num_workers)
    entries = list(tqdm(inspected, total=len(candidates), desc="reading volumes", unit="volume", disable=None))
    kept = [entry for entry in entries if not (options.drop_problems and entry.problem)]
    if not kept:
        refuse_problems([(entry, entry.problem) for entry in entries], "cannot be used, and there are no others")
    index = Index(data_set.name, options.root, tuple(kept))
    check_leaks(index)
    splits = make_splits(index, num_folds, options.seed) if num_folds else None
    write_index(options.out, index)
    if splits:
        write_splits(splits_file, splits)
    print(summary(entries, splits, dropped=options.drop_problems))
    print(f"wrote {options.out}{f' and {splits_file}' if splits else ''}")


def summary(entries: list[IndexEntry], splits: Splits | None, *, dropped: bool) -> str:
    """Return a table by modality, the parts, and the problems, as text."""
    groups = defaultdict(list)
    for entry in entries:
        groups[entry.modality or "(none)"].append(entry)
    rows: list[tuple[str, ...]] = [("MODALITY", "SUBJECTS", "VOLUMES", "UNUSABLE", "SPACING (mm)", "SHAPE (S, A, R)")]
    rows += [_row(modality, group) for modality, group in sorted(groups.items())]
    if len(groups) > 1:
        rows.append(_row("all", entries))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    parts = Counter(entry.split for entry in entries if entry.split)
    if parts:
        lines.append("split: " + ", ".join(f"{parts[part]} {part}" for part in SPLITS if parts[part]))
    if splits:
        sizes = ", ".join(str(len(fold)) for fold in splits.folds)
        lines.append(f"folds: {sizes} subjects (seed {splits.seed}){', of train' if parts else ''}")
    bad = [entry for entry in entries if entry.problem]
    if bad:
        lines.append(f"{len(bad)} cannot be used{', and were left out' if dropped else ''}:")
        lines += [f"  {readable(f'{entry.subject}: {entry.file}: {entry.problem}')}" for entry in bad]
    if bad and not dropped:
        lines.append("Training refuses them: repair them, or leave them out with --drop-problems --overwrite")
    return "\n".join(lines)


def _candidates(data_set: DataSet, options: argparse.Namespace) -> list[Candidate]:
    if options.table is None:
        found = data_set.candidates(options.root)
    elif data_set.takes_table:
        data_set.check_root(options.root)
        found = sorted(read_table(options.table), key=lambda candidate: candidate.file)
    else:
        raise InputError(f"{data_set.name} needs no table; --table goes with --dataset folder or mouse-mrh")
    return [Candidate(c.subject, c.file, c.modality or options.modality, c.split, c.orientation) for c in found]


def _num_workers(options: argparse.Namespace, candidates: list[Candidate]) -> int:
    sizes = [0]
    for candidate in candidates:
        try:
            sizes.append(fingerprint(options.root / candidate.file)[0])
        except (OSError, ValueError):  # told when the file is inspected
            continue
    if not options.workers and sum(sizes) < WORTH_A_POOL:
        return 1
    return pool_size(options.workers, len(candidates), max(sizes) * READING_FACTOR)


def _row(name: str, entries: list[IndexEntry]) -> tuple[str, ...]:
    usable = [entry for entry in entries if not entry.problem]
    subjects = len({entry.subject for entry in entries})
    spacings = [size for entry in usable for size in entry.spacing]
    spacing = f"{min(spacings):.3g} to {max(spacings):.3g}" if spacings else "-"
    smallest, largest = (
        " x ".join(str(choose(entry.shape[axis] for entry in usable)) for axis in range(3)) if usable else "-"
        for choose in (min, max)
    )
    shape = smallest if smallest == largest else f"{smallest} to {largest}"
    return name, str(subjects), str(len(entries)), str(len(entries) - len(usable)), spacing, shape


if __name__ == "__main__":
    sys.exit(main())
