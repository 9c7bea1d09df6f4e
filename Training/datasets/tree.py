"""What lies below a folder, with nothing left out in silence: links are followed, what cannot be entered is told."""

import fnmatch
import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Tree:
    """Files below a root, as found."""

    files: list[Path] = field(default_factory=list)
    """Also links that lead nowhere, such as those of a data-management tool whose content is not here"""
    lost: list[Path] = field(default_factory=list)
    """Folders that may not be entered, and links in a folder's place that lead nowhere"""


def walk(root: Path) -> Tree:
    """Return all files below a root but hidden ones; a folder that several links lead to is entered once."""
    tree = Tree()
    entered = {identity for folder in root.resolve().parents if (identity := _identity(folder))}
    _walk([root], tree, entered)
    return tree


def match(root: Path, *patterns: str) -> list[Path]:
    """Return what fits patterns of names with wildcards below a root, and what is lost on the way; links are followed.

    Lost are folders that may not be entered, and links in a folder's place that lead nowhere.
    """
    tree = Tree()
    for pattern in patterns:
        _match(root, pattern.split("/"), tree)
    return sorted({*tree.files, *tree.lost})


def _walk(folders: list[Path], tree: Tree, entered: set[tuple[int, int]]) -> None:
    """Enter folders; the real ones come before the links, for a link to a folder of the set is that folder."""
    links: list[Path] = []
    while folders:
        folder = folders.pop()
        identity = _identity(folder)
        if identity is not None and identity in entered:
            continue
        names = _names(folder)
        if identity is None or names is None:
            tree.lost.append(folder)
            continue
        entered.add(identity)
        for path in (folder / name for name in names if not name.startswith(".")):
            if not _is_folder(path):
                tree.files.append(path)
            elif path.is_symlink():
                links.append(path)
            else:
                folders.append(path)
    for link in links:
        _walk([link], tree, entered)


def _match(folder: Path, parts: list[str], tree: Tree) -> None:
    names = _names(folder)
    if names is None:
        tree.lost.append(folder)
        return
    for path in (folder / name for name in fnmatch.filter(names, parts[0])):
        if len(parts) == 1:
            tree.files.append(path)
        elif _is_folder(path):
            _match(path, parts[1:], tree)
        elif path.is_symlink() and not path.exists():
            tree.lost.append(path)


def _names(folder: Path) -> list[str] | None:
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return None
    if not os.access(folder, os.X_OK):
        return None
    return sorted(name for name in names if name != "lost+found")  # at the top of a disk, of nobody's interest


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        state = folder.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino
