"""What the library says, by its codes, in the panel's words: translated, and naming controls instead of options."""

from slicer.i18n import tr as _

from SuperResolution3DSlicer.scene.library_errors import ERRORS

WORDS = {
    "axial": _("axial"),
    "coronal": _("coronal"),
    "sagittal": _("sagittal"),
    "axial-first": _("Axial"),
    "coronal-first": _("Coronal"),
    "sagittal-first": _("Sagittal"),
    "left-right": _("left-right"),
    "front-back": _("front-back"),
    "head-foot": _("head-foot"),
    "through-plane": _("through-plane"),
    "consistent": _("consistent"),
    "zero-filled": _("zero-filled"),
    "size": _("{sizes} mm"),
    "size-isotropic": _("{sizes} mm isotropic"),
    "size-along": _("{sizes} mm ({first}, {second}, {third})"),
    "size-of-slices": _("{plane} slices of {sizes}"),
    "shape-along": _("{shape} voxels ({first}, {second}, {third})"),
    "grid-along": _("{shape} voxels of {sizes} mm ({first}, {second}, {third})"),
    "factor-all": _("{factor}x along each axis"),
    "factor-along": _("{factor}x {direction}"),
    "factors": _("{first}, {second}"),
    "plan": _("For {subject}: {before} -> {after} with {model}"),
    "plan-slices": _("{plane} slices {before} -> {after} with {model}"),
    "choice-equal": _("{models} and {last} fit equally well: choose one"),
    "choice-no-modality": _("No model is for {modality}: {method} interpolation only"),
    "all-but-ct": _("anything but CT"),
    "choice-no-voxels": _("No model fits {size} voxels: {method} interpolation only"),
    "choice-no-slices": _("No model fits {size}: {method} interpolation only"),
    "unfit-network": _("needs a newer version, its network is {network}"),
    "unfit-modality": _("for {trained}, not for {modality}"),
    "unfit-like-ct": _("for {trained}, this looks like CT"),
    "unfit-unlike-ct": _("for CT, unlike this volume"),
    "unfit-one-axis": _("for slices that lie {direction}"),
    "unfit-no-slices": _("for stacks of slices, and no axis stands out as theirs"),
    "unfit-slices": _("for slices {low} to {high} mm apart"),
    "unfit-pixels": _("for pixels of {low} to {high} mm"),
    "unfit-voxels": _("for {low} to {high} mm each way"),
    "reach": _("{scale}, from voxels of {low} to {high} mm"),
    "reach-one": _("{scale}, from voxels of {low} mm"),
    "reach-slices": _("Fills slices {near} to {far} mm apart, with pixels of {low} to {high} mm"),
    "advice-device": _("choose CPU or Automatic under Device"),
    "advice-region": _("choose a smaller part under Region"),
    "advice-region-or-spacing": _("choose a smaller part under Region, or a larger Result spacing between slices"),
    "advice-axis": _("say under Slices which plane they have"),
    "modality": _("The volume is {modality}, {model} was trained on {trained}"),
    "modality-like-ct": _(
        "The volume looks like CT ({share:.0%} of its voxels lie near -1000 HU), {model} was trained on {trained}"
    ),
    "modality-like-ct-tissue": _(
        "The volume looks like CT ({fat:.0%} of its voxels lie where fat does, -150 to -70 HU, and {soft:.0%} where "
        "soft tissue does), {model} was trained on {trained}"
    ),
    "modality-unlike-ct": _("The volume does not look like CT in HU, {model} was trained on {trained}"),
    "spacing-voxels": _(
        "The voxels of {voxels} lie outside the {low:g} to {high:g} mm that {model} was trained on; the result will "
        "have {grid}, {bytes}"
    ),
    "spacing-direction": _(
        "Voxels measure {size:.3g} mm {direction}, {model} was trained on {low:.3g} to {high:.3g} mm there"
    ),
    "spacing-pixels": _(
        "Pixels of {first:.3g} x {second:.3g} mm lie outside the {low:g} to {high:g} mm that {model} was trained on"
    ),
    "spacing-slices": _("Slices lie {spacing:.3g} mm apart, {model} was trained on {low:g} to {high:g} mm"),
    "extent": _(
        "What the volume shows measures {size:.3g} mm {direction}, {model} was trained on {low:.3g} to {high:.3g} "
        "mm: it has seen no subject of this size, or not so small a part"
    ),
    "noise": _(
        "Changes from voxel to voxel make {share:.2g} % of the intensity range, {model} was trained on {low:.3g} to "
        "{high:.3g} %: noise may come out as texture"
    ),
    "histogram": _(
        "{share:.0%} of the subject's voxels lie below {level:.2f} of the intensity range, {model} was trained on "
        "{low:.3g} to {high:.3g}: another contrast"
    ),
    "interpolated": _(
        "The {direction} spectrum is nearly empty beyond 0.7 of its Nyquist frequency ({share:.2g} of the band below "
        "it, {model} was trained on {low:.3g} to {high:.3g}): the volume seems to be interpolated, give the one that "
        "was measured"
    ),
    "intensity": _(
        "{model} was trained with the intensity range of the HR volume, which is not known here; that of the input "
        "is used, so the result may be too bright or too dark in parts"
    ),
    "slices-uneven": _(
        "The slices lie unevenly, their distances up to {off:.2g} % off the mean of {spacing:.4g} mm; each is taken "
        "where it lies"
    ),
    "slices-thickness": _("A slice thickness of {given:g} mm was given and the file says {in_file:g} mm"),
    "slices-unused": _(
        "{model} is not for thick slices: what was said of their thickness, spacing or axis is not used"
    ),
    "file-unit": _("{name} names an unknown unit of length ({unit}); mm are assumed"),
    "file-no-orientation": _("{name} says no orientation (sform and qform codes are 0); only its voxel sizes are used"),
    "file-form": _("The {form} of {name} cannot be used, so its {other_form} is: {problem}"),
    "file-two-forms": _(
        "{name} has two orientations, sform and qform, that lie up to {apart:.3g} mm apart at the volume's corners; "
        "the sform is used, and NIfTI results keep both"
    ),
    "file-bits": _("{name} says {told} bits a voxel (bitpix), and its data type has {bits}, which is used"),
    "window": _("Windows of {size} LR voxels; the model was made for {made_for}"),
    "precision": _("{precision} is not accurate enough on {device}: computing in fp32"),
    "device-gpu": _("The GPU cannot be used ({reason}): using the CPU"),
    "device": _("{device} cannot be used ({reason}): using the CPU"),
    "memory-halved": _("Out of memory on {device}: halving the tiles"),
    "memory-cpu": _("Out of memory on {device} even with the smallest tiles: using the CPU"),
    "trust": _(
        "The trust mask marks {share:.0%} of the voxels: there the estimate may be off by more than {bound:.0%} of "
        "the intensity range. Outside it, over volumes like the {volumes} that it was calibrated on, at most "
        "{alpha:.0%} of the voxels are, on average (more than {cap:.0%} in one volume count as {cap:.0%}); of a "
        "single volume or voxel that says nothing sure"
    ),
    "trust-unlike": _(
        "The trust mask marks {share:.0%} of the voxels: there the estimate may be off by more than {bound:.0%} of "
        "the intensity range. Outside it, over volumes like the {volumes} that it was calibrated on, at most "
        "{alpha:.0%} of the voxels are, on average (more than {cap:.0%} in one volume count as {cap:.0%}); of a "
        "single volume or voxel that says nothing sure. This volume is unlike those of the training, so not even "
        "that is known"
    ),
    **ERRORS,
}
