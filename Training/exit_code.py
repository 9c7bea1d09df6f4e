"""How the command lines end: with a code, and in one sentence where a person can put something right."""

import sys
from collections.abc import Callable

from SuperResolution3DLib.errors import SuperResolutionError
from Training.trainer.distributed import FailedElsewhereError


def exit_code(work: Callable[[], int | None]) -> int:
    """Do the work of a command line and return its exit code, 0 for none."""
    try:
        return work() or 0
    except FailedElsewhereError as error:  # the process that it failed in says why
        return error.exit_code
    except SuperResolutionError as error:
        print(error, file=sys.stderr)
        return error.exit_code
