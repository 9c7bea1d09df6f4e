"""The model files that are installed: where they are looked for, and how one is chosen by its name."""

import os
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from SuperResolution3DLib.errors import InputError, ModelError
from SuperResolution3DLib.models.model_card import SUFFIX, ModelCard, read_card
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.output_place import is_file, status

MODELS_VARIABLE = "SUPERRES3D_MODELS"


@dataclass(frozen=True)
class InstalledModel:
    """A model file that was found, with its card or the reason why it cannot be used."""

    path: Path
    card: ModelCard | None
    problem: Sentence | None = None


def user_model_folder() -> Path:
    """Return the user's model folder: outside the package, so that it survives updates; it may not exist yet.

    Raises:
        ModelError: the user has no home folder.
    """
    if sys.platform == "win32":
        base = _home("APPDATA", "AppData", "Roaming")
    elif sys.platform == "darwin":
        base = _home("", "Library", "Application Support")
    else:
        base = _home("XDG_DATA_HOME", ".local", "share")
    return base / "SuperResolution3D" / "Models"


def _home(variable: str, *parts: str) -> Path:
    if os.environ.get(variable):
        return Path(os.environ[variable])
    try:
        return Path.home().joinpath(*parts)
    except RuntimeError as error:  # HOME is not set and the user has no entry, as in containers
        raise ModelError(Sentence("model-no-home", {"variable": MODELS_VARIABLE})) from error


def where_to_put_models() -> str:
    """Return the user's model folder as a text, or what stands in its place where there is none."""
    try:
        return str(user_model_folder())
    except ModelError:
        return "a folder (you have no home folder)"


def model_folders() -> list[Path]:
    """Return the folders that are searched, first to last: $SUPERRES3D_MODELS, the user's, the shipped one."""
    folders = [Path(part) for part in os.environ.get(MODELS_VARIABLE, "").split(os.pathsep) if part]
    with suppress(ModelError):
        folders.append(user_model_folder())
    library = Path(__file__).resolve().parents[1]
    folders += [library / "Resources" / "Models", library.parent / "Resources" / "Models"]  # wheel or extension, source
    return [folder for folder in folders if _may_be_folder(folder)]


def installed_models() -> list[InstalledModel]:
    """Return every model file of the searched folders; of two with one name the first found counts."""
    found: list[InstalledModel] = []
    names: set[str] = set()
    for folder in model_folders():
        try:
            files = [path for path in folder.iterdir() if path.name.endswith(SUFFIX)]
        except OSError as error:
            found.append(InstalledModel(folder, None, Sentence("model-folder", {"reason": error.strerror})))
            continue
        for path in sorted(files, key=lambda path: path.stem):  # NAME before NAME-gan
            try:
                card = read_card(path)
            except ModelError as error:
                found.append(InstalledModel(path, None, error.sentence))
                continue
            if card.name not in names:
                names.add(card.name)
                found.append(InstalledModel(path, card))
    return found


def _may_be_folder(path: Path) -> bool:
    """Tell whether a folder stands at a path, or something that may not be looked at, which is told later."""
    try:
        found = status(path)
    except InputError:
        return True
    return found is not None and stat.S_ISDIR(found.st_mode)


def find_model(name_or_file: str | None) -> Path:
    """Return the model file that a person named, or that of the highest rank, of several of it the first found.

    Raises:
        ModelError: nothing of that name, or no model installed at all.
    """
    if name_or_file and (name_or_file.endswith(SUFFIX) or is_file(Path(name_or_file), ModelError)):
        path = Path(name_or_file)
        if not is_file(path, ModelError):
            raise ModelError(Sentence("model-missing", {"path": str(path)}))
        return path
    usable = [(model.card, model.path) for model in usable_models() if model.card]
    if name_or_file is None:
        return max(usable, key=lambda pair: pair[0].rank)[1]
    for card, path in usable:
        if card.name == name_or_file:
            return path
    names = [card.name for card, _ in usable]
    values = {"name": name_or_file, "models": ", ".join(names)}
    closest = get_close_matches(name_or_file, names, n=1)
    if closest:
        raise ModelError(Sentence("model-called-like", values | {"closest": closest[0]}))
    raise ModelError(Sentence("model-not-called", values))


def usable_models() -> list[InstalledModel]:
    """Return the installed models that have a card, at least one.

    Raises:
        ModelError: there is none.
    """
    usable = [model for model in installed_models() if model.card]
    if not usable:
        values = {"folder": where_to_put_models(), "variable": MODELS_VARIABLE}
        raise ModelError(Sentence("model-none", values))
    return usable
