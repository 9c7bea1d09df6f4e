"""Model files: found by name, and checked and copied into the user's folder when a person adds one."""

import json
import os
import re
import shutil
from pathlib import Path

from slicer.i18n import tr as _

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.inference.memory_plan import tail_halo
from SuperResolution3DLib.models.choice import Scan, choose
from SuperResolution3DLib.models.installed_models import (
    InstalledModel,
    find_model,
    usable_models,
    user_model_folder,
)
from SuperResolution3DLib.models.model_card import SUFFIX, ModelCard, file_sha256, read_card
from SuperResolution3DSlicer.scene.library_sentences import in_own_language


def model_of(name_or_file: str | None, scan: Scan | None = None) -> InstalledModel:
    """Return the model that a script named, or the best for a scan, without one the one of the highest rank.

    Raises:
        ModelError: nothing of that name, no usable file, no model installed at all, or none that fits the scan.
    """
    if name_or_file is None and scan is not None:
        choice = choose(scan, usable_models())
        if choice.best is None:
            raise ModelError(
                _("{reason}; name a model to use it nevertheless.").format(reason=in_own_language(choice.sentence))
            )
        return choice.best
    path = find_model(name_or_file)
    return InstalledModel(path, read_card(path))


def add_model_file(source: Path) -> InstalledModel:
    """Check a model file and copy it into the user's model folder, where updates of Slicer leave it alone.

    Raises:
        ModelError: the file is no complete model of this program, another model of its name is there, or the folder
            cannot be written to.
    """
    card = check_model_file(source)
    target = place_of(card)
    if target.is_file() and file_sha256(target) != file_sha256(source):
        raise ModelError(_("There is another model file at {path}; delete it first.").format(path=target))
    if not target.is_file():
        part = target.with_name(f".{os.getpid()}.part.{target.name}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, part)
            os.replace(part, target)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise ModelError(
                _("{source} cannot be copied to {folder} ({reason}).").format(
                    source=source.name, folder=target.parent, reason=error.strerror
                )
            ) from error
    return InstalledModel(target, card)


def place_of(card: ModelCard) -> Path:
    """Return where a model that is added is copied to: by its own name, as training calls every file best or last."""
    name = re.sub(r"[^\w.-]+", "_", card.name).lstrip(".")
    return user_model_folder() / f"{name or '_'}{SUFFIX}"


def check_model_file(path: Path) -> ModelCard:
    """Return the card of a model file that is whole and of a network that this program has.

    Raises:
        ModelError: it is not.
    """
    card = read_card(path)
    tail_halo(card)  # refuses an unknown network
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    try:
        ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ModelError(_("{file} is damaged: its list of tensors cannot be read.").format(file=path.name)) from error
    wanted, given = 8 + length + max(ends, default=0), path.stat().st_size
    if not ends or wanted != given:
        raise ModelError(
            _("{file} is incomplete: it has {given} bytes and should have {wanted}; copy it again.").format(
                file=path.name, given=given, wanted=wanted
            )
        )
    return card
