"""A model's page: what its header says, and what an evaluation found, as Markdown for the person who decides."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from SuperResolution3DLib.metrics import scanning_rings
from SuperResolution3DLib.models.card_words import reach_of
from SuperResolution3DLib.models.input_ranges import QUANTILES, InputRanges
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.models.trust_calibration import TrustCalibration
from SuperResolution3DLib.volumes.body_axes import DIRECTIONS
from Training.evaluation.results import EvaluationRecord, VolumeResult
from Training.evaluation.slice_results import SliceResults
from Training.reporting.tables import counted

NOT_FOR_DIAGNOSIS = (
    "**For research use only, not for diagnosis.** Detail above the measured resolution is always the network's "
    "estimate."
)
UNCOVERED = (
    "Other modalities, other parts of the body, and voxels outside the ranges below are not covered; the program warns "
    "of them."
)
MADE = "The model was tested on LR volumes that were made from HR volumes, not on pairs of scans."
CAPTION = "The worst patches of one volume; on the left up to which share of the Nyquist frequency they agree."
BASELINE = "zero-filled"
COLUMNS = {
    "foreground/psnr": ("PSNR (dB)", 2),
    "foreground/ssim": ("SSIM", 4),
    "foreground/lpips": ("LPIPS", 3),
    "fsc_0.5": ("FSC 0.5 (1/mm)", 3),
    "added_detail": ("detail", 2),
    "residual_percent": ("residual (%)", 2),
    "ring_boxes": ("boxes a volume", 1),
    "tissue_dice": ("tissue Dice", 3),
}
ON_THE_TEST = {
    "volumes": "volumes",
    "marked": "of the subject, the share that the mask marks",
    "coverage": "outside the mask, off by no more than the bound",
    "inside_off": "in the mask, off by more",
    "caught": "of all voxels that are off by more, those in the mask",
    "rank_correlation": "rank correlation of the caution with the voxel's own error",
    "rank_correlation_reachable": "what one that knew the errors around each voxel would reach",
    "rank_correlation_around": "rank correlation of the caution with the errors around",
}
LONGEST_CURVE = 12  # rows

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
OTHER_LPIPS = (
    "Its LPIPS is of the slices in the central 60 % of each view: higher than from end to end, as in an evaluation, "
    "and not to be compared with it."
)


@dataclass(frozen=True)
class ModelFacts:
    """What a page is made of."""

    card: ModelCard
    sha256: str
    licences: Mapping[str, int] | None = None
    """number of training volumes by licence; None: is not known"""
    evaluation: tuple[EvaluationRecord, Sequence[VolumeResult]] | None = None
    slices: SliceResults | None = None
    """the evaluation of a model for thick slices"""
    curve: Sequence[Mapping[str, float]] = ()
    """step, hours and scores of each validation"""
    failures: Sequence[str] = ()
    """sentences of people who looked"""
    picture: str = ""
    """file of the worst patches, beside the page"""


def model_page(facts: ModelFacts) -> str:
    """Return the page as Markdown."""
    card = facts.card
    parts = [f"# {card.name}", f"{card.summary} {reach_of(card)}.", NOT_FOR_DIAGNOSIS]
    for title, section in (
        ("Use", _use(facts)),
        ("Training data and licences", _data(facts)),
        ("Ranges", _ranges(card)),
        ("Quality", _quality(facts)),
        ("Curve", _curve(facts.curve)),
        ("Where it may be off", _trust(card)),
        ("Known failures", _failures(facts)),
    ):
        if section:
            parts += [f"## {title}", *section]
    return "\n\n".join(parts) + "\n"


def _use(facts: ModelFacts) -> list[str]:
    card = facts.card
    network = f"Network {card.network}, {card.grid} grid, adds to: {card.skip}"
    file = f"Licence of the weights: {card.licence}. File sha256 `{facts.sha256}`."
    tested = "" if card.enlarges_slices_only else f" {MADE}"
    lines = [f"For {card.modality}. {network}. {file}", f"{UNCOVERED}{tested}"]
    speed = {name: value for name, value in card.performance.items() if value}
    return [
        *lines,
        *([", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in speed.items()) + "."] * bool(speed)),
    ]


def _data(facts: ModelFacts) -> list[str]:
    trainings = _trainings(facts.card.training)
    lines = list(dict.fromkeys(line for training in trainings.values() for line in _volumes(training)))
    if facts.licences:
        lines.append("Licences of the training volumes, those of the models it comes from included:")
        lines.append(_markdown((("licence", "volumes"), [(name, str(n)) for name, n in facts.licences.items()])))
    recipes = [f"Recipe{whose}: {recipe}." for whose, one in trainings.items() if (recipe := _recipe(one))]
    return [*lines, *recipes, *_note(facts.card.training)]


def _trainings(training: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return a model's training, or those of the two models that it is a blend of, by what a line calls them."""
    blend = training.get("blend")
    if not isinstance(blend, dict):
        return {"": training}
    shares = {"second": blend["alpha"], "first": 1 - blend["alpha"]}
    return {f" of {share:.0%} of the weights": blend[part].get("training", {}) for part, share in shares.items()}


def _volumes(training: Mapping[str, Any]) -> Iterator[str]:
    volumes = training.get("volumes", {})
    for part in ("train", "validation"):
        if part in volumes:
            counts = ", ".join(f"{count} {modality or 'unnamed'}" for modality, count in volumes[part].items())
            yield f"{part.capitalize()}: {counts}; each volume's sha256 stands in the card."


def _recipe(training: Mapping[str, Any]) -> str:
    recipe = [f"`{training['command']}`"] if "command" in training else []
    recipe += [f"{training[name]:g} {name}" for name in ("steps", "hours") if name in training]
    backbone = training.get("perceptual_backbone")
    recipe += [f"perceptual backbone: {backbone['name']}"] if backbone else []
    parent = training.get("init_from")
    recipe += [f"began with the weights of {parent.get('name')}"] if isinstance(parent, dict) else []
    return "; ".join(recipe)


def _note(training: Mapping[str, Any]) -> list[str]:
    return [f"Note: {training['note'].rstrip('.')}."] if training.get("note") else []


def _ranges(card: ModelCard) -> list[str]:
    low, high = card.spacing_range
    lines = [f"Voxels of the LR, or pixels of slices: {low:g} to {high:g} mm."]
    if card.slice_spacing_range:
        lines.append("Distance between slices: {:g} to {:g} mm.".format(*card.slice_spacing_range))
    ranges = InputRanges.from_card(card.input_ranges)
    if ranges is None:
        return [*lines, "What its training's LR volumes were like was not measured otherwise."]
    rows = [
        [f"{what}, {axis}", f"{low:.3g} to {high:.3g}"]
        for what, values in (("voxel (mm)", ranges.spacing), ("subject (mm)", ranges.extent))
        for axis, (low, high) in zip(DIRECTIONS, values, strict=True)
    ]
    rows.append(["noise (% of the intensity range)", f"{100 * ranges.noise[0]:.2g} to {100 * ranges.noise[1]:.2g}"])
    rows += [
        [f"{share:.0%} of the subject's voxels lie below (of the intensity range)", f"{low:.2f} to {high:.2f}"]
        for share, (low, high) in zip(QUANTILES, ranges.quantiles, strict=True)
    ]
    rows += [
        [f"energy near the Nyquist frequency, {axis} (of the band below)", f"{low:.2g} to {high:.2g}"]
        for axis, (low, high) in zip(DIRECTIONS, ranges.high_band, strict=True)
    ]
    return [*lines, f"LR volumes of the training, {ranges.volumes} measured:", _markdown((("what", "range"), rows))]


def _quality(facts: ModelFacts) -> list[str]:
    lines = []
    if facts.evaluation is not None:
        record, results = facts.evaluation
        means = {name: _means([one for one in results if one.method == name]) for name in record.methods}
        shown = {metric: one for metric, one in COLUMNS.items() if any(metric in found for found in means.values())}
        rows = [
            [name, *(f"{found[m]:.{digits}f}" if m in found else "" for m, (_, digits) in shown.items())]
            for name, found in means.items()
        ]
        headings = ("mean over the volumes", *(heading for heading, _ in shown.values()))
        lines += [f"{record.dataset}, {record.part}, protocol foreground:", _markdown((headings, rows))]
        lines += [*_ensemble(facts.card.name, means), "\n".join(f"- {line}" for line in record.conventions)]
    if facts.slices is not None:
        heading = f"{facts.slices.protocol}, mean of {counted(facts.slices.volumes, 'volume')}:"
        lines += [f"{heading[0].upper()}{heading[1:]}", _by_method(facts.slices.means)]
    for name, figures in facts.card.metrics.items():
        methods = {method: values for method, values in figures.items() if isinstance(values, dict)}
        if methods:
            lines += [f"In the card, {name}, {_described(figures)}:", _by_method(methods)]
            lines += [OTHER_LPIPS] if any("lpips" in values for values in methods.values()) else []
    return lines


def _by_method(methods: Mapping[str, Mapping[str, float]]) -> str:
    columns = list(dict.fromkeys(column for values in methods.values() for column in values))
    rows = [[method, *(_figure(values.get(c)) for c in columns)] for method, values in methods.items()]
    return _markdown((("", *columns), rows))


def _ensemble(model: str, means: Mapping[str, Mapping[str, float]]) -> list[str]:
    one, mean = means.get(model, {}), means.get(f"{model}, ensemble", {})
    if not {"foreground/psnr", "seconds"} <= one.keys() & mean.keys():
        return []
    gain = mean["foreground/psnr"] - one["foreground/psnr"]
    times = mean["seconds"] / max(one["seconds"], 1e-9)
    return [f"`--ensemble` gains {gain:+.2f} dB in {times:.1f} times the time, in the memory of one run and a mean."]


def _curve(curve: Sequence[Mapping[str, float]]) -> list[str]:
    if not curve:
        return []
    places = np.unique(np.linspace(0, len(curve) - 1, LONGEST_CURVE).round().astype(int))
    columns = list(dict.fromkeys(name for row in curve for name in row))
    rows = [[_figure(curve[place].get(name)) for name in columns] for place in places]
    return ["Mean of the validation volumes during the training:", _markdown((columns, rows))]


def _trust(card: ModelCard) -> list[str]:
    calibration = TrustCalibration.from_card(card.trust)
    if calibration is None:
        return ["No trust mask was calibrated, so none is offered."]
    found = card.metrics.get("trust mask, test", {})
    sentence = (
        f"The trust mask (`--trust-map`, with {calibration.companion}) marks where the estimate may be off by more "
        f"than {calibration.bound:.0%} of the intensity range. Outside it at most {calibration.alpha:.0%} of voxels "
        f"are, on average over volumes like the {calibration.volumes} of the calibration, on which neither of the "
        "two was trained; that is no proof for a single volume or voxel."
    )
    lines = [sentence]
    if found:
        rows = [[words, _figure(found[name])] for name, words in ON_THE_TEST.items() if name in found]
        lines.append(_markdown((("on the test volumes", ""), rows)))
    return lines


def _failures(facts: ModelFacts) -> list[str]:
    lines = [f"- {text}" for text in facts.failures]
    if facts.evaluation is not None:
        results = facts.evaluation[1]
        base = {one.file: one.metrics["foreground/psnr"] for one in results if one.method == BASELINE}
        own = [one for one in results if one.method == facts.card.name]
        gains = {one.file: one.metrics["foreground/psnr"] - base[one.file] for one in own if one.file in base}
        if gains:
            worst = min(gains, key=gains.__getitem__)
            lines.append(f"- Least gain over zero-filled: {gains[worst]:+.2f} dB on {worst}.")
        scanned = [one.metrics for one in own if "ring_patches" in one.metrics]
        if scanned:
            boxes, patches = (sum(one[name] for one in scanned) for name in ("ring_boxes", "ring_patches"))
            lines.append(
                f"- In {boxes:.0f} of {patches:.0f} patches even what was measured has come out as something else. "
                f"{scanning_rings.describe()}."
            )
    if facts.slices is not None:
        lines.append(f"- Least gain over consistent interpolation: {facts.slices.least}.")
    if facts.picture:
        return ["\n".join(lines), f"![{CAPTION}]({facts.picture})", CAPTION]
    return ["\n".join(lines)] if lines else []


def _means(results: Sequence[VolumeResult]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for result in results:
        for name, value in (result.metrics | {"seconds": result.seconds}).items():
            found.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in found.items()}


def _described(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_figure(value)}" for name, value in figures.items() if not isinstance(value, dict))


def _figure(value: object) -> str:
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


def _markdown(table: Table) -> str:
    headings, rows = table
    lines = [list(headings), ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |" for cells in lines)
