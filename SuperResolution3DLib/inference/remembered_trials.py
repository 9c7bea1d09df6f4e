"""What a trial of this machine gave, remembered in the user's cache folder: it is made once and not at each start.

A file holds one answer and what it depends on; it may be deleted at any time.
"""

import hashlib
import json
import os
import platform
import secrets
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch


def remembered(question: str, ask: Callable[[], bool]) -> bool:
    """Return what a trial gave on a machine like this one; make it where nothing readable is remembered.

    Args:
        question: what is tried; another trial needs other words.
        ask: makes the trial. It is asked, too, where no folder can be written to.
    """
    machine = {"question": question, **_machine()}
    name = hashlib.sha256(json.dumps(machine, sort_keys=True).encode()).hexdigest()[:16]
    try:
        path = cache_folder() / f"{name}.json"
    except RuntimeError:  # the user has no home folder
        return ask()
    known = _read(path, machine)
    if known is None:
        known = ask()
        _write(path, {**machine, "answer": known})
    return known


def cache_folder() -> Path:
    """Return the folder for files that may be deleted at any time; it may not exist yet.

    Raises:
        RuntimeError: the user has no home folder.
    """
    variable, parts = "XDG_CACHE_HOME", [".cache"]
    if sys.platform == "win32":
        variable, parts = "LOCALAPPDATA", ["AppData", "Local"]
    elif sys.platform == "darwin":
        variable, parts = "", ["Library", "Caches"]
    base = Path(os.environ.get(variable, ""))
    return (base if base.is_absolute() else Path.home().joinpath(*parts)) / "SuperResolution3D"


def _machine() -> dict[str, str | int]:
    """Return what decides how fast a processor computes in which number format."""
    threads = torch.get_num_threads()
    return {
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "limited to": os.environ.get("ONEDNN_MAX_CPU_ISA", ""),  # by a person, for oneDNN
        "torch": str(torch.__version__),
        "threads": 1 << (threads - 1).bit_length(),  # 1, 2, up to 4, up to 8
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _read(path: Path, machine: dict[str, str | int]) -> bool | None:
    """Return the answer of a file; None where it is missing, damaged or of another machine."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    answer = found.pop("answer", None) if isinstance(found, dict) else None
    return answer if isinstance(answer, bool) and found == machine else None


def _write(path: Path, found: dict[str, str | int]) -> None:
    """Write a whole file or none; that nothing can be remembered stops nobody."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(json.dumps(found, indent=1), "utf-8")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
