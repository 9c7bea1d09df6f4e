"""A card's facts as sentences for the person who chooses."""

from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.scale import scale_words


def reach_of(card: ModelCard) -> Sentence:
    """Say what a model does to which voxels: ``4x along each axis, from voxels of 2.67 to 5.33 mm``."""
    low, high = (f"{value:g}" for value in card.spacing_range)
    if card.slice_spacing_range is not None:
        near, far = (f"{value:g}" for value in card.slice_spacing_range)
        return Sentence("reach-slices", {"near": near, "far": far, "low": low, "high": high})
    return Sentence(
        "reach-one" if low == high else "reach", {"scale": scale_words(card.scale), "low": low, "high": high}
    )
