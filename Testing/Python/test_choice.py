"""The choice of the model for a volume: ten kinds of scan, and what a person is told of each."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from models import a_tiny_card

from SuperResolution3DLib.models.choice import Scan, choose, plan_sentence
from SuperResolution3DLib.models.installed_models import InstalledModel

BRAIN = a_tiny_card(
    (4, 4, 4), name="brain-x4", modality="MR T1w", subject="T1 brain", spacing_range=(2.67, 5.33), rank=20
)
SHARP = a_tiny_card((4, 4, 4), name="brain-sharp", modality="MR T1w", spacing_range=(2.67, 5.33), rank=10)
CHEST = a_tiny_card((2, 2, 2), name="a-chest-x2", modality="CT", subject="chest", spacing_range=(1.0, 2.0), rank=20)
MINE = a_tiny_card((2, 2, 2), name="a-model-of-mine", modality="MR", spacing_range=(0.9, 5.5))
CARDS = (MINE, CHEST, SHARP, BRAIN)  # by alphabet, as they are found


def installed(*cards) -> list[InstalledModel]:
    return [InstalledModel(Path(f"{card.name}.safetensors"), card) for card in cards]


def an_affine(spacing_ras, axes=(0, 1, 2), degrees=0.0) -> np.ndarray:
    """Return an affine whose I, J, K run along the RAS axes ``axes`` and whose second one is turned about R."""
    angle = np.deg2rad(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = (turn @ np.diag(spacing_ras))[:, list(axes)] * (1, -1, 1)
    affine[:3, 3] = (12.0, -7.0, 33.0)
    return affine


SCANS = {
    "isotropic MR": (an_affine((3.2, 3.2, 3.2)), "MR", "brain-x4", "For T1 brain: 3.2 mm -> 0.8 mm with brain-x4"),
    "isotropic of unknown modality": (
        an_affine((3.2, 3.2, 3.2)),
        "",
        "brain-x4",
        "For T1 brain: 3.2 mm -> 0.8 mm with brain-x4",
    ),
    "stored by sagittal slices": (
        an_affine((3.2, 3.2, 3.2), (1, 2, 0)),
        "MR",
        "brain-x4",
        "For T1 brain: 3.2 mm -> 0.8 mm with brain-x4",
    ),
    "nearly isotropic MR": (
        an_affine((3.0, 3.2, 3.3)),
        "MR",
        "brain-x4",
        "For T1 brain: 3 x 3.2 x 3.3 mm (left-right, front-back, head-foot) -> 0.75 x 0.8 x 0.825 mm with brain-x4",
    ),
    "axial slices that still fit": (
        an_affine((3.0, 3.2, 4.0)),
        "MR",
        "brain-x4",
        "For T1 brain: axial slices of 3 x 3.2 x 4 mm -> 0.75 x 0.8 x 1 mm with brain-x4",
    ),
    "finer MR, for which there is only a model of one's own": (
        an_affine((1.0, 1.0, 1.0)),
        "MR",
        "a-model-of-mine",
        "For MR: 1 mm -> 0.5 mm with a-model-of-mine",
    ),
    "isotropic CT": (an_affine((1.5, 1.5, 1.5)), "CT", "a-chest-x2", "For chest: 1.5 mm -> 0.75 mm with a-chest-x2"),
    "too fine": (
        an_affine((0.3, 0.3, 0.3)),
        "MR",
        None,
        "No model fits 0.3 mm voxels: zero-filled interpolation only",
    ),
    "axial thick slices": (
        an_affine((0.5, 0.5, 5.0)),
        "MR",
        None,
        "No model fits axial slices of 0.5 x 0.5 x 5 mm: consistent interpolation only",
    ),
    "oblique sagittal thick slices": (
        an_affine((4.0, 0.7, 0.8), (1, 2, 0), degrees=20),
        "MR",
        None,
        "No model fits sagittal slices of 0.7 x 0.8 x 4 mm: consistent interpolation only",
    ),
    "ultrasound": (
        an_affine((3.2, 3.2, 3.2)),
        "US",
        None,
        "No model is for US: zero-filled interpolation only",
    ),
}


@pytest.mark.parametrize("kind", SCANS)
@pytest.mark.parametrize("order", [1, -1], ids=["as found", "reversed"])
def test_the_model_for_a_scan(kind, order):
    affine, modality, best, sentence = SCANS[kind]
    choice = choose(Scan(affine, modality), installed(*CARDS[::order]))
    assert (choice.best.card.name if choice.best else None) == best
    assert str(choice.sentence) == sentence
    assert len(choice.fitting) + len(choice.others) == len(CARDS)


def test_the_models_that_do_not_fit_say_why():
    unknown = a_tiny_card((2, 2, 2), name="later", network="transformer")
    broken = InstalledModel(Path("broken.safetensors"), None, "It is damaged")
    choice = choose(Scan(an_affine((3.2, 3.2, 3.2)), "MR"), [broken, *installed(*CARDS, unknown)])
    assert [model.card.name for model in choice.fitting] == ["brain-x4", "brain-sharp", "a-model-of-mine"]
    assert {model.card.name: str(reason) for model, reason in choice.others} == {
        "a-chest-x2": "for CT, not for MR",
        "later": "needs a newer version, its network is transformer",
    }
    fine = choose(Scan(an_affine((0.3, 0.3, 0.3)), "MR"), installed(BRAIN))
    assert [str(reason) for _, reason in fine.others] == ["for 2.67 to 5.33 mm each way"]


THROUGH_PLANE = replace(
    a_tiny_card(name="through-plane-mr", spacing_range=(0.4, 1.1), rank=20),
    scale=(1, 1, 1),
    axes="slice",
    slice_spacing_range=(2.0, 6.5),
)


@pytest.mark.parametrize(
    ("affine", "told"),
    [
        (an_affine((0.5, 0.5, 5.0)), "Axial slices 0.5 x 0.5 x 5 mm -> 0.5 mm isotropic with through-plane-mr"),
        (
            an_affine((3.0, 0.6, 0.7), (1, 2, 0), degrees=20),
            "Sagittal slices 0.6 x 0.7 x 3 mm -> 0.6 x 0.7 x 0.6 mm with through-plane-mr",
        ),
        (
            an_affine((0.45, 4.0, 0.45), (0, 2, 1)),
            "Coronal slices 0.45 x 0.45 x 4 mm -> 0.45 mm isotropic with through-plane-mr",
        ),
    ],
    ids=["axial", "oblique sagittal", "coronal"],
)
def test_thick_slices_in_any_plane_get_the_model_for_slices(affine, told):
    choice = choose(Scan(affine, "MR"), installed(MINE, BRAIN, THROUGH_PLANE))
    assert choice.best.card is THROUGH_PLANE
    assert str(choice.sentence) == told


@pytest.mark.parametrize(
    ("spacing", "why"),
    [
        ((1.0, 1.0, 1.0), "for stacks of slices, and no axis stands out as theirs"),
        ((0.5, 0.5, 9.0), "for slices 2 to 6.5 mm apart"),
        ((0.2, 0.2, 4.0), "for pixels of 0.4 to 1.1 mm"),
    ],
)
def test_what_is_no_stack_for_a_model_of_slices_is_told(spacing, why):
    choice = choose(Scan(an_affine(spacing), "MR"), installed(THROUGH_PLANE))
    assert [str(reason) for _, reason in choice.others] == [why]


@pytest.mark.parametrize(
    ("modality", "like_ct", "best", "reason"),
    [
        ("", True, "through-plane-ct", "for MR, this looks like CT"),
        ("", False, "through-plane-mr", "for CT, unlike this volume"),
        ("MR", None, "through-plane-mr", "for CT, not for MR"),
        ("CT", None, "through-plane-ct", "for MR, not for CT"),
    ],
)
def test_what_the_header_does_not_say_of_the_modality_the_intensities_do(modality, like_ct, best, reason):
    models = installed(THROUGH_PLANE, replace(THROUGH_PLANE, name="through-plane-ct", modality="CT"))
    choice = choose(Scan(an_affine((0.5, 0.5, 5.0)), modality, looks_like_ct=like_ct), models)
    assert choice.best.card.name == best
    assert [str(why) for _, why in choice.others] == [reason]


@pytest.mark.parametrize(("like_ct", "other"), [(True, "CT"), (False, "anything but CT")])
def test_no_model_for_what_the_intensities_look_like_is_told(like_ct, other):
    only = installed(replace(THROUGH_PLANE, modality="MR" if like_ct else "CT"))
    choice = choose(Scan(an_affine((0.5, 0.5, 5.0)), looks_like_ct=like_ct), only)
    assert choice.best is None
    assert str(choice.sentence) == f"No model is for {other}: consistent interpolation only"


@pytest.mark.parametrize(("spacing", "fits"), [((1.0, 1.0, 4.0), True), ((4.0, 1.0, 1.0), False), ((1.0,) * 3, False)])
def test_a_model_of_one_axis_fits_slices_along_it(spacing, fits):
    choice = choose(Scan(an_affine(spacing)), installed(a_tiny_card((4, 1, 1), name="thick")))
    assert [str(reason) for _, reason in choice.others] == ([] if fits else ["for slices that lie head-foot"])


def test_of_two_models_of_one_rank_none_is_taken_unasked():
    twins = installed(a_tiny_card(name="beta"), a_tiny_card(name="alpha"))
    choice = choose(Scan(an_affine((1.0, 1.0, 1.0))), twins)
    assert choice.best is None
    assert str(choice.sentence) == "alpha and beta fit equally well: choose one"


def test_slices_that_become_isotropic_are_told_so():
    card = a_tiny_card((2, 1, 1), name="thick", spacing_range=(0.5, 5.0))
    sentence = plan_sentence(Scan(an_affine((1.0, 1.0, 2.0)), "MR"), card)
    assert str(sentence) == "For MR: axial slices of 1 x 1 x 2 mm -> 1 mm isotropic with thick"


def test_a_sentence_is_told_in_another_language_with_the_sentences_in_it():
    words = {
        "plan": "Für {subject}: mit {model} von {before} zu {after}",
        "size-of-slices": "{plane}e Schichten von {sizes}",
        "axial": "axial",
    }
    sentence = plan_sentence(Scan(an_affine((3.0, 3.2, 4.0))), BRAIN)
    told = sentence.told(words)
    assert told == "Für T1 brain: mit brain-x4 von axiale Schichten von 3 x 3.2 x 4 mm zu 0.75 x 0.8 x 1 mm"
