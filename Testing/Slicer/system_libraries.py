"""Name the system packages that Qt (PySide6) needs and that pip cannot install. Standard library alone.

Exit code 1 and a sentence when something is missing; ``--packages`` prints the bare names, for a script that installs.
"""

import ctypes
import sys

PACKAGES = {  # Debian and Ubuntu -> the library that Qt loads
    "libegl1": "libEGL.so.1",
    "libgl1": "libGL.so.1",
    "libxkbcommon0": "libxkbcommon.so.0",
    "libdbus-1-3": "libdbus-1.so.3",
    "libfontconfig1": "libfontconfig.so.1",
    "libglib2.0-0": "libgthread-2.0.so.0",
}


def missing_packages() -> list[str]:
    """Return the packages whose library cannot be loaded; none but on Linux, where the wheels bring all."""
    if not sys.platform.startswith("linux"):
        return []
    return [package for package, library in PACKAGES.items() if not _loads(library)]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def main(arguments: list[str]) -> int:
    packages = missing_packages()
    if arguments == ["--packages"]:
        print(*packages)
        return 0
    if packages:
        sentence = "Qt, which the tests need, lacks system libraries; on Debian and Ubuntu: apt-get install"
        print(sentence, *packages, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
