"""Every sentence that may reach a panel, by its code, in English and in the words of the command line.

A code never changes its meaning. It begins with what is concerned; that of an error with the code of its class. The
values in braces are numbers, names, or sentences in their turn. A panel has words of its own for codes and values.
"""

from typing import Final

ENGLISH: Final[dict[str, str]] = {
    # words
    "axial": "axial",
    "coronal": "coronal",
    "sagittal": "sagittal",
    "axial-first": "Axial",
    "coronal-first": "Coronal",
    "sagittal-first": "Sagittal",
    "left-right": "left-right",
    "front-back": "front-back",
    "head-foot": "head-foot",
    "through-plane": "through-plane",
    "consistent": "consistent",
    "zero-filled": "zero-filled",
    # sizes
    "size": "{sizes} mm",
    "size-isotropic": "{sizes} mm isotropic",
    "size-along": "{sizes} mm ({first}, {second}, {third})",
    "size-of-slices": "{plane} slices of {sizes}",
    "shape-along": "{shape} voxels ({first}, {second}, {third})",
    "grid-along": "{shape} voxels of {sizes} mm ({first}, {second}, {third})",
    "factor-all": "{factor}x along each axis",
    "factor-along": "{factor}x {direction}",
    "factors": "{first}, {second}",
    # what a model does, and why it does not fit
    "plan": "For {subject}: {before} -> {after} with {model}",
    "plan-slices": "{plane} slices {before} -> {after} with {model}",
    "choice-equal": "{models} and {last} fit equally well: choose one",
    "choice-no-modality": "No model is for {modality}: {method} interpolation only",
    "choice-no-voxels": "No model fits {size} voxels: {method} interpolation only",
    "choice-no-slices": "No model fits {size}: {method} interpolation only",
    "unfit-network": "needs a newer version, its network is {network}",
    "unfit-modality": "for {trained}, not for {modality}",
    "unfit-no-slices": "for stacks of slices, and no axis stands out as theirs",
    "unfit-slices": "for slices {low} to {high} mm apart",
    "unfit-pixels": "for pixels of {low} to {high} mm",
    "unfit-voxels": "for voxels of {low} to {high} mm",
    "reach": "{scale}, from voxels of {low} to {high} mm",
    "reach-slices": "Fills slices {near} to {far} mm apart, with pixels of {low} to {high} mm",
    # what to do
    "advice-device": "choose --device cpu or auto",
    "advice-region": "choose a smaller region with --region",
    "advice-region-or-spacing": "choose a smaller region with --region or a larger --target-spacing",
    "advice-axis": "name the slice axis with --axis K, J or I (slices, rows, columns)",
    # warnings
    "modality": "The volume is {modality}, {model} was trained on {trained}",
    "modality-like-ct": "The volume looks like CT ({share:.0%} of its voxels lie near -1000 HU), {model} was trained "
    "on {trained}",
    "spacing-voxels": "The voxels of {voxels} lie outside the {low:g} to {high:g} mm that {model} was trained on; the "
    "result will have {grid}, {bytes}",
    "spacing-direction": "Voxels measure {size:.3g} mm {direction}, {model} was trained on {low:.3g} to {high:.3g} mm "
    "there",
    "spacing-pixels": "Pixels of {first:.3g} x {second:.3g} mm lie outside the {low:g} to {high:g} mm that {model} was "
    "trained on",
    "spacing-slices": "Slices lie {spacing:.3g} mm apart, {model} was trained on {low:g} to {high:g} mm",
    "extent": "What the volume shows measures {size:.3g} mm {direction}, {model} was trained on {low:.3g} to "
    "{high:.3g} mm: it has seen no subject of this size, or not so small a part",
    "noise": "Changes from voxel to voxel make {share:.2g} % of the intensity range, {model} was trained on {low:.3g} "
    "to {high:.3g} %: noise may come out as texture",
    "histogram": "{share:.0%} of the subject's voxels lie below {level:.2f} of the intensity range, {model} was "
    "trained on {low:.3g} to {high:.3g}: another contrast",
    "interpolated": "The {direction} spectrum is nearly empty beyond 0.7 of its Nyquist frequency ({share:.2g} of the "
    "band below it, {model} was trained on {low:.3g} to {high:.3g}): the volume seems to be interpolated, give the "
    "one that was measured",
    "intensity": "{model} was trained with the intensity range of the HR volume, which is not known here; that of the "
    "input is used, so the result may be too bright or too dark in parts",
    "slices-uneven": "The slices lie unevenly, their distances up to {off:.2g} % off the mean of {spacing:.4g} mm; "
    "each is taken where it lies",
    "slices-thickness": "A slice thickness of {given:g} mm was given and the file says {in_file:g} mm",
    "file-unit": "{name} names an unknown unit of length ({unit}); mm are assumed",
    "file-no-orientation": "{name} says no orientation (sform and qform codes are 0); only its voxel sizes are used",
    "file-form": "The {form} of {name} cannot be used, so its {other_form} is: {problem}",
    "file-two-forms": "{name} has two orientations, sform and qform, that lie up to {apart:.3g} mm apart at the "
    "volume's corners; the sform is used, and NIfTI results keep both",
    "file-bits": "{name} says {told} bits a voxel (bitpix), and its data type has {bits}, which is used",
    "window": "Windows of {size} LR voxels; the model was made for {made_for}",
    "precision": "{precision} is not accurate enough on {device}: computing in fp32",
    "device-gpu": "The GPU cannot be used ({reason}): using the CPU",
    "device": "{device} cannot be used ({reason}): using the CPU",
    "memory-halved": "Out of memory on {device}: halving the tiles",
    "memory-cpu": "Out of memory on {device} even with the smallest tiles: using the CPU",
    # model files
    "model-folder": "The folder cannot be read ({reason})",
    # ends
    "cancelled": "Cancelled; nothing was written",
    "bug": "This is a bug of the program ({error})",
    "memory-full": "Out of memory: {advice}, or close other programs",
    "memory-on-cpu": "Out of memory on the CPU even with the smallest tiles: {advice}",
    "memory-gpu": "Out of memory on {device} even with the smallest tiles: {advice}, or {other}",
    "memory-gpu-taken": "{device} has no memory left ({reason}): close other programs that use it, or {advice}",
    "memory-needed": "The run needs at least {needed} GiB and may use {allowed} GiB: {advice}, or close other programs "
    "that use this memory",
    "memory-result": "The result takes {needed} GiB of main memory and may use {allowed} GiB: {advice}",
    "input-library": "A library cannot be loaded ({reason}); install it again, or close other programs",
    "input-system": "{reason}; check permissions, names, free space and open files",
    "input-system-file": "{file}: {reason}; check permissions, names, free space and open files",
    "input-no-gpu": "No CUDA GPU can be used by this installation of PyTorch: {advice}",
    "input-gpu-unusable": "{device} cannot be used by this installation of PyTorch ({reason}): {advice}",
    "input-gpu-failed": "The GPU failed ({reason}): {advice}",
    "geometry-isotropic": "The volume is isotropic, {sizes}, so there is nothing between slices to be computed; use a "
    "model or a method for all three axes, or {advice}",
    "geometry-no-slice-axis": "No axis of {sizes} stands out as the slice axis, whose spacing is at least {margin} "
    "times each of the others; {advice}",
}
