"""The command models: one line a model, and with --verbose all that its card tells a person."""

import argparse
from typing import Any

from SuperResolution3DLib.models.card_words import reach_of
from SuperResolution3DLib.models.installed_models import MODELS_VARIABLE, installed_models, where_to_put_models
from SuperResolution3DLib.models.model_card import ModelCard


def models(options: argparse.Namespace) -> None:
    """Print the installed models, highest rank first, and the model files that cannot be used, with the reason."""
    found = installed_models()
    usable = sorted(
        ((model.card, model.path) for model in found if model.card is not None), key=lambda pair: -pair[0].rank
    )
    width = max((len(card.name) for card, _ in usable), default=0)
    for card, path in usable:
        print(f"{card.name:{width}}  {card.summary} {reach_of(card)}.")
        if options.verbose:
            print("\n".join(f"    {line}" for line in [f"file: {path}", *_details(card)]))
    if not usable:
        print(
            f"No model is installed. Put a model file (.safetensors) into {where_to_put_models()}, name its folder in "
            f"${MODELS_VARIABLE}, or give the file itself with --model."
        )
    for model in found:
        if model.card is None:
            print(f"cannot be used: {model.path}: {model.problem}")


def _details(card: ModelCard) -> list[str]:
    return [
        f"for: {card.modality}",
        f"grid: {card.grid}",
        f"licence: {card.licence}",
        f"rank: {card.rank}",
        *_flat(card.metrics, "measured"),
        *_flat(card.performance, "speed"),
    ]


def _flat(values: dict[str, Any], prefix: str) -> list[str]:
    """Return nested figures as lines: ``measured validation SR: psnr 31.2, ssim 0.93``."""
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    figures = ", ".join(f"{key} {_figure(value)}" for key, value in plain.items())
    lines = [f"{prefix}: {figures}"] if figures else []
    for key, value in values.items():
        if isinstance(value, dict):
            lines += _flat(value, f"{prefix} {key}")
    return lines


def _figure(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
