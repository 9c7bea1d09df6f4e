"""The module ``slicer.packaging``: Python packages, which the double never installs."""

import importlib.metadata
import types
from pathlib import Path

import slicer
from packaging.requirements import Requirement

requests: list[list[str]] = []
"""The requirements that were to be installed"""


def pip_check(req: str | list[str]) -> bool:
    """Whether requirements are fulfilled. Follows Slicer's Base/Python/slicer/packaging.py."""
    for requirement in map(Requirement, _listed(req)):
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            return False
        if not requirement.specifier.contains(version, prereleases=True):
            return False
    return True


def pip_ensure(
    requirements: str | list[str],
    constraints: str | Path | None = None,
    skip_packages: list[str] | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> None:
    """Record what is missing; nothing happens in testing mode. Follows Slicer's Base/Python/slicer/packaging.py.

    Raises:
        RuntimeError: a person declines
    """
    missing = [requirement for requirement in _listed(requirements) if not pip_check(requirement)]
    if not missing or (skip_in_testing and slicer.app.testingEnabled()):
        return
    if prompt_install and not slicer.util.confirmOkCancelDisplay(f"{requester or 'A module'} needs {missing}"):
        raise RuntimeError("The user declined the installation")
    requests.append(missing)


def module() -> types.ModuleType:
    """Return the module ``slicer.packaging``."""
    result = types.ModuleType("slicer.packaging", __doc__)
    result.pip_check, result.pip_ensure = pip_check, pip_ensure
    return result


def _listed(requirements: str | list[str]) -> list[str]:
    if isinstance(requirements, str):
        return requirements.split()
    if not isinstance(requirements, list) or not all(isinstance(item, str) for item in requirements):
        raise TypeError(f"Requirements are text or a list of texts, not {requirements!r}")
    return requirements
