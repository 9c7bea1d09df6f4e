"""The layout manager: slice views without pixels on the screen, their logics real."""

import slicer
from PySide6 import QtCore, QtWidgets

from Testing.Slicer.core import Core
from Testing.Slicer.double.mrml_widget import qMRMLWidget


class qMRMLSliceWidget(qMRMLWidget):
    """A slice view. Follows Slicer's Libs/MRML/Widgets/qMRMLSliceWidget.h; it draws nothing."""

    def __init__(self, logic: slicer.vtkMRMLSliceLogic) -> None:
        if not isinstance(logic, slicer.vtkMRMLSliceLogic):
            raise TypeError(f"A slice view shows what a vtkMRMLSliceLogic draws, not {logic!r}")
        super().__init__()
        self._logic = logic

    def sliceLogic(self) -> slicer.vtkMRMLSliceLogic:
        return self._logic

    def mrmlSliceNode(self) -> slicer.vtkMRMLSliceNode:
        return self._logic.GetSliceNode()


class qSlicerLayoutManager(QtCore.QObject):
    """Follows Slicer's Libs/MRML/Widgets/qMRMLLayoutManager.h.

    It makes the layout node, which is not there without it. A slice widget, with its own slice logic, is made for each
    slice node of the layout, as the application does.
    """

    IS_CPP = True

    layoutChanged = QtCore.Signal(int)

    def __init__(self, core: Core) -> None:
        super().__init__()
        core.open_layout()
        self._core = core
        self._widgets: dict[str, qMRMLSliceWidget] = {}

    def layoutLogic(self) -> slicer.vtkMRMLLayoutLogic:
        return self._core.layout

    def mrmlScene(self) -> slicer.vtkMRMLScene:
        return self._core.scene

    def setLayout(self, layout: int) -> None:
        if not isinstance(layout, int) or isinstance(layout, bool):
            raise TypeError(f"A layout is a number, not {layout!r}")
        node = self._core.layout.GetLayoutNode()
        if not node.IsLayoutDescription(layout):
            raise ValueError(f"No layout is registered under {layout}")
        node.SetViewArrangement(layout)
        self._make_widgets()
        self.layoutChanged.emit(layout)

    def sliceViewNames(self) -> list[str]:
        self._make_widgets()
        return [*self._widgets]

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        if not isinstance(name, str):
            raise TypeError(f"The name of a slice view is text, not {name!r}")
        self._make_widgets()
        return self._widgets.get(name)

    def mrmlSliceLogics(self) -> object:
        return self._core.application.GetSliceLogics()

    def resetSliceViews(self) -> None:
        """Fit every slice view to its background, as the application's button does."""
        for widget in self._widgets.values():
            widget.sliceLogic().FitSliceToAll()

    def _make_widgets(self) -> None:
        nodes = self._core.layout.GetViewNodes()
        for index in range(nodes.GetNumberOfItems()):
            node = nodes.GetItemAsObject(index)
            if node.IsA("vtkMRMLSliceNode") and not self._has(node):
                self._widgets[node.GetLayoutName()] = qMRMLSliceWidget(self._core.add_slice_logic(node))

    def _has(self, node: slicer.vtkMRMLSliceNode) -> bool:
        widget = self._widgets.get(node.GetLayoutName())
        return widget is not None and widget.mrmlSliceNode() is node

    layout = QtCore.Property(
        int, lambda self: self._core.layout.GetLayoutNode().GetViewArrangement(), setLayout, notify=layoutChanged
    )


SLICER_WIDGETS: tuple[type[QtWidgets.QWidget], ...] = (qMRMLSliceWidget,)
