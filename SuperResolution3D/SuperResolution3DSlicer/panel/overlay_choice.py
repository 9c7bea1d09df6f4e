"""What can be laid over the slice views after a run: the list of it, and what happens when a person chooses."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import qt
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import SuperResolutionError
from SuperResolution3DSlicer.comparison.difference import (
    SUBTRACTED_ROLE,
    TO_MEASURED,
    TO_REFERENCE,
    difference_node,
    holds_grid_of,
    is_interpolated,
    own_difference,
)
from SuperResolution3DSlicer.comparison.overlay import lay_over, shown_overlay, take_off
from SuperResolution3DSlicer.comparison.trust_map import TRUST_OPACITY, bound_of, trust_map_of
from SuperResolution3DSlicer.runs.volume_task import ZERO_FILLED_ROLE
from SuperResolution3DSlicer.scene.library_sentences import told

DIFFERENCE_OPACITY = 0.7


@dataclass(frozen=True)
class Shown:
    """What the overlays are of."""

    lr_node: slicer.vtkMRMLScalarVolumeNode
    sr_node: slicer.vtkMRMLScalarVolumeNode
    hr_node: slicer.vtkMRMLScalarVolumeNode | None


@dataclass(frozen=True)
class Overlay:
    """An entry of the list."""

    text: str
    made: slicer.vtkMRMLScalarVolumeNode | None
    """its volume, if there is one already"""
    make: Callable[[], slicer.vtkMRMLScalarVolumeNode]
    opacity: float


class OverlayChoice:
    """The list of overlays of a result; it shows the one that the views show."""

    def __init__(self, label: qt.QLabel, combo: qt.QComboBox, say: Callable[[str], None]) -> None:
        """Take the list with its label, and who shows a sentence."""
        self._label = label
        self._combo = combo
        self._say = say
        self._shown: Shown | None = None
        self._overlays: list[Overlay] = []
        combo.connect("currentIndexChanged(int)", self._on_choice)

    @property
    def is_on(self) -> bool:
        """Tell whether the views show an overlay of the result."""
        return self._combo.currentIndex > 0

    def show(self, shown: Shown | None) -> None:
        """List the overlays that a result has; one of another result is taken off the views."""
        self._shown = shown
        self._overlays = [] if shown is None else overlays_of(shown)
        laid = shown_overlay(slicer.mrmlScene)
        index = next((number for number, overlay in enumerate(self._overlays) if laid and overlay.made is laid), -1)
        if index < 0:
            take_off(slicer.mrmlScene)
        was_blocked = self._combo.blockSignals(True)
        texts = [_("None"), *(overlay.text for overlay in self._overlays)]
        if texts != [self._combo.itemText(number) for number in range(self._combo.count)]:
            self._combo.clear()
            self._combo.addItems(texts)
        self._combo.currentIndex = index + 1
        self._combo.blockSignals(was_blocked)
        for widget in (self._label, self._combo):
            widget.enabled = bool(self._overlays)
        self._combo.toolTip = self._tip()

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Take the overlay off while the views are given other volumes, and lay it over those."""
        overlay = self._overlays[self._combo.currentIndex - 1] if self.is_on else None
        take_off(slicer.mrmlScene)
        try:
            yield
        finally:
            if overlay is not None and overlay.made is not None:
                lay_over(overlay.made, overlay.opacity)

    def _tip(self) -> str:
        if self._shown is None:
            return _("There is no result of this input yet.")
        if not self._overlays:
            return _(
                "There is nothing to lay over: choose an HR reference, or tick the zero-filled volume and run again."
            )
        return _("Lays a volume in colours over the slice views; None shows again what was there before.")

    def _on_choice(self, index: int) -> None:
        take_off(slicer.mrmlScene)
        if index > 0:
            overlay = self._overlays[index - 1]
            try:
                lay_over(overlay.make(), overlay.opacity)
            except SuperResolutionError as error:
                self._say(told(error))
        self.show(self._shown)


def overlays_of(shown: Shown) -> list[Overlay]:
    """Return what can be laid over the views."""
    measured = shown.sr_node.GetNodeReference(ZERO_FILLED_ROLE)
    found = []
    if shown.hr_node not in (None, shown.sr_node) and holds_grid_of(shown.sr_node, shown.hr_node):
        found.append(_difference(shown, shown.hr_node, TO_REFERENCE, _("Difference to the HR reference")))
    if measured is not None and holds_grid_of(shown.sr_node, measured):
        to_interpolated, to_zero_filled = _("Difference to interpolated"), _("Difference to zero-filled")
        text = to_interpolated if is_interpolated(measured) else to_zero_filled
        found.append(_difference(shown, measured, TO_MEASURED, text))
    trust_map = trust_map_of(shown.sr_node)
    if trust_map is not None:
        text = _("May be off by more than {bound}").format(bound=bound_of(trust_map))
        found.append(Overlay(text, trust_map, lambda: trust_map, TRUST_OPACITY))
    return found


def _difference(shown: Shown, subtracted: slicer.vtkMRMLScalarVolumeNode, role: str, text: str) -> Overlay:
    made = own_difference(shown.sr_node, role)
    if made is not None and made.GetNodeReference(SUBTRACTED_ROLE) is not subtracted:
        made = None
    make = partial(difference_node, shown.sr_node, subtracted, shown.lr_node, role)
    return Overlay(text, made, make, DIFFERENCE_OPACITY)
