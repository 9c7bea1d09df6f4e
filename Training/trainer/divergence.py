"""When a loss or a gradient is no longer a finite number: the run stops, and what caused it is kept."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from SuperResolution3DLib.errors import ExitCode, SuperResolutionError
from Training.data.patches import Patches


class DivergedError(SuperResolutionError):
    """A loss or a gradient is no longer a finite number."""

    code = "diverged"
    exit_code = ExitCode.BUG


def check_finite(run: Path, process: int, step: int, taken: list[Patches], values: dict[str, Tensor]) -> None:
    """Make sure that losses and gradient norms are finite; else save all patches of the step.

    Raises:
        DivergedError: one is not.
    """
    if all(torch.isfinite(value) for value in values.values()):
        return
    path = run / f"diverged-step-{step:08d}-process-{process}.safetensors"
    shown = ", ".join(f"{name} {value.item():g}" for name, value in values.items())
    raise DivergedError(
        f"Step {step} gave a loss or a gradient that is not finite ({shown}); earlier checkpoints and models are kept: "
        f"lower the learning rate{_saved(path, taken)}"
    )


def _saved(path: Path, taken: list[Patches]) -> str:
    """Save patches and say where to look at them; a full disk must not hide why the run stopped."""
    patches: dict[str, Tensor] = {}
    for name in ("lr", "hr", "interpolated", "measured"):
        parts = [getattr(part, name).cpu() for part in taken]
        if len({part.shape[1:] for part in parts}) == 1:
            patches[name] = torch.cat(parts)
        else:  # of thick slices, which differ in size
            patches |= {f"{name}-{number}": part for number, part in enumerate(parts)}
    try:
        save_file(patches, path)
    except (OSError, SafetensorError) as error:
        return f"; the patches of the step cannot be saved as {path} ({error})"
    return f", or look at the patches of the step in {path}"
