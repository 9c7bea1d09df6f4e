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
    "all-but-ct": "anything but CT",
    "choice-no-voxels": "No model fits {size} voxels: {method} interpolation only",
    "choice-no-slices": "No model fits {size}: {method} interpolation only",
    "unfit-network": "needs a newer version, its network is {network}",
    "unfit-modality": "for {trained}, not for {modality}",
    "unfit-like-ct": "for {trained}, this looks like CT",
    "unfit-unlike-ct": "for CT, unlike this volume",
    "unfit-one-axis": "for slices that lie {direction}",
    "unfit-no-slices": "for stacks of slices, and no axis stands out as theirs",
    "unfit-slices": "for slices {low} to {high} mm apart",
    "unfit-pixels": "for pixels of {low} to {high} mm",
    "unfit-voxels": "for {low} to {high} mm each way",
    "reach": "{scale}, from voxels of {low} to {high} mm",
    "reach-one": "{scale}, from voxels of {low} mm",
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
    "modality-like-ct-tissue": "The volume looks like CT ({fat:.0%} of its voxels lie where fat does, -150 to -70 HU, "
    "and {soft:.0%} where soft tissue does), {model} was trained on {trained}",
    "modality-unlike-ct": "The volume does not look like CT in HU, {model} was trained on {trained}",
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
    "slices-unused": "{model} is not for thick slices: what was said of their thickness, spacing or axis is not used",
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
    # where a result may be off
    "trust": "The trust mask marks {share:.0%} of the voxels: there the estimate may be off by more than {bound:.0%} "
    "of the intensity range. Outside it, over volumes like the {volumes} that it was calibrated on, at most "
    "{alpha:.0%} of the voxels are, on average (more than {cap:.0%} in one volume count as {cap:.0%}); that is no "
    "proof for a single volume or voxel",
    "trust-unlike": "The trust mask marks {share:.0%} of the voxels: there the estimate may be off by more than "
    "{bound:.0%} of the intensity range. Outside it, over volumes like the {volumes} that it was calibrated on, at "
    "most {alpha:.0%} of the voxels are, on average (more than {cap:.0%} in one volume count as {cap:.0%}); that is "
    "no proof for a single volume or voxel. This volume is unlike those of the training, so not even that is known",
    # what a run is told
    "input-device": "--device is auto, cpu, cuda, cuda:N or mps, not {given!r}",
    "input-precision": "--precision is auto, fp32 or bf16, not {given!r}",
    "input-consistency": "--data-consistency is off, check or project, not {given!r}",
    "input-memory-limit": "--memory-limit is a number of GiB above 0, not {given:g}",
    "input-window": "--window is an edge of at least {smallest} LR voxels, not {given}",
    "input-overlap": "--overlap is a share of the window from 0 to below 1, not {given:g}",
    "input-overlap-alone": "--overlap belongs to --window, which is not given",
    "input-modality": "--modality is a DICOM modality such as MR or CT, not {given!r}",
    "input-modality-of-series": "--modality {given} is not that of the series, {found}; omit it",
    "input-project-region": "--data-consistency project works on the whole volume, not on a --region",
    "input-trust-region": "--trust-map works on the whole volume, not on a --region",
    "input-region": "--region {region} is empty or reaches beyond the volume, whose shape is {shape} (slices, rows, "
    "columns)",
    "input-slices-only": "{model} is for thick slices and does not run in windows: omit --window",
    "input-mirror": "{model} works on the {grid} grid, which is another one in a mirror: omit --ensemble",
    "input-gpu-number": "There is no GPU {index}: {count} found, counted from 0",
    "input-slices-closer": "Slices every {spacing:g} mm are closer than the volume's own {own:.4g} mm {direction}; "
    "choose a larger slice spacing",
    "input-thickness": "A slice thickness of {thickness:g} mm is impossible for slices every {spacing:.4g} mm: it is "
    "above 0 and at most {times:g} spacings, {largest:.4g} mm; give the true one",
    "input-target-spacing": "A target spacing of {target:g} mm does not suit slices every {spacing:.4g} mm: it is "
    "below that and at least {smallest:.3g} mm, {most} voxels per slice",
    "input-pixel-spacing": "The pixel size, {target:g} mm (0.4 mm at least), does not suit as target spacing for "
    "slices every {spacing:.4g} mm: choose one below that and at least {smallest:.3g} mm, {most} voxels per slice, "
    "with --target-spacing",
    "input-report-json": "{source} is not a report of a run: it is not JSON ({reason})",
    "input-report": "{source} is not a report of a run that this version can read: {reason}",
    # volumes
    "path-unseen": "{path} cannot be looked at ({reason}); change its permissions or use another one",
    "path-no-name": "{path} is not the name of a file ({reason}); use another one",
    "path-not-utf8": "The name {path} is not UTF-8 text, and volumes need one; rename the file or folder",
    "volume-missing": "There is no file or folder {path}; check the path",
    "volume-unreadable": "{path} cannot be read ({reason}); check its permissions",
    "volume-components": "{path} holds {count} component(s) a voxel ({kind}) and one real number is needed; extract "
    "one component or the magnitude first",
    "volume-axes": "{path} has {count} axes ({shape}) and a volume has 3; extract one 3D volume first",
    "volume-no-image": "{path} cannot be read as an image ({reason}); check that it is complete and of its kind",
    "volume-damaged": "The compressed data of {path} is damaged after {count} bytes ({reason}); copy or download the "
    "file again",
    "volume-no-end": "{path} is cut short: its compressed data stops after {count} bytes without an end; copy or "
    "download the file again",
    "volume-cut-short": "{path} is cut short: it holds {count} of the {wanted} bytes that its header announces; copy "
    "or download the file again",
    "volume-thin": "{path} has {shape} and each axis needs 2 at least; give a 3D volume",
    "volume-small": "A volume of {shape} is too small: the network needs {needed} voxels along each axis",
    "volume-not-finite": "{path} has {count} of {size} voxels that are NaN or infinite; replace them with numbers "
    "first",
    "volume-constant": "All {shape} of {path} are {value:g}; give a volume that shows something",
    "volume-no-contrast": "The volume is constant ({value:g} everywhere), there is nothing to super-resolve",
    "volume-extreme": "{name} has {count} of {size} voxels beyond {limit:g} in magnitude, as marks of missing data are "
    "({low:g} to {high:g}); replace them with the value of the background, or divide the volume",
    "volume-flat": "The voxels of {name} differ by {range:g} at most and {needed:g} is needed; multiply the volume "
    "with a large number first",
    "volume-far": "{count} of {size} voxels lie more than {times:g} times the intensity range ({low:g} to {high:g}) "
    "away from it ({lowest:g} to {highest:g}); replace them with the value of the background",
    "volume-low-contrast": "The voxels ({lowest:.10g} to {highest:.10g}) have too little contrast so far from the "
    "range {low:g} to {high:g} that the model was made for; subtract their offset, or choose another model",
    "volume-result": "{count} of {size} voxels of the result are not finite; the volume goes from {low:g} to {high:g}, "
    "look for outliers or use another model",
    "geometry-header": "The header of {path} describes axes that are sheared, of zero length or in one plane, so its "
    "affine cannot be used; repair the header or resample the volume to perpendicular axes",
    "geometry-not-finite": "The volume's affine {affine} has entries that are not finite; repair its header",
    "geometry-last-row": "The volume's affine {affine} must end in the row 0 0 0 1; repair its header",
    "geometry-tiny": "The volume's voxels measure {sizes} mm (columns, rows, slices), at least {needed:g} mm is "
    "needed; repair the spacing in its header",
    "geometry-flat": "The volume's three axes lie in one plane (determinant {determinant:.2g}, 1 is perpendicular), so "
    "its affine cannot be inverted; repair its header",
    "geometry-sheared": "The volume is sheared: two of its axes meet at {angle:.2f} degrees instead of 90; resample it "
    "to a grid with perpendicular axes first",
    "geometry-few-slices": "A stack has 2 slices at least, not {count}",
    "geometry-uneven-axis": "The slices lie unevenly along axis {axis}, which is therefore the slice axis and not "
    "{given}; choose --axis {axis}",
    "geometry-uneven-volume": "The slices lie unevenly, their distances up to {off:.2g} % off the mean, and {model} "
    "takes even ones; use a model for thick slices, or resample the volume evenly first",
    "geometry-too-short": "Slices every {spacing:g} mm do not fit twice into {length:g} mm; choose a smaller slice "
    "spacing or a larger volume",
    "geometry-uneven": "The slices lie unevenly: {distance:.4g} mm between slices {first} and {second} where "
    "{spacing:.4g} mm is the mean and {allowed:.0%} off is allowed (slices {places}, counted from 0); remove the "
    "misplaced slices",
    # model files
    "model-folder": "The folder cannot be read ({reason})",
    "model-missing": "There is no model file {path}",
    "model-unreadable": "{path} cannot be read ({reason}); check its permissions",
    "model-no-header": "{file} is not a model file (no safetensors header)",
    "model-bad-header": "{file} is not a model file (unreadable safetensors header)",
    "model-no-card": "{file} holds no model card of this program (no {key!r} entry in its header)",
    "model-not-json": "{file}: the model's header is not JSON ({reason})",
    "model-no-object": "{file}: the model's header is not a JSON object",
    "model-version": "{file}: model format version {version}, this program reads {known}",
    "model-lacks": "{file}: the model's header lacks {fields}",
    "model-unusable": "{file}: the model's header cannot be used: {reason}",
    "model-config": "The config of {model} does not say {field!r}",
    "model-network": "Unknown network {network!r}; this program has {known}",
    "model-network-config": "Network {network!r} cannot be built from its config: {reason}",
    "model-scale": "{file}: the card says scale {card}, the network's config {network}",
    "model-grid": "{file}: the card says grid {card}, the network's config {network}",
    "model-skip": "{file}: the card says skip {card}, but the network adds a trilinear interpolation",
    "model-intensity": "{file}: the card's intensity policy cannot be used: {reason}",
    "model-damaged": "{file} is damaged: {reason}",
    "model-tensors": "{file} does not fit its network: it lacks {missing} tensors and has {unknown} unknown ones "
    "({names})",
    "model-tensor-shape": "{file}: tensor {tensor} has shape {shape}, wanted {wanted}",
    "model-tensor-values": "{file}: tensor {tensor} holds values that are not finite numbers",
    "model-not-for-slices": "{model} is not for thick slices; it enlarges all axes",
    "model-not-called": "No model is called {name!r}; installed: {models}",
    "model-called-like": "No model is called {name!r}; installed: {models}; the closest name is {closest}",
    "model-none": "No model is installed: put a model file into {folder} or name its folder in ${variable}",
    "model-no-home": "You have no home folder: set HOME, or name a folder of models in ${variable}",
    "model-none-fits": "{choice}{reasons}; name a model with --model to use it nevertheless, or see `interpolate`",
    "model-not-calibrated": "{model} was not calibrated, so nothing can be said of where it may be off: omit "
    "--trust-map, or calibrate it with Training/calibrate.py",
    "model-companion": "{model} was calibrated with another file of {companion} (sha256 {wanted}) than the installed "
    "one ({found}): install that one, or calibrate again with Training/calibrate.py",
    "model-pair": "{model} and {companion} cannot be compared: their {field} differs, {one} and {other}",
    # results
    "output-folder": "{path} is a folder; name a file in it",
    "output-device": "{path} is a disk or a socket; name a file",
    "output-closed": "{path} is closed or may not be written into; name a file",
    "output-exists": "{path} exists already; use --overwrite or another name",
    "output-no-folder": "There is no folder {folder} to write {name} to; create it or use another one",
    "output-forbidden": "The folder {folder} may not be written to; change its permissions or use another one",
    "output-no-file": "{path} cannot be a file ({reason}); use another name",
    "output-disk-full": "{name} takes {needed:.3g} GiB and {free:.3g} GiB are free in {folder}; free some space or use "
    "another disk",
    "output-failed": "{path} cannot be written ({reason}), nothing was left behind; write to another folder",
    "output-refused": "{path} cannot be written ({reason}); write to another folder",
    "output-taken": "{path} was made by somebody else during the run and is left as it is; use --overwrite or another "
    "name",
    "output-scratch": "The result is larger than main memory and takes up to {needed} on the disk, and {free} are "
    "free in {folder}; free some space or write to another disk",
    # ends
    "cancelled": "Cancelled; nothing was written",
    "bug": "This is a bug of the program ({error})",
    "memory-full": "Out of memory: {advice}, or close other programs",
    "memory-on-cpu": "Out of memory on the CPU even with the smallest tiles: {advice}",
    "memory-gpu": "Out of memory on {device} even with the smallest tiles: {advice}, or {other}",
    "memory-gpu-taken": "{device} has no memory left ({reason}): close other programs that use it, or {advice}",
    "memory-needed": "The run needs at least {needed} GiB and may use {allowed} GiB: {advice}, or close other programs "
    "that use this memory",
    "memory-slices": "The result with {spacing:.3g} mm between slices takes {needed} of main memory and may use "
    "{allowed}: choose a larger --target-spacing",
    "memory-result": "The result takes {needed} GiB of main memory and may use {allowed} GiB: {advice}, or write .nii "
    "or .nii.gz without a trust map, which may take room on the disk instead",
    "input-library": "A library cannot be loaded ({reason}); install it again, or close other programs",
    "input-system": "{reason}; check permissions, names, free space and open files",
    "input-system-file": "{file}: {reason}; check permissions, names, free space and open files",
    "input-no-gpu": "No CUDA GPU can be used by this installation of PyTorch: {advice}",
    "input-no-mps": "No Apple GPU can be used by this installation of PyTorch: {advice}",
    "input-gpu-unusable": "{device} cannot be used by this installation of PyTorch ({reason}): {advice}",
    "input-gpu-failed": "The GPU failed ({reason}): {advice}",
    "geometry-isotropic": "The volume is isotropic or nearly so, its voxels are {sizes}, so there is nothing between "
    "slices to be computed; use a model or a method for all three axes, or {advice}",
    "geometry-isotropic-one-axis": "The volume is isotropic or nearly so, its voxels are {sizes}, and {model} enlarges "
    "one direction alone, {direction}; use a model for all three axes",
    "geometry-other-axis": "The slices of the volume, whose voxels are {sizes}, do not lie {direction}, the one "
    "direction that {model} enlarges; use a model for thick slices, which finds their axis",
    "geometry-no-slice-axis": "No axis of {sizes} stands out as the slice axis, whose spacing is at least {margin} "
    "times each of the others; {advice}",
}
