"""Sentences of the library in the language of the application. The library has no translations of its own."""

from slicer.i18n import tr as _

from SuperResolution3DLib.sentence import Sentence

TEMPLATES = (  # in the words of the library; a test looks whether one is missing
    _("For {subject}: {before} -> {after} with {model}"),
    _("{plane} slices {before} -> {after} with {model}"),
    _("{plan}, a model {reason}"),
    _("{models} and {last} fit equally well: choose one"),
    _("No model is for {modality}: {method} interpolation only"),
    _("No model fits {size} voxels: {method} interpolation only"),
    _("No model fits {size}: {method} interpolation only"),
    _("{plane} slices of {sizes}"),
    _("{sizes} mm"),
    _("{sizes} mm isotropic"),
    _("{sizes} mm ({first}, {second}, {third})"),
    _("{shape} voxels ({first}, {second}, {third})"),
    _("{shape} voxels of {sizes} mm ({first}, {second}, {third})"),
    _("needs a newer version, its network is {network}"),
    _("for {trained}, not for {modality}"),
    _("for stacks of slices, and no axis stands out as theirs"),
    _("for slices {low} to {high} mm apart"),
    _("for pixels of {low} to {high} mm"),
    _("for voxels of {low} to {high} mm"),
    _("{scale}, from voxels of {low} to {high} mm"),
    _("Fills slices {near} to {far} mm apart, with pixels of {low} to {high} mm"),
    _("{factor}x along each axis"),
    _("{factor}x {direction}"),
    _("{first}, {second}"),
    _("axial"),
    _("coronal"),
    _("sagittal"),
    _("Axial"),
    _("Coronal"),
    _("Sagittal"),
    _("left-right"),
    _("front-back"),
    _("head-foot"),
    _("through-plane"),
    _("consistent"),
    _("zero-filled"),
)


def in_own_language(sentence: Sentence) -> str:
    """Return a sentence of the library as a person reads it in the panel."""
    return sentence.told(lambda template: _(template))
