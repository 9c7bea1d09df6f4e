"""Score what is computed between thick slices, on simulated slices and on real stacks of one patient.

python Training/evaluate.py --forward slice-profile --index index.json --split validation --model through-plane-mr \
    --slice-spacing 3,4,5,6 --slice-gap 0,0.2,0.3 --out EVALUATION
python Training/evaluate.py --orthogonal stacks.tsv --model through-plane-mr --out EVALUATION

Simulated: each volume is degraded to slices of each spacing and gap. Scored are the voxels in which no slice has its
centre. A volume of thick slices itself serves along the axes of its pixels (--plane). Real: stacks.tsv has the columns
set and file (below its own folder, or --root); stacks of one set are of one patient. Each stack is computed and
compared with what the others measured, after a rigid registration. A thick and a thin stack of one scan, such as two
reconstructions of a CT, give PSNR and the profile of edges across the slices.

The folder gets results.csv, table.md and figure.png (one for each modality of several, or pair of stacks); of simulated
slices also metrics.json (for publish.py) and failures-MODEL.png, the worst patches of the volume drawn last (for
describe.py).
Exit codes: 0 done, 1 bug, 2 bad input.
"""

import argparse
import csv
import json
import logging
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

if __package__ in (None, ""):  # run as a file from a bare checkout, from any folder
    # Not beside it: there others' imports of config, datasets or evaluate would find ours.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

if __name__ == "__main__":  # before PyTorch is imported
    from SuperResolution3DLib.threads import prepare_threads

    prepare_threads()

import torch
from tqdm import tqdm

from SuperResolution3DLib.cli.standard_streams import never_fail
from SuperResolution3DLib.errors import InputError, ModelError
from SuperResolution3DLib.forward.slice_axis import PLANES
from SuperResolution3DLib.forward.slice_profile import SHAPES
from SuperResolution3DLib.inference.devices import choose_device
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.volumes.volume import read_volume
from Training.command_record import without_folders
from Training.data.index import SPLITS, IndexEntry, read_entry, read_index
from Training.evaluation.held_out import held_out_entries
from Training.evaluation.orthogonal_stacks import Stack, StackPair, score_set
from Training.evaluation.perceptual_metrics import Lpips
from Training.evaluation.seen_volumes import contents
from Training.evaluation.simulated_slices import SliceScan, SliceScore, fits, is_fine, score_volume
from Training.evaluation.slice_methods import SliceMethod, interpolation_methods, model_methods
from Training.evaluation.slice_results import METRICS, RESULTS
from Training.exit_code import exit_code
from Training.reporting.slice_figure import draw_slices
from Training.reporting.slice_tables import simulated_tables, stack_tables
from Training.reporting.stack_figure import draw_stack_figure
from Training.whole_file import whole_file

log = logging.getLogger(__name__)


def wanted(arguments: Sequence[str]) -> bool:
    """Tell whether a command line of evaluate.py asks for an evaluation on slices."""
    return any(word.partition("=")[0] in ("--forward", "--orthogonal") for word in arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    never_fail()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = sys.argv[1:] if arguments is None else arguments
    options = make_parser().parse_args(given)
    command = shlex.join(["python", "Training/evaluate.py", *without_folders(given)])
    return exit_code(lambda: run(options, command))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog="evaluate.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--forward", choices=("slice-profile",), help="simulate thick slices of the volumes of --index")
    add("--orthogonal", type=Path, metavar="TSV", help="score on real stacks of one patient")
    add("--root", type=Path, metavar="DIR", help="folder of the files in the TSV (default: the TSV's own)")
    add("--index", type=Path, help="index.json of prepare.py; volumes that are fine along the axis of the slices")
    add("--split", choices=SPLITS, default="test", help="part of the index's own split (default: test)")
    add(
        "--modality",
        nargs="+",
        default=[""],
        help="only volumes whose modality begins with this, such as 'MR T1w'; of several "
        "each has its tables, and there is the mean over them",
    )
    add("--out", required=True, type=Path, help="folder of the results")
    add("--model", nargs="+", action="extend", default=[], metavar="[LABEL=]MODEL", help="model files, or names")
    add("--ensemble", action="store_true", help="one more row per model: the mean over the eight mirror images")
    add(
        "--slice-spacing",
        type=_numbers,
        default=(3.0, 4.0, 5.0, 6.0),
        metavar="MM,...",
        help="apart (default: 3,4,5,6)",
    )
    add(
        "--slice-gap",
        type=_numbers,
        default=(0.0, 0.2, 0.3),
        metavar="SHARE,...",
        help="of the spacing (default: 0,0.2,0.3)",
    )
    add("--plane", nargs="+", choices=PLANES, default=["axial"], help="of the slices (default: axial)")
    add("--profile", choices=SHAPES, default="gaussian", help="what slices measure; methods are told gaussian")
    add(
        "--figure-volume", metavar="FILE", help="which volume is drawn, as the index names it (default: the first ones)"
    )
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    add("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="number format (default: auto)")
    add("--threads", type=int, default=0, help="CPU threads; on a machine with other work 1 is the quickest")
    add("--lpips", choices=("alex", "none"), default="alex", help="its backbone, over the views through the slices")
    add("--lpips-stride", type=int, default=4, metavar="N", help="LPIPS looks at every N-th slice of each view")
    return parser


def run(options: argparse.Namespace, command: str = "") -> None:
    """Evaluate.

    Raises:
        InputError: anything that a person can put right.
    """
    if (options.orthogonal is None) == (options.forward is None):
        raise InputError("Give either --forward slice-profile with --index, or --orthogonal with a table of stacks")
    if options.threads:
        torch.set_num_threads(options.threads)
    settings = EngineSettings(str(choose_device(options.device)), options.precision)
    methods = interpolation_methods()
    for given in options.model:
        methods += model_methods(given, settings, with_ensemble=options.ensemble)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{options.out} cannot be made ({error.strerror}); choose another --out") from error
    if options.orthogonal is not None:
        pairs = list(_stack_pairs(options, methods))
        rows, table = [score.row() for pair in pairs for score in pair.scores], stack_tables(pairs, command)
        for number, pair in enumerate(pairs, 1):
            draw_stack_figure(options.out / ("figure.png" if len(pairs) == 1 else f"figure-{number}.png"), pair)
    else:
        slices = list(_simulated_scores(options, methods))
        rows, table = [score.row() for score in slices], simulated_tables(slices, command)
    _write(options.out, rows, table)
    if options.orthogonal is None:
        _write_means(options.out / METRICS, slices)
    print(table)


def _simulated_scores(options: argparse.Namespace, methods: list[SliceMethod]) -> Iterator[SliceScore]:
    if options.index is None:
        raise InputError("--forward slice-profile needs the --index of isotropic volumes")
    index = read_index(options.index)
    by_modality = [
        (modality, held_out_entries(index, options.index.parent, split=options.split, fold=None, modality=modality))
        for modality in options.modality
    ]
    if options.split != "train":
        _refuse_seen(methods, [entry for _, entries in by_modality for entry in entries])
    lpips = _lpips(options)
    scans = [
        SliceScan(plane, spacing, gap, options.profile)
        for plane in options.plane
        for spacing in options.slice_spacing
        for gap in options.slice_gap
    ]
    pictures: set[str] = set()
    chosen = [(modality, entry) for modality, entries in by_modality for entry in entries]
    if options.figure_volume not in (None, *(entry.file for _, entry in chosen)):
        raise InputError(f"--figure-volume {options.figure_volume} is none of {', '.join(e.file for _, e in chosen)}")
    for modality, entry in tqdm(chosen, unit="volume", disable=None):
        for plane in options.plane:
            if not is_fine(entry.spacing, plane):
                log.warning("%s has no %s slices: its voxels are too coarse across them", entry.file, plane)
        fine = [scan for scan in scans if is_fine(entry.spacing, scan.plane)]
        possible = [scan for scan in fine if fits(entry.shape, entry.spacing, scan)]
        for scan in fine:
            if scan not in possible:
                log.warning("%s is too short for %s slices every %g mm", entry.file, scan.plane, scan.spacing)
        if not possible:
            continue
        volume = read_entry(index.root, entry)
        if modality not in pictures and options.figure_volume in (None, entry.file):
            pictures.add(modality)
            name = "figure.png" if len(by_modality) == 1 else f"figure-{len(pictures)}.png"
            shown = possible[len(possible) // 2]
            draw_slices(options.out / name, volume, shown, methods, modality or entry.modality)
        yield from score_volume(volume, entry.file, modality or entry.modality, possible, methods, lpips)


def _refuse_seen(methods: Sequence[SliceMethod], entries: Sequence[IndexEntry]) -> None:
    """Make sure that no model was trained on a volume that it is scored on."""
    for method in methods:
        seen = contents(method.model.card.training) if method.model else set()
        if leaked := [entry.file for entry in entries if entry.sha256 in seen]:
            raise InputError(f"{method.name} was trained on {', '.join(leaked)}; score it on others (--split)")


def _stack_pairs(options: argparse.Namespace, methods: list[SliceMethod]) -> Iterator[StackPair]:
    table: Path = options.orthogonal
    root = options.root or table.parent
    try:
        with table.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{table} cannot be read ({error}); it is a TSV with the columns set and file") from error
    if not rows or not {"set", "file"} <= rows[0].keys():
        raise InputError(f"{table} is no TSV with the columns set and file")
    sets = dict.fromkeys(row["set"] for row in rows)
    for name in tqdm(sets, unit="set", disable=None):
        files = [row["file"] for row in rows if row["set"] == name]
        stacks = [Stack(file, read_volume(root / file)) for file in files]
        yield from score_set(name, stacks, methods)


def _lpips(options: argparse.Namespace) -> Lpips | None:
    if options.lpips == "none":
        return None
    try:
        return Lpips(stride=options.lpips_stride, device=choose_device(options.device))
    except ModelError as error:
        log.warning("Without LPIPS: %s", error)
        return None


def _write(out: Path, rows: Sequence[dict[str, object]], table: str) -> None:
    if not rows:
        raise InputError("Nothing was scored: no volume or stack of this kind is there")
    with whole_file(out / RESULTS) as path, path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with whole_file(out / "table.md") as path:
        path.write_text(table, "utf-8")


def _write_means(path: Path, scores: Sequence[SliceScore]) -> None:
    """Write the mean of each method, which goes into a model's card (Training/publish.py)."""
    spacings, gaps = (sorted({getattr(score, name) for score in scores}) for name in ("spacing", "gap"))
    means = {}
    for method in dict.fromkeys(score.method for score in scores):
        own = [score for score in scores if score.method == method]
        given = {name: _present(own, name) for name in ("lpips", "tissue_dice")}
        means[method] = {
            "psnr": sum(score.psnr for score in own) / len(own),
            "ssim": sum(score.ssim for score in own) / len(own),
            **{name: sum(values) / len(values) for name, values in given.items() if values},
        }
    values = {
        "protocol": f"slices every {', '.join(f'{value:g}' for value in spacings)} mm, gap "
        f"{', '.join(f'{value:.0%}' for value in gaps)}; PSNR and SSIM of voxels without a slice's centre",
        "volumes": sorted({score.file for score in scores}),
        "mean": means,
    }
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1), "utf-8")


def _present(scores: Sequence[SliceScore], name: str) -> list[float]:
    return [value for score in scores if (value := getattr(score, name)) is not None]


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"wanted numbers with commas between them, got {text!r}") from error


if __name__ == "__main__":
    sys.exit(main())
