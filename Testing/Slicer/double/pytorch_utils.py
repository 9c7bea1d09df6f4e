"""The module ``PyTorchUtils`` of the extension PyTorch: installs torch on request."""

import types
from typing import Any


class PyTorchUtilsLogic:
    """Follows PyTorchUtils/PyTorchUtils.py of https://github.com/fepegar/SlicerPyTorch (class of this name).

    Nothing is installed: what would be is recorded in ``requests``. `outcome` says how it ends.
    """

    requests: list[dict[str, Any]] = []  # noqa: RUF012 - one record for the process, as there is one Slicer
    outcome: BaseException | None = None
    """raised by the next installation; None: it succeeds"""

    def installTorch(
        self,
        askConfirmation: bool = False,
        forceComputationBackend: str | None = None,
        torchVersionRequirement: str | None = None,
        torchvisionVersionRequirement: str | None = None,
    ) -> Any:
        """Record the request and return the module, None when a person refused.

        Raises:
            TypeError: an argument of another type
        """
        if not isinstance(askConfirmation, bool):
            raise TypeError(f"askConfirmation is a bool, not {askConfirmation!r}")
        texts = (forceComputationBackend, torchVersionRequirement, torchvisionVersionRequirement)
        for text in texts:
            if not isinstance(text, str | None):
                raise TypeError(f"Text or None is expected, not {text!r}")
        PyTorchUtilsLogic.requests.append({"askConfirmation": askConfirmation, "backend": texts[0], "torch": texts[1]})
        if PyTorchUtilsLogic.outcome is not None:
            raise PyTorchUtilsLogic.outcome
        return types.ModuleType("torch")


def module() -> types.ModuleType:
    """Return the module ``PyTorchUtils``."""
    result = types.ModuleType("PyTorchUtils", __doc__)
    result.PyTorchUtilsLogic = PyTorchUtilsLogic
    return result
