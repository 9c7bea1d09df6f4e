"""The parts of a cross-validation: one method on one fold, its folder, what it was made from and whether it is done."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from SuperResolution3DLib.errors import InputError
from Training.config import TrainConfig
from Training.config_file import write_config
from Training.data.index import read_json, write_json
from Training.evaluation.request import EvaluationRequest

STATE_FILE = "part.json"
TRAINING_FILE, EVALUATION_FILE = "training.yaml", "evaluation.yaml"  # what train.py and evaluate.py are told
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
    scoring: dict[str, Any]
    """all that its scores depend on besides"""
    training: TrainConfig | None
    """None: nothing is trained"""
    evaluation: EvaluationRequest

    def __str__(self) -> str:
        return f"{self.method}, fold {self.fold}"

    @property
    def trained(self) -> bool:
        return self.training is None or bool(self._state().get("trained"))

    @property
    def done(self) -> bool:
        return bool(self._state().get("scored") == self.scoring)

    @property
    def status(self) -> str:
        """to do, trained or done."""
        if self.done:
            return "done"
        return "trained" if self.trained and self.training is not None else "to do"

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
        """Write down the recipe before anything is made from it, and what is to be done.

        Raises:
            OutputError: the folder is not there, or cannot be written.
        """
        if not self._state():
            self._write({"recipe": self.recipe})
        if self.training is not None:
            write_config(self.folder / TRAINING_FILE, self.training)
        write_config(self.folder / EVALUATION_FILE, self.evaluation)

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
