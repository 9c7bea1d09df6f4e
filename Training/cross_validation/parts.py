"""The parts of a cross-validation: one method on one fold, its folder, what it was made from and whether it is done."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from SuperResolution3DLib.errors import InputError
from Training.data.index import read_json, write_json
from Training.data.preparation import PreparationConfig

STATE_FILE = "part.json"
PREPARATION_FILE = "preparation.yaml"  # a preset, as far as evaluate.py reads it; JSON is YAML
RUN, EVALUATION = "run", "evaluation"  # folders of a part
# What the best weights depend on, and the last ones do not.
VALIDATION = ("loop.validate_every", "loop.validate_volumes", "loop.best", "loop.lpips")


@dataclass(frozen=True)
class Part:
    """One method on one fold."""

    method: str
    fold: int
    folder: Path
    recipe: dict[str, Any]
    """all that the trained model depends on, by dotted name"""
    preparation: PreparationConfig
    """of the volumes, the same for all methods of a table"""
    scoring: dict[str, Any]
    """all that its scores depend on besides"""
    train_arguments: tuple[str, ...] | None
    """of Training/train.py; None: nothing is trained"""
    evaluate_arguments: tuple[str, ...]
    """of Training/evaluate.py"""

    def __str__(self) -> str:
        return f"{self.method}, fold {self.fold}"

    @property
    def evaluation(self) -> Path:
        """The folder of the evaluation."""
        return self.folder / EVALUATION

    @property
    def trained(self) -> bool:
        return self.train_arguments is None or bool(self._state().get("trained"))

    @property
    def done(self) -> bool:
        return bool(self._state().get("scored") == self.scoring)

    @property
    def status(self) -> str:
        """to do, trained or done."""
        if self.done:
            return "done"
        return "trained" if self.trained and self.train_arguments is not None else "to do"

    def check(self) -> None:
        """Make sure that what was begun in the folder was begun with the same recipe.

        Raises:
            InputError: it was another one; the differences are listed.
        """
        begun = self._state().get("recipe")
        if begun is None:
            return
        begun = {name: value for name, value in begun.items() if name in self.recipe or name not in VALIDATION}
        if begun == self.recipe:
            return
        changes = [
            f"{name} {begun.get(name, 'missing')}, now {self.recipe.get(name, 'missing')}"
            for name in sorted(begun.keys() | self.recipe.keys())
            if begun.get(name) != self.recipe.get(name)
        ]
        raise InputError(
            f"{self}: {self.folder} was made with {'; '.join(changes)}. Choose another --out, or delete that folder "
            "to train this part anew"
        )

    def begin(self) -> None:
        """Write down the recipe before anything is made from it, and the preparation for the evaluation.

        Raises:
            OutputError: the folder is not there, or cannot be written.
        """
        if not self._state():
            self._write({"recipe": self.recipe})
        write_json(self.folder / PREPARATION_FILE, "preparation", {"data": {"preparation": asdict(self.preparation)}})

    def set_trained(self) -> None:
        self._write(self._state() | {"trained": True})

    def set_done(self) -> None:
        self._write(self._state() | {"scored": self.scoring})

    def _state(self) -> dict[str, Any]:
        path = self.folder / STATE_FILE
        return read_json(path, "part") if path.exists() else {}

    def _write(self, state: dict[str, Any]) -> None:
        content = {name: value for name, value in state.items() if name not in ("kind", "version")}
        write_json(self.folder / STATE_FILE, "part", content)
