"""The list of installed models, with the card of the chosen one."""

from html import escape
from pathlib import Path

import qt
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.inference.memory_plan import tail_halo
from SuperResolution3DLib.models.choice import Choice, Scan, choose
from SuperResolution3DLib.models.installed_models import (
    MODELS_VARIABLE,
    InstalledModel,
    installed_models,
    where_to_put_models,
)
from SuperResolution3DLib.models.model_card import file_sha256, read_card
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DSlicer.panel.model_card_text import card_text
from SuperResolution3DSlicer.panel.model_file import place_of
from SuperResolution3DSlicer.scene.library_sentences import in_own_language


class ModelChoice:
    """Fills a combo box with the usable models, those that fit the volume first, and labels with the current card."""

    def __init__(self, combo: qt.QComboBox, card_label: qt.QLabel, details_label: qt.QLabel) -> None:
        self._combo = combo
        self._label = card_label
        self._details = details_label
        self._models: dict[str, InstalledModel] = {}
        self._unusable: list[InstalledModel] = []
        self._entries: list[tuple[str, str]] = []
        self.proposal: Sentence | None = None
        """what happens to the volume where nobody chooses a model"""
        self.none_fits = False
        """of the models that are installed, the volume that is shown"""

    @property
    def current(self) -> InstalledModel | None:
        return self._models.get(self.current_name)

    @property
    def current_name(self) -> str:
        index = self._combo.currentIndex
        return str(self._combo.itemData(index) or "") if index >= 0 else ""

    @property
    def first(self) -> InstalledModel | None:
        """The model of the highest rank, whatever it fits."""
        return next(iter(self._models.values()), None)

    def refresh(self) -> None:
        """Look for models again; ``show`` lists them."""
        found = [_with_known_network(model) for model in installed_models()]
        usable = sorted((model for model in found if model.card is not None), key=lambda model: -model.card.rank)
        self._models = {model.card.name: model for model in usable}
        self._unusable = [model for model in found if model.card is None]
        problems = [f"{model.path.name}: {in_own_language(model.problem)}" for model in self._unusable]
        self._combo.toolTip = "\n".join(
            [
                _("Models are searched in {folder} and ${variable}.").format(
                    folder=where_to_put_models(), variable=MODELS_VARIABLE
                ),
                *problems,
            ]
        )
        self.show(None, self.current_name)

    def show(self, scan: Scan | None, wanted: str) -> None:
        """List the models for a volume and choose one; nobody hears of it, as no person chose.

        It is the wanted one; where nobody wants one, or it is not installed, the best for the volume, without a volume
        the one of the highest rank.
        """
        choice = None if scan is None else choose(scan, self._models.values())
        self.proposal = None if choice is None else choice.sentence
        self.none_fits = choice is not None and bool(choice.others) and not choice.fitting
        was_blocked = self._combo.blockSignals(True)
        self._list(choice)
        best = self.first if choice is None else choice.best
        unasked = best.card.name if best is not None else ""
        name = wanted if wanted in self._models else unasked
        names = [entry[1] for entry in self._entries]
        self._combo.currentIndex = names.index(name) if name else -1
        self._combo.blockSignals(was_blocked)
        self.show_card()

    def _list(self, choice: Choice | None) -> None:
        """Fill the list: the models that fit, a line, the others with the reason; without a volume all by rank."""
        if choice is None:
            fitting, others = list(self._models.values()), ()
        else:
            fitting, others = list(choice.fitting), choice.others
        entries = [(model.card.name, model.card.name) for model in fitting]
        if fitting and others:
            entries.append(("", ""))
        for model, reason in others:
            text = _("{model} (does not fit: {reason})").format(model=model.card.name, reason=in_own_language(reason))
            entries.append((text, model.card.name))
        if entries == self._entries:
            return
        self._entries = entries
        self._combo.clear()
        for text, name in entries:
            if name:
                self._combo.addItem(text, name)
                self._combo.setItemData(self._combo.count - 1, text, qt.Qt.ToolTipRole)  # a narrow list cuts the reason
            else:
                self._combo.insertSeparator(self._combo.count)

    def is_installed(self, name: str) -> bool:
        """Tell whether a model of this name can be chosen."""
        return name in self._models

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

    def show_card(self) -> None:
        """Show the card of the current model: a sentence, and what stands under Details."""
        current = self.current
        others = [model.card for model in self._models.values() if model is not current]
        lines = [] if self._models else [no_model_sentence()]
        if current is not None:
            lines.append(escape(current.card.summary))
        if self._unusable:
            lines.append(unusable_sentence(self._unusable))
        self._label.text = "<br>".join(lines)
        self._label.visible = bool(lines)
        self._details.text = "" if current is None else card_text(current.card, others)


def _with_known_network(model: InstalledModel) -> InstalledModel:
    """Return the model, without its card if it is for a network that this program cannot build."""
    if model.card is None:
        return model
    try:
        tail_halo(model.card)
    except ModelError as error:
        return InstalledModel(model.path, None, error.sentence)
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
