"""The list of installed models, with the card of the chosen one."""

from html import escape
from pathlib import Path

import qt
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.inference.memory_plan import tail_halo
from SuperResolution3DLib.models.installed_models import (
    MODELS_VARIABLE,
    InstalledModel,
    installed_models,
    where_to_put_models,
)
from SuperResolution3DLib.models.model_card import file_sha256, read_card
from SuperResolution3DSlicer.panel.model_card_text import card_text
from SuperResolution3DSlicer.panel.model_file import place_of


class ModelChoice:
    """Fills a combo box with the usable models and a label with the card of the current one."""

    def __init__(self, combo: qt.QComboBox, card_label: qt.QLabel) -> None:
        self._combo = combo
        self._label = card_label
        self._models: list[InstalledModel] = []
        self._unusable: list[InstalledModel] = []

    @property
    def current(self) -> InstalledModel | None:
        index = self._combo.currentIndex
        return self._models[index] if 0 <= index < len(self._models) else None

    @property
    def current_name(self) -> str:
        current = self.current
        return "" if current is None or current.card is None else current.card.name

    def refresh(self) -> None:
        """Look for models again; the chosen one stays chosen if it is still there."""
        name = self.current_name
        found = [_with_known_network(model) for model in installed_models()]
        self._models = [model for model in found if model.card is not None]
        was_blocked = self._combo.blockSignals(True)
        self._combo.clear()
        for model in self._models:
            self._combo.addItem(model.card.name)
        self._combo.blockSignals(was_blocked)
        self._unusable = [model for model in found if model.card is None]
        problems = [f"{model.path.name}: {model.problem}" for model in self._unusable]
        self._combo.toolTip = "\n".join(
            [
                _("Models are searched in {folder} and ${variable}.").format(
                    folder=where_to_put_models(), variable=MODELS_VARIABLE
                ),
                *problems,
            ]
        )
        self.select(name)

    def select(self, name: str) -> None:
        """Choose a model; without one of that name the first, without any none. Nobody hears of it, as no one chose."""
        names = self._names()
        was_blocked = self._combo.blockSignals(True)
        self._combo.currentIndex = names.index(name) if name in names else (0 if names else -1)
        self._combo.blockSignals(was_blocked)
        self.show_card()

    def is_installed(self, name: str) -> bool:
        """Tell whether a model of this name can be chosen."""
        return name in self._names()

    def check_is_new(self, source: Path) -> None:
        """Make sure that a file can be added: of two models of one name only the first found would ever be used.

        Raises:
            ModelError: it is no model file, or another file holds a model of its name.
        """
        card = read_card(source)
        name, target = card.name, place_of(card)
        for model in installed_models():
            if model.card is None or model.card.name != name:
                continue
            if model.path != target or file_sha256(target) != file_sha256(source):
                raise ModelError(
                    _("A model called {name} is installed already, in {path}; delete that file first.").format(
                        name=name, path=model.path
                    )
                )

    def notes(self, wanted: str) -> list[str]:
        """Return what to know of the chosen model when a scene wants the one of this name."""
        if not wanted or self.is_installed(wanted):
            return []
        return [
            _("The model of this scene, {wanted}, is not installed; {name} is used instead.").format(
                wanted=wanted, name=self.current_name
            )
        ]

    def _names(self) -> list[str]:
        return [model.card.name for model in self._models]

    def show_card(self) -> None:
        current = self.current
        others = [model.card for model in self._models if model is not current]
        lines = [no_model_sentence() if current is None else card_text(current.card, others)]
        if self._unusable:
            lines.append(unusable_sentence(self._unusable))
        self._label.text = "<br>".join(lines)


def _with_known_network(model: InstalledModel) -> InstalledModel:
    """Return the model, without its card if it is for a network that this program cannot build."""
    if model.card is None:
        return model
    try:
        tail_halo(model.card)
    except ModelError as error:
        return InstalledModel(model.path, None, str(error))
    return model


def unusable_sentence(models: list[InstalledModel]) -> str:
    """Say which model files were left out of the list."""
    return _("Not usable, the list's tooltip says why: {files}.").format(
        files=", ".join(escape(model.path.name) for model in models)
    )


def no_model_sentence() -> str:
    return _("No model is installed: use <i>Add model file...</i>, or put a model file into {folder}.").format(
        folder=where_to_put_models()
    )
