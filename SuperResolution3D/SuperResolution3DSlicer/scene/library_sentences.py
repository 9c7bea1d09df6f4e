"""Sentences of the library in the language of the application. The library has no translations of its own."""

from slicer.i18n import tr as _

from SuperResolution3DLib.advice import NAME_THE_AXIS, OTHER_DEVICE, SMALLER_REGION, SMALLER_REGION_OR_COARSER
from SuperResolution3DLib.errors import SuperResolutionError
from SuperResolution3DLib.sentence import Sentence

TEMPLATES = (  # in the words of the library; a test looks whether one is missing
    _("For {subject}: {before} -> {after} with {model}"),
    _("{plane} slices {before} -> {after} with {model}"),
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
    _("No CUDA GPU can be used by this installation of PyTorch: {advice}"),
    _("{device} has no memory left ({reason}): close other programs that use it, or {advice}"),
    _("{device} cannot be used by this installation of PyTorch ({reason}): {advice}"),
    _("The GPU failed ({reason}): {advice}"),
    _("Out of memory: {advice}, or close other programs"),
    _("Out of memory on {device} even with the smallest tiles: {advice}"),
    _("Out of memory on {device} even with the smallest tiles: {advice}, or {other}"),
    _(
        "The run needs at least {needed} GiB and may use {allowed} GiB: {advice}, or close other programs that use this"
        " memory"
    ),
    _("The result takes {needed} GiB of main memory and may use {allowed} GiB: {advice}"),
    _(
        "The volume is isotropic, {sizes}, so there is nothing between slices to be computed; use a model or a method"
        " for all three axes, or {advice}"
    ),
    _(
        "No axis of {sizes} stands out as the slice axis, whose spacing is at least {margin} times each of the others;"
        " {advice}"
    ),
    _("consistent"),
    _("zero-filled"),
)


IN_THE_PANEL = {  # what the command line does by options the panel does by controls
    OTHER_DEVICE.template: _("choose CPU or Automatic under Device"),
    SMALLER_REGION.template: _("choose a smaller part under Region"),
    SMALLER_REGION_OR_COARSER.template: _("choose a smaller part under Region"),
    NAME_THE_AXIS.template: _("say under Slices which plane they have"),
}


def in_own_language(sentence: Sentence) -> str:
    """Return a sentence of the library as a person reads it in the panel."""
    return sentence.told(lambda template: IN_THE_PANEL.get(template) or _(template))


def told(error: SuperResolutionError) -> str:
    """Return what an error says, as a person reads it in the panel."""
    return str(error) if error.sentence is None else in_own_language(error.sentence)
