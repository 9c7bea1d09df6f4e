"""The library's errors, by their codes, in the panel's words."""

from slicer.i18n import tr as _

ERRORS = {
    "input-device": _("The device is auto, cpu, cuda, cuda:N or mps, not {given!r}"),
    "input-precision": _("The precision is auto, fp32 or bf16, not {given!r}"),
    "input-consistency": _("The data consistency is off, check or project, not {given!r}"),
    "input-memory-limit": _("The memory limit is a number of GiB above 0, not {given:g}"),
    "input-window": _("The window size is at least {smallest} voxels of the input, not {given}"),
    "input-overlap": _("The overlap is a share of the window from 0 to below 1, not {given:g}"),
    "input-overlap-alone": _("The overlap is that of windows: choose the sliding window under Tiles"),
    "input-modality": _("The modality is one of DICOM, such as MR or CT, not {given!r}"),
    "input-modality-of-series": _("The modality {given} is not that of the series, {found}"),
    "input-project-region": _(
        "The measured frequencies are those of the whole volume: choose another data consistency than Project, or "
        "the whole volume under Region"
    ),
    "input-trust-region": _("A trust mask is one of the whole volume: choose the whole volume under Region"),
    "input-region": _(
        "The region {region} is empty or reaches beyond the volume, whose shape is {shape} (slices, rows, columns)"
    ),
    "input-slices-only": _("{model} is for thick slices and does not run in windows: choose automatic tiles"),
    "input-mirror": _("{model} works on the {grid} grid, which is another one in a mirror: it has no ensemble"),
    "input-gpu-number": _("There is no GPU {index}: {count} found, counted from 0"),
    "input-slices-closer": _(
        "Slices every {spacing:g} mm are closer than the volume's own {own:.4g} mm {direction}; choose another model "
        "or plane"
    ),
    "input-thickness": _(
        "A slice thickness of {thickness:g} mm is impossible for slices every {spacing:.4g} mm: it is above 0 and at "
        "most {times:g} spacings, {largest:.4g} mm; give the true one"
    ),
    "input-target-spacing": _(
        "A result spacing of {target:g} mm does not suit slices every {spacing:.4g} mm: it is below that and at "
        "least {smallest:.3g} mm, {most} voxels per slice"
    ),
    "input-pixel-spacing": _(
        "The pixel size, {target:g} mm (0.4 mm at least), does not suit as result spacing for slices every "
        "{spacing:.4g} mm: choose one below that and at least {smallest:.3g} mm, {most} voxels per slice"
    ),
    "input-report-json": _("{source} is not a report of a run: it is not JSON ({reason})"),
    "input-report": _("{source} is not a report of a run that this version can read: {reason}"),
    "path-unseen": _("{path} cannot be looked at ({reason}); change its permissions or use another one"),
    "path-no-name": _("{path} is not the name of a file ({reason}); use another one"),
    "path-not-utf8": _("The name {path} is not UTF-8 text, and volumes need one; rename the file or folder"),
    "volume-missing": _("There is no file or folder {path}; check the path"),
    "volume-unreadable": _("{path} cannot be read ({reason}); check its permissions"),
    "volume-components": _(
        "{path} holds {count} component(s) a voxel ({kind}) and one real number is needed; extract one component or "
        "the magnitude first"
    ),
    "volume-axes": _("{path} has {count} axes ({shape}) and a volume has 3; extract one 3D volume first"),
    "volume-no-image": _("{path} cannot be read as an image ({reason}); check that it is complete and of its kind"),
    "volume-damaged": _(
        "The compressed data of {path} is damaged after {count} bytes ({reason}); copy or download the file again"
    ),
    "volume-no-end": _(
        "{path} is cut short: its compressed data stops after {count} bytes without an end; copy or download the "
        "file again"
    ),
    "volume-cut-short": _(
        "{path} is cut short: it holds {count} of the {wanted} bytes that its header announces; copy or download the "
        "file again"
    ),
    "volume-thin": _("{path} has {shape} and each axis needs 2 at least; give a 3D volume"),
    "volume-small": _("A volume of {shape} is too small: the network needs {needed} voxels along each axis"),
    "volume-not-finite": _(
        "{path} has {count} of {size} voxels that are NaN or infinite; replace them with numbers first"
    ),
    "volume-constant": _("All {shape} of {path} are {value:g}; give a volume that shows something"),
    "volume-no-contrast": _("The volume is constant ({value:g} everywhere), there is nothing to super-resolve"),
    "volume-extreme": _(
        "{name} has {count} of {size} voxels beyond {limit:g} in magnitude, as marks of missing data are ({low:g} to "
        "{high:g}); replace them with the value of the background, or divide the volume"
    ),
    "volume-flat": _(
        "The voxels of {name} differ by {range:g} at most and {needed:g} is needed; multiply the volume with a large "
        "number first"
    ),
    "volume-far": _(
        "{count} of {size} voxels lie more than {times:g} times the intensity range ({low:g} to {high:g}) away from "
        "it ({lowest:g} to {highest:g}); replace them with the value of the background"
    ),
    "volume-low-contrast": _(
        "The voxels ({lowest:.10g} to {highest:.10g}) have too little contrast so far from the range {low:g} to "
        "{high:g} that the model was made for; subtract their offset, or choose another model"
    ),
    "volume-result": _(
        "{count} of {size} voxels of the result are not finite; the volume goes from {low:g} to {high:g}, look for "
        "outliers or use another model"
    ),
    "geometry-header": _(
        "The header of {path} describes axes that are sheared, of zero length or in one plane, so its affine cannot "
        "be used; repair the header or resample the volume to perpendicular axes"
    ),
    "geometry-not-finite": _("The volume's affine {affine} has entries that are not finite; repair its header"),
    "geometry-last-row": _("The volume's affine {affine} must end in the row 0 0 0 1; repair its header"),
    "geometry-tiny": _(
        "The volume's voxels measure {sizes} mm (columns, rows, slices), at least {needed:g} mm is needed; repair "
        "the spacing in its header"
    ),
    "geometry-flat": _(
        "The volume's three axes lie in one plane (determinant {determinant:.2g}, 1 is perpendicular), so its affine "
        "cannot be inverted; repair its header"
    ),
    "geometry-sheared": _(
        "The volume is sheared: two of its axes meet at {angle:.2f} degrees instead of 90; resample it to a grid "
        "with perpendicular axes first"
    ),
    "geometry-few-slices": _("A stack has 2 slices at least, not {count}"),
    "geometry-uneven-axis": _(
        "The slices lie unevenly along axis {axis} of the file (K slices, J rows, I columns) and not along {given}; "
        "choose another plane under Slices"
    ),
    "geometry-uneven-volume": _(
        "The slices lie unevenly, their distances up to {off:.2g} % off the mean, and {model} takes even ones; use a "
        "model for thick slices, or resample the volume evenly first"
    ),
    "geometry-too-short": _("Slices every {spacing:g} mm do not fit twice into {length:g} mm; choose a larger volume"),
    "geometry-uneven": _(
        "The slices lie unevenly: {distance:.4g} mm between slices {first} and {second} where {spacing:.4g} mm is "
        "the mean and {allowed:.0%} off is allowed (slices {places}, counted from 0); remove the misplaced slices"
    ),
    "model-folder": _("The folder cannot be read ({reason})"),
    "model-missing": _("There is no model file {path}"),
    "model-unreadable": _("{path} cannot be read ({reason}); check its permissions"),
    "model-no-header": _("{file} is not a model file (no safetensors header)"),
    "model-bad-header": _("{file} is not a model file (unreadable safetensors header)"),
    "model-no-card": _("{file} holds no model card of this program (no {key!r} entry in its header)"),
    "model-not-json": _("{file}: the model's header is not JSON ({reason})"),
    "model-no-object": _("{file}: the model's header is not a JSON object"),
    "model-version": _("{file}: model format version {version}, this program reads {known}"),
    "model-lacks": _("{file}: the model's header lacks {fields}"),
    "model-unusable": _("{file}: the model's header cannot be used: {reason}"),
    "model-config": _("The config of {model} does not say {field!r}"),
    "model-network": _("Unknown network {network!r}; this program has {known}"),
    "model-network-config": _("Network {network!r} cannot be built from its config: {reason}"),
    "model-scale": _("{file}: the card says scale {card}, the network's config {network}"),
    "model-grid": _("{file}: the card says grid {card}, the network's config {network}"),
    "model-skip": _("{file}: the card says skip {card}, but the network adds a trilinear interpolation"),
    "model-intensity": _("{file}: the card's intensity policy cannot be used: {reason}"),
    "model-damaged": _("{file} is damaged: {reason}"),
    "model-tensors": _(
        "{file} does not fit its network: it lacks {missing} tensors and has {unknown} unknown ones ({names})"
    ),
    "model-tensor-shape": _("{file}: tensor {tensor} has shape {shape}, wanted {wanted}"),
    "model-tensor-values": _("{file}: tensor {tensor} holds values that are not finite numbers"),
    "model-not-for-slices": _("{model} is not for thick slices; it enlarges all axes"),
    "model-not-called": _("No model is called {name!r}; installed: {models}"),
    "model-called-like": _("No model is called {name!r}; installed: {models}; the closest name is {closest}"),
    "model-none": _(
        "No model is installed: use Add model file..., put a model file into {folder}, or name its folder in "
        "${variable}"
    ),
    "model-no-home": _("You have no home folder: set HOME, or name a folder of models in ${variable}"),
    "model-none-fits": _("{choice}{reasons}; choose a model in the list to use it nevertheless"),
    "model-not-calibrated": _("{model} was not calibrated, so nothing can be said of where it may be off"),
    "model-companion": _(
        "{model} was calibrated with another file of {companion} (sha256 {wanted}) than the installed one ({found}): "
        "install that one"
    ),
    "model-pair": _("{model} and {companion} cannot be compared: their {field} differs, {one} and {other}"),
    "output-folder": _("{path} is a folder; name a file in it"),
    "output-device": _("{path} is a disk or a socket; name a file"),
    "output-closed": _("{path} is closed or may not be written into; name a file"),
    "output-exists": _("{path} exists already; use another name"),
    "output-no-folder": _("There is no folder {folder} to write {name} to; create it or use another one"),
    "output-forbidden": _("The folder {folder} may not be written to; change its permissions or use another one"),
    "output-no-file": _("{path} cannot be a file ({reason}); use another name"),
    "output-disk-full": _(
        "{name} takes {needed:.3g} GiB and {free:.3g} GiB are free in {folder}; free some space or use another disk"
    ),
    "output-failed": _("{path} cannot be written ({reason}), nothing was left behind; write to another folder"),
    "output-refused": _("{path} cannot be written ({reason}); write to another folder"),
    "output-taken": _("{path} was made by somebody else during the run and is left as it is; use another name"),
    "output-scratch": _(
        "The result is larger than main memory and takes up to {needed} on the disk, and {free} are free in {folder}; "
        "free some space or write to another disk"
    ),
    "cancelled": _("Cancelled; nothing was written"),
    "bug": _("This is a bug of the program ({error})"),
    "memory-full": _("Out of memory: {advice}, or close other programs"),
    "memory-on-cpu": _("Out of memory on the CPU even with the smallest tiles: {advice}"),
    "memory-gpu": _("Out of memory on {device} even with the smallest tiles: {advice}, or {other}"),
    "memory-gpu-taken": _("{device} has no memory left ({reason}): close other programs that use it, or {advice}"),
    "memory-needed": _(
        "The run needs at least {needed} GiB and may use {allowed} GiB: {advice}, or close other programs that use "
        "this memory"
    ),
    "memory-slices": _(
        "The result with {spacing:.3g} mm between slices takes {needed} of main memory and may use {allowed}: choose "
        "a larger Result spacing between slices"
    ),
    "memory-result": _("The result takes {needed} GiB of main memory and may use {allowed} GiB: {advice}"),
    "input-library": _(
        "A library cannot be loaded ({reason}); install it again in the module PyTorch Utils, or close other programs"
    ),
    "input-system": _("{reason}; check permissions, names, free space and open files"),
    "input-system-file": _("{file}: {reason}; check permissions, names, free space and open files"),
    "input-no-gpu": _("No CUDA GPU can be used by this installation of PyTorch: {advice}"),
    "input-no-mps": _("No Apple GPU can be used by this installation of PyTorch: {advice}"),
    "input-gpu-unusable": _("{device} cannot be used by this installation of PyTorch ({reason}): {advice}"),
    "input-gpu-failed": _("The GPU failed ({reason}): {advice}"),
    "geometry-isotropic": _(
        "The volume is isotropic or nearly so, its voxels are {sizes}, so there is nothing between slices to be "
        "computed; use a model or a method for all three axes, or {advice}"
    ),
    "geometry-isotropic-one-axis": _(
        "The volume is isotropic or nearly so, its voxels are {sizes}, and {model} enlarges one direction alone, "
        "{direction}; use a model for all three axes"
    ),
    "geometry-other-axis": _(
        "The slices of the volume, whose voxels are {sizes}, do not lie {direction}, the one direction that {model} "
        "enlarges; use a model for thick slices, which finds their axis"
    ),
    "geometry-no-slice-axis": _(
        "No axis of {sizes} stands out as the slice axis, whose spacing is at least {margin} times each of the "
        "others; {advice}"
    ),
}
