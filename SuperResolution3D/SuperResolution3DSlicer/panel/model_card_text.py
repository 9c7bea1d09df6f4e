"""A model's card as a person reads it in the panel."""

from collections.abc import Sequence
from html import escape
from typing import Any

from slicer.i18n import tr as _

from SuperResolution3DLib.models.card_words import reach_of
from SuperResolution3DLib.models.model_card import ModelCard, is_finite_number
from SuperResolution3DSlicer.scene.library_sentences import in_own_language

BASELINE = "zero-filled k-space"
DATA_SETS = ("test", "validation")  # the first that the card has is shown, if it shares none with other cards


def card_text(card: ModelCard, others: Sequence[ModelCard] = ()) -> str:
    """Return what stands under a card's one sentence, as rich text: what it fits, how good and how fast it is.

    Args:
        card: of the model.
        others: of the models that a person can choose instead, which the figures are to be comparable with.
    """
    lines = [
        escape(in_own_language(reach_of(card))),
        _("For {modality}, licence {licence}").format(modality=escape(card.modality), licence=escape(card.licence)),
        _quality(card, others),
        _time(card),
    ]
    return "<br>".join(line for line in lines if line)


def _quality(card: ModelCard, others: Sequence[ModelCard]) -> str:
    """Return the figures on the volumes that most of the other models were measured on too.

    Decibels of one volume say nothing beside those of another.
    """
    comparable = {name: _measured_alike(card, others, name) for name in DATA_SETS if _figures(card, name)}
    if not comparable:
        return _("Quality: not measured")
    name = max(comparable, key=lambda name: len(comparable[name]))
    if comparable[name]:
        text = _("Measured on {count} {data} volumes, the same as {models}: {figures}")
    elif others:
        text = _("Measured on {count} {data} volumes, on which no other installed model was measured: {figures}")
    else:
        text = _("Measured on {count} {data} volumes: {figures}")
    return text.format(
        count=escape(str(_block(card, name).get("volumes", "?"))),
        data=_data_set(name),
        models=escape(", ".join(comparable[name])),
        figures=", ".join(_figures(card, name)),
    )


def _data_set(name: str) -> str:
    return {"test": _("test"), "validation": _("validation")}[name]


def _measured_alike(card: ModelCard, others: Sequence[ModelCard], name: str) -> list[str]:
    """Return the names of the models that were measured on the same volumes, told by what the baseline reaches there.

    Names of data sets tell nothing: every training has validation volumes of its own.
    """
    mark = _mark(card, name)
    return [other.name for other in others if mark is not None and _figures(other, name) and _mark(other, name) == mark]


def _mark(card: ModelCard, name: str) -> tuple[object, ...] | None:
    """Return what is the same for all methods that were measured on the same volumes; None without a baseline."""
    baseline = _part(_block(card, name), BASELINE)
    if not all(is_finite_number(baseline.get(key)) for key in ("psnr", "ssim")):
        return None
    rounded = [round(float(baseline[key]), 3) for key in ("psnr", "ssim")]
    return (str(_block(card, name).get("volumes")), str(_block(card, name).get("protocol")), *rounded)


def _block(card: ModelCard, name: str) -> dict[str, Any]:
    return _part(card.metrics, name)


def _part(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object of a JSON object, empty where others wrote something else."""
    part = values.get(name)
    return part if isinstance(part, dict) else {}


def _figures(card: ModelCard, name: str) -> list[str]:
    """Return what was measured as text; what others wrote there instead of a number is left out."""
    own, baseline = (_part(_block(card, name), method) for method in (card.name, BASELINE))
    figures = []
    for key, text in (("psnr", "PSNR {value:.1f} dB"), ("ssim", "SSIM {value:.3f}")):
        if is_finite_number(own.get(key)):
            figure = text.format(value=own[key])
            if is_finite_number(baseline.get(key)):
                figure += _(" (zero-filled: {value})").format(value=f"{baseline[key]:.{1 if key == 'psnr' else 3}f}")
            figures.append(figure)
    return figures


def _time(card: ModelCard) -> str:
    rates = []
    for device, label in (("cpu", _("CPU")), ("cuda", _("GPU"))):
        rate = card.performance.get(f"{device}_seconds_per_million_voxels")
        rates.append(
            _("{device} {rate:.2g} s").format(device=label, rate=rate)
            if is_finite_number(rate)
            else _("{device} not measured").format(device=label)
        )
    text = _("Time per million result voxels: {rates}").format(rates=", ".join(rates))
    hardware = card.performance.get("hardware")
    return f"{text} ({escape(str(hardware))})" if hardware else text
