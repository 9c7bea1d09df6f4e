"""The list in which further volumes are ticked, to be super-resolved one after another."""

from collections.abc import Callable

import qt
import slicer

from SuperResolution3DSlicer.scene.nodes import is_result


class FurtherInputs:
    """Shows the scene's scalar volumes with ticks."""

    def __init__(self, list_widget: qt.QListWidget, on_change: Callable[[], None]) -> None:
        self._list = list_widget
        self._on_change = on_change
        self._ids: list[str] = []
        self._list.connect("itemChanged(QListWidgetItem*)", self._on_item_changed)

    @property
    def ticked(self) -> list[slicer.vtkMRMLScalarVolumeNode]:
        """Return the ticked volumes that are still there."""
        rows = [row for row in range(self._list.count) if self._list.item(row).checkState() == qt.Qt.Checked]
        nodes = [slicer.mrmlScene.GetNodeByID(self._ids[row]) for row in rows]
        return [node for node in nodes if node is not None]

    def show(
        self,
        ticked: list[slicer.vtkMRMLScalarVolumeNode],
        first_input: slicer.vtkMRMLScalarVolumeNode | None,
    ) -> None:
        """List the scene's volumes but the first input, these ticked."""
        nodes = [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            if node.GetClassName() == "vtkMRMLScalarVolumeNode"
            and node is not first_input
            and not node.GetHideFromEditors()
            and not is_result(node)
        ]
        ids = [node.GetID() for node in nodes]
        was_blocked = self._list.blockSignals(True)
        if ids != self._ids:  # else the rows stay, and with them the place to which a person scrolled
            self._ids = ids
            self._list.clear()
            for node in nodes:
                self._list.addItem(node.GetName())
        for row, node in enumerate(nodes):
            self._list.item(row).setText(node.GetName())
            self._list.item(row).setCheckState(qt.Qt.Checked if node in ticked else qt.Qt.Unchecked)
        self._list.blockSignals(was_blocked)

    def _on_item_changed(self, item: qt.QListWidgetItem) -> None:
        self._on_change()
