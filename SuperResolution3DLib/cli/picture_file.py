"""What all pictures share: how they are written, and how long a scale bar is. Imports matplotlib only to write."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from SuperResolution3DLib.errors import OutputError
from SuperResolution3DLib.volumes.output_place import publish, temporary_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def round_length(longest: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten up to a length in mm."""
    power = 10.0 ** np.floor(np.log10(longest))
    return float(max(digit * power for digit in (1, 2, 5) if digit * power <= longest * (1 + 1e-9)))


def save_figure(figure: "Figure", path: Path, dots_per_inch: float, background: str) -> None:
    """Write a figure under a temporary name in the same folder, then publish it.

    Raises:
        OutputError: an unknown extension, or a picture that cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    formats = FigureCanvasAgg(figure).get_supported_filetypes()
    file_format = path.suffix.lstrip(".").lower()
    if file_format not in formats:
        raise OutputError(f"{path.name}: pictures end in one of {', '.join(sorted(formats))}")
    temporary = temporary_name(path)
    try:
        figure.savefig(temporary, format=file_format, dpi=dots_per_inch, facecolor=background)
        publish(temporary, path, overwrite=True)
    except OSError as error:
        raise OutputError(f"{path}: the picture cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
