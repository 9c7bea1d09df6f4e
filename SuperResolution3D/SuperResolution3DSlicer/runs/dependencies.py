"""Is torch there? If not: ask once, then install it through the PyTorch extension, and safetensors with it."""

import importlib.metadata
import importlib.util
import re

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import InputError

SMALLEST_TORCH = (2, 6)
SAFETENSORS = "safetensors>=0.4"
TORCH_GB = "0.3 - 3"


def missing_packages() -> list[str]:
    """Return which of the worker's packages are not installed; nothing is imported."""
    return [name for name in ("torch", "safetensors") if importlib.util.find_spec(name) is None]


def check_torch_version() -> None:
    """Make sure that the installed torch is new enough.

    Raises:
        InputError: it is older than 2.6, or does not say how old it is.
    """
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError as error:
        raise InputError(
            _("PyTorch is installed without its version: install it again in the module PyTorch Utils.")
        ) from error
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None or tuple(map(int, numbers.groups())) < SMALLEST_TORCH:
        wanted = ".".join(map(str, SMALLEST_TORCH))
        raise InputError(
            _(
                "PyTorch {version} is installed and {wanted} or newer is needed: update it in the module PyTorch Utils."
            ).format(version=version, wanted=wanted)
        )


def ensure_installed() -> None:
    """Install what is missing after one question; return when the worker can run.

    Raises:
        InputError: a person said no, the PyTorch extension is missing, the installation failed, or torch is too old.
    """
    missing = missing_packages()
    if not missing:
        check_torch_version()
        return
    logic = _torch_logic() if "torch" in missing else None
    if slicer.app.testingEnabled():
        raise InputError(
            _("Not installed: {packages}; nothing is installed in testing mode.").format(packages=", ".join(missing))
        )
    question = (
        _(
            "The network needs these packages, which Slicer does not include: {packages}. Download and install them now"
            " ({size} GB, several minutes)? Slicer waits until it is done; its own packages stay as they are."
        )
        if "torch" in missing
        else _(
            "The network needs these packages, which Slicer does not include: {packages}. Download and install them"
            " now? Slicer waits until it is done; its own packages stay as they are."
        )
    ).format(packages=", ".join(missing), size=TORCH_GB)
    if not slicer.util.confirmOkCancelDisplay(question, _("SuperResolution3D: install PyTorch")):
        raise InputError(
            _("Nothing was installed; super-resolution needs {packages}.").format(packages=", ".join(missing))
        )
    with slicer.util.WaitCursor():
        _install(missing, logic)
    check_torch_version()


def _torch_logic() -> object:
    """Return the logic of the PyTorch extension.

    Raises:
        InputError: the extension is not installed.
    """
    try:
        import PyTorchUtils
    except ModuleNotFoundError as error:
        raise InputError(
            _(
                "PyTorch is not installed, and neither is the extension that installs it: open the Extensions Manager,"
                ' install "PyTorch", restart Slicer and try again.'
            )
        ) from error
    return PyTorchUtils.PyTorchUtilsLogic()


def _install(missing: list[str], logic: object | None) -> None:
    try:
        if logic is not None:  # which imports torch into Slicer; that is the extension's doing, only this once
            requirement = ">=" + ".".join(map(str, SMALLEST_TORCH))
            logic.installTorch(askConfirmation=False, torchVersionRequirement=requirement)
        if "safetensors" in missing:
            from slicer.packaging import pip_ensure

            pip_ensure(SAFETENSORS, prompt_install=False, requester="SuperResolution3D")
    except Exception as error:  # pip, the network or a proxy: whatever it is, the scene is untouched
        raise InputError(
            _(
                "The installation failed ({error}); check the network and proxy, or install torch and safetensors by"
                " hand (module PyTorch Utils)."
            ).format(error=error)
        ) from error
    importlib.invalidate_caches()
    still_missing = missing_packages()
    if still_missing:
        raise InputError(
            _("Still missing after the installation: {packages}; restart Slicer and try again.").format(
                packages=", ".join(still_missing)
            )
        )
