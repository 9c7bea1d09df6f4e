"""Write a model's page: use, data and licences, ranges, quality against every baseline, curve, known failures.

python Training/describe.py mr-brain-x4 --evaluation EVALUATION --log RUN/log.jsonl --table DATA/MANIFEST.tsv \
    --failure "Sulci narrower than a voxel may close." --out Resources/Documentation/models

OUT/NAME.md holds what the model's header says; with a folder of evaluate.py also its table and, beside the page, the
picture of the model's worst patches in the volume of Figure 2: have that drawn of a volume that may be published
(evaluate.py --figure-volume FILE). The row of the model must have its name.
Exit codes: 0 done, 1 bug, 2 bad input.
"""

import argparse
import csv
import json
import re
import sys
from collections import Counter
from pathlib import Path

if __package__ in (None, ""):  # run as a file from a bare checkout, from any folder
    # Not beside it: there others' imports of config, datasets or evaluate would find ours.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from SuperResolution3DLib.cli.standard_streams import never_fail
from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.models.model_card import file_sha256, read_card
from Training.evaluation.results import read_evaluation
from Training.evaluation.seen_volumes import contents
from Training.evaluation.slice_results import read_slice_results
from Training.exit_code import exit_code
from Training.reporting.failures_figure import failures_path
from Training.reporting.model_page import ModelFacts, model_page
from Training.whole_file import whole_file

UNKNOWN = "not in the table"
SCORES = ("psnr", "ssim", "lpips")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    never_fail()
    parser = argparse.ArgumentParser(
        prog="describe.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("model", help="model file, or name of an installed model")
    add("--out", required=True, type=Path, help="folder for NAME.md and its picture")
    add("--evaluation", type=Path, help="folder of evaluate.py")
    add("--log", type=Path, nargs="+", default=[], help="log.jsonl of the training, or of its stretches in order")
    add("--table", type=Path, help="table with the columns sha256 and licence, tab-separated")
    add("--failure", action="append", default=[], metavar="TEXT", help="a known failure, may be repeated")
    options = parser.parse_args(arguments)
    return exit_code(lambda: describe(options))


def describe(options: argparse.Namespace) -> None:
    """Write the page.

    Raises:
        InputError: a file cannot be read, or the evaluation has no row of the model's name.
        OutputError: the page cannot be written.
    """
    path = find_model(options.model)
    card = read_card(path)
    licences = None if options.table is None else licences_of(contents(card.training), options.table)
    evaluation, slices, picture = None, None, ""
    if options.evaluation is not None:
        if card.enlarges_slices_only:
            slices = read_slice_results(options.evaluation, card.name)
        else:
            record, results, _ = read_evaluation(options.evaluation)
            if card.name not in record.methods:
                raise InputError(f"{options.evaluation} has no row {card.name}, only {', '.join(record.methods)}")
            evaluation = (record, results)
        drawn = failures_path(options.evaluation, card.name)
        if drawn.exists():
            picture = f"{card.name}-failures.png"
            with whole_file(options.out / picture) as temporary:
                temporary.write_bytes(drawn.read_bytes())
    curve = curve_of(options.log)
    facts = ModelFacts(card, file_sha256(path), licences, evaluation, slices, curve, options.failure, picture)
    page = options.out / f"{card.name}.md"
    with whole_file(page) as temporary:
        temporary.write_text(model_page(facts), "utf-8")
    print(f"wrote {page}")


def licences_of(seen: set[str], table: Path) -> dict[str, int]:
    """Count volumes by licence, the most frequent first.

    Args:
        seen: sha256 of the volumes.
        table: tab-separated, with the columns sha256 and licence; of a licence what stands before a remark counts.

    Raises:
        InputError: the table cannot be read, or lacks a column.
    """
    try:
        with table.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, delimiter="\t")
            if missing := {"sha256", "licence"} - set(reader.fieldnames or ()):
                raise InputError(f"{table} lacks the columns {', '.join(sorted(missing))}")
            rows = {row["sha256"]: re.split(r"[;(:]", row["licence"] or "")[0].strip() for row in reader}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{table} cannot be read ({error})") from error
    return dict(Counter(rows.get(sha256) or UNKNOWN for sha256 in seen).most_common())


def curve_of(logs: list[Path]) -> list[dict[str, float]]:
    """Return step, hours so far and scores of each validation in the logs of one training.

    Raises:
        InputError: one cannot be read.
    """
    curve, before = [], 0.0
    for log in logs:
        hours = 0.0
        try:
            for line in log.read_text("utf-8").splitlines():
                values = json.loads(line)
                hours = values.get("seconds", hours * 3600) / 3600
                scores = {n.upper(): values[f"validation_{n}"] for n in SCORES if f"validation_{n}" in values}
                if scores:
                    curve.append({"step": values["step"], "hours": round(before + hours, 2), **scores})
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise InputError(f"{log} is no log of a training ({error!r})") from error
        before += hours
    return curve


if __name__ == "__main__":
    sys.exit(main())
