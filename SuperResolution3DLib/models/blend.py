"""Two models of one architecture interpolated into one: a knob between fidelity and sharpness (Wang et al. 2018)."""

from dataclasses import replace
from typing import Any

from torch import Tensor

from SuperResolution3DLib.errors import InputError, ModelError
from SuperResolution3DLib.models.card_privacy import without_names
from SuperResolution3DLib.models.checkpoint import Model
from SuperResolution3DLib.models.model_card import ModelCard

SHARED = ("network", "config", "scale", "grid", "skip", "intensity", "intensity_from")


def blend(first: Model, second: Model, alpha: float, name: str = "") -> tuple[dict[str, Tensor], ModelCard]:
    """Return the weights ``(1 - alpha) * first + alpha * second`` and their card.

    Meant for a pixel-trained model and one that was fine-tuned from it with the adversarial loss: weights of unrelated
    runs do not average to anything useful. Measured quality is not carried over, it belongs to the parents.

    Args:
        first: alpha 0.
        second: alpha 1.
        alpha: between 0 and 1.
        name: of the new model; by default FIRST-SECOND-ALPHA.

    Raises:
        InputError: alpha outside [0, 1].
        ModelError: the models differ in architecture, grid or intensity policy, or share no LR spacing.
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha must be between 0 and 1, got {alpha:g}")
    for field in SHARED:
        one, other = getattr(first.card, field), getattr(second.card, field)
        if one != other:
            raise ModelError(
                f"{first.card.name} and {second.card.name} cannot be blended: their {field} differs, {one} and {other}"
            )
    spacings = (first.card.spacing_range, second.card.spacing_range)
    low, high = max(low for low, _ in spacings), min(high for _, high in spacings)
    if low > high:
        raise ModelError(
            f"{first.card.name} and {second.card.name} cannot be blended: they were trained on LR spacings of "
            f"{spacings[0]} mm and {spacings[1]} mm, which have nothing in common"
        )
    others = second.network.state_dict()
    weights = {key: tensor.lerp(others[key], alpha) for key, tensor in first.network.state_dict().items()}
    card = replace(
        first.card,
        name=name or f"{first.card.name}-{second.card.name}-{alpha:g}",
        description=f"{1 - alpha:.0%} {first.card.name} and {alpha:.0%} {second.card.name}.",
        licence=_both(first.card.licence, second.card.licence, " AND "),
        modality=_both(first.card.modality, second.card.modality, ", "),
        spacing_range=(low, high),
        training={"blend": {"alpha": alpha, "first": _parent(first), "second": _parent(second)}},
        metrics={},
        rank=0,
        trust={},
        input_ranges=first.card.input_ranges if first.card.input_ranges == second.card.input_ranges else {},
    )
    return weights, card


def _parent(model: Model) -> dict[str, Any]:
    return {"name": model.card.name, "sha256": model.sha256, "training": without_names(model.card.training)}


def _both(one: str, other: str, joint: str) -> str:
    return one if one == other else f"{one}{joint}{other}"
