"""A model's card as a person reads it in the panel."""

from html import escape
from typing import Any

from slicer.i18n import tr as _

from SuperResolution3DLib.model_card import ModelCard, is_finite_number

BASELINE = "zero-filled k-space"
DATA_SETS = ("test", "validation")  # the first that the card has is shown


def card_text(card: ModelCard) -> str:
    """Return the card as rich text: what the model is for, how good and how fast it is."""
    low, high = card.spacing_range
    scale = " x ".join(str(factor) for factor in reversed(card.scale))
    facts = [
        escape(card.modality),
        _("{scale} (R, A, S)").format(scale=scale),
        _("input voxels {low:g} to {high:g} mm").format(low=low, high=high),
        _("licence {licence}").format(licence=escape(card.licence)),
    ]
    lines = [f"<b>{' · '.join(facts)}</b>", escape(card.description), _quality(card), _time(card)]
    return "<br>".join(line for line in lines if line)


def _quality(card: ModelCard) -> str:
    for name in DATA_SETS:
        measured = card.metrics.get(name)
        if isinstance(measured, dict) and isinstance(measured.get(card.name), dict):
            baseline = measured.get(BASELINE)
            figures = _figures(measured[card.name], baseline if isinstance(baseline, dict) else {})
            if figures:
                return _("Measured on {count} {data} volumes: {figures}").format(
                    count=escape(str(measured.get("volumes", "?"))), data=escape(name), figures=", ".join(figures)
                )
    return _("Quality: not measured")


def _figures(own: dict[str, Any], baseline: dict[str, Any]) -> list[str]:
    """Return what was measured as text; what others wrote there instead of a number is left out."""
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
