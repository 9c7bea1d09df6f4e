"""The selector of MRML nodes."""

from collections.abc import Callable, Sequence
from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from Testing.Slicer.double.mrml_widget import check_scene
from Testing.Slicer.double.node_filter import NodeFilter
from Testing.Slicer.double.observers import while_alive

NODE_ROLE = QtCore.Qt.ItemDataRole.UserRole  # the node's ID, "" for None
ACTION_ROLE = NODE_ROLE + 1  # the setting that allows an action below the nodes

FILTERS = {"nodeTypes": list, "showHidden": bool, "showChildNodeTypes": bool, "hideChildNodeTypes": list}
SETTINGS: dict[str, Any] = {
    "baseName": "",
    "noneEnabled": False,
    "addEnabled": True,
    "removeEnabled": True,
    "editEnabled": False,
    "renameEnabled": False,
    "selectNodeUponCreation": True,
    "noneDisplay": "None",
}


def _property(name: str) -> QtCore.Property:
    """Declare a property that changes the list."""
    kind = FILTERS.get(name) or type(SETTINGS[name])
    return QtCore.Property("QStringList" if kind is list else kind, lambda self: self._read(name), _setter(name))


def _setter(name: str) -> Callable[["qMRMLNodeComboBox", Any], None]:
    def set_value(self: "qMRMLNodeComboBox", value: Any) -> None:
        self._write(name, value)

    return set_value


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """Choose a node of the scene, or make one. Follows Slicer's Libs/MRML/Widgets/qMRMLNodeComboBox.h (and .cxx).

    The list follows the scene. Without "None" the first node that fits is chosen by itself. A node that is chosen
    before the scene is set is remembered. The deprecated signal nodeAddedByUser is left out.
    """

    IS_CPP = True
    MRML_SIGNALS = (
        "currentNodeChanged(vtkMRMLNode*)",
        "nodeActivated(vtkMRMLNode*)",
        "nodeAdded(vtkMRMLNode*)",
        "nodeAddedByUserAction(vtkMRMLNode*)",
        "nodeAboutToBeRemoved(vtkMRMLNode*)",
    )

    currentNodeChanged = QtCore.Signal((object,), (bool,))
    currentNodeIDChanged = QtCore.Signal(str)
    nodeActivated = QtCore.Signal(object)
    nodeAdded = QtCore.Signal(object)
    nodeAddedByUserAction = QtCore.Signal(object)
    nodeAboutToBeRemoved = QtCore.Signal(object)
    currentNodeRenamed = QtCore.Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None
        self._tags: list[int] = []
        self._name_tag: tuple[slicer.vtkMRMLNode, int] | None = None
        self._current_id = ""
        self._requested_id = ""
        self._filter = NodeFilter()
        self._settings = dict(SETTINGS)
        self._base_names: dict[str, str] = {}
        self._box = QtWidgets.QComboBox(self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self._box.connect("activated(int)", self._on_activated)
        self.setEnabled(False)

    # --- Scene and nodes ---------------------------------------------------------------------------------------------

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        return self._scene

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        check_scene(scene)
        if scene is self._scene:
            return
        if self._scene is not None:
            for tag in self._tags:
                self._scene.RemoveObserver(tag)
        self._scene, self._tags = scene, []
        self.setEnabled(scene is not None)
        if scene is not None:
            removing = slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent
            observers = {
                slicer.vtkMRMLScene.NodeAddedEvent: while_alive(self._on_added, with_node=True),
                removing: while_alive(self._on_about_to_be_removed, with_node=True),
                slicer.vtkMRMLScene.NodeRemovedEvent: while_alive(self._refresh),
                slicer.vtkMRMLScene.EndBatchProcessEvent: while_alive(self._refresh),
            }
            self._tags = [scene.AddObserver(event, observer) for event, observer in observers.items()]
        self._refresh()
        if self._requested_id:
            self.setCurrentNodeID(self._requested_id)

    def nodeCount(self) -> int:
        return len(self._filter.nodes(self._scene))

    def nodeFromIndex(self, index: int) -> slicer.vtkMRMLNode | None:
        nodes = self._filter.nodes(self._scene)
        return nodes[index] if 0 <= index < len(nodes) else None

    def currentNode(self) -> slicer.vtkMRMLNode | None:
        return self._scene.GetNodeByID(self._current_id) if self._scene and self._current_id else None

    def setCurrentNode(self, node: slicer.vtkMRMLNode | None) -> None:
        if node is not None and not isinstance(node, slicer.vtkMRMLNode):
            raise TypeError(f"setCurrentNode takes a vtkMRMLNode or None, not {node!r}")
        self.setCurrentNodeID(node.GetID() or "" if node is not None else "")

    def setCurrentNodeID(self, node_id: str) -> None:
        _check_text(node_id)
        if self._scene is None:
            self._requested_id = node_id
            return
        self._requested_id = ""
        known = [node.GetID() for node in self._filter.nodes(self._scene)]
        self._choose(node_id if node_id in known else "")

    def setCurrentNodeIndex(self, index: int) -> None:
        node = self.nodeFromIndex(index)
        self._choose(node.GetID() if node else "")

    def addNode(self, node_type: str | None = None) -> slicer.vtkMRMLNode:
        """Make a node of the first type, or of the given one."""
        kind = node_type or self._filter.nodeTypes[0]
        name = self._base_names.get(kind, self._settings["baseName"] or self._scene.GetTagByClassName(kind))
        node = self._scene.AddNewNodeByClass(kind, self._scene.GenerateUniqueName(name))
        if self._settings["selectNodeUponCreation"]:
            self._choose(node.GetID())
        return node

    def removeCurrentNode(self) -> None:
        node = self.currentNode()
        if node is not None:
            self._scene.RemoveNode(node)

    # --- Settings ----------------------------------------------------------------------------------------------------

    def addAttribute(self, node_type: str, name: str, value: str | None = None) -> None:
        """List nodes of the type only with this attribute (of this value)."""
        _check_text(node_type, name, value or "")
        self._filter.attributes.append((node_type, name, value))
        self._refresh()

    def removeAttribute(self, node_type: str, name: str) -> None:
        _check_text(node_type, name)
        self._filter.attributes = [known for known in self._filter.attributes if known[:2] != (node_type, name)]
        self._refresh()

    def setBaseName(self, base_name: str, node_type: str = "") -> None:
        _check_text(base_name, node_type)
        if node_type:
            self._base_names[node_type] = base_name
        else:
            self._settings["baseName"] = base_name

    def setNodeTypes(self, node_types: Sequence[str]) -> None:
        self._write("nodeTypes", [*node_types])

    def _read(self, name: str) -> Any:
        return getattr(self._filter, name) if name in FILTERS else self._settings[name]

    def _write(self, name: str, value: Any) -> None:
        wanted = FILTERS.get(name) or type(SETTINGS[name])
        if not isinstance(value, wanted) or (wanted is list and not all(isinstance(item, str) for item in value)):
            raise TypeError(f"{name} of a qMRMLNodeComboBox is a {wanted.__name__}, not {value!r}")
        if name in FILTERS:
            setattr(self._filter, name, value)
        else:
            self._settings[name] = value
        self._refresh()

    nodeTypes = _property("nodeTypes")
    showHidden = _property("showHidden")
    showChildNodeTypes = _property("showChildNodeTypes")
    hideChildNodeTypes = _property("hideChildNodeTypes")
    baseName = _property("baseName")
    noneEnabled = _property("noneEnabled")
    addEnabled = _property("addEnabled")
    removeEnabled = _property("removeEnabled")
    editEnabled = _property("editEnabled")
    renameEnabled = _property("renameEnabled")
    selectNodeUponCreation = _property("selectNodeUponCreation")
    noneDisplay = _property("noneDisplay")
    currentNodeID = QtCore.Property(str, lambda self: self._current_id, setCurrentNodeID)

    setShowHidden = _setter("showHidden")
    setShowChildNodeTypes = _setter("showChildNodeTypes")
    setHideChildNodeTypes = _setter("hideChildNodeTypes")
    setNoneEnabled = _setter("noneEnabled")
    setAddEnabled = _setter("addEnabled")
    setRemoveEnabled = _setter("removeEnabled")
    setEditEnabled = _setter("editEnabled")
    setRenameEnabled = _setter("renameEnabled")
    setSelectNodeUponCreation = _setter("selectNodeUponCreation")
    setNoneDisplay = _setter("noneDisplay")

    # --- The list on the screen --------------------------------------------------------------------------------------

    def _refresh(self, caller: object = None, event: str = "") -> None:
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        nodes = self._filter.nodes(self._scene)
        self._box.clear()
        if self._settings["noneEnabled"]:
            self._box.addItem(self._settings["noneDisplay"], "")
        for node in nodes:
            self._box.addItem(node.GetName(), node.GetID())
        self._add_actions()
        ids = [node.GetID() for node in nodes]
        if self._current_id in ids:
            self._show(self._current_id)
        else:
            self._choose(ids[0] if ids and not self._settings["noneEnabled"] else "")

    def _add_actions(self) -> None:
        labels = [self._scene.GetTagByClassName(kind) for kind in self._filter.nodeTypes] if self._scene else []
        entries = [("renameEnabled", f"Rename current {labels[0]}")] if labels else []
        entries += [("addEnabled", f"Create new {label}") for label in labels]
        entries += [("removeEnabled", f"Delete current {labels[0]}")] if labels else []
        for setting, text in entries:
            if self._settings[setting]:
                self._box.addItem(text, "")
                self._box.setItemData(self._box.count - 1, setting, ACTION_ROLE)

    def _choose(self, node_id: str) -> None:
        changed = node_id != self._current_id
        self._current_id = node_id
        self._show(node_id)
        if not changed:
            return
        self._watch_name()
        node = self.currentNode()
        self.currentNodeChanged.emit(node)
        self.currentNodeChanged.emit(node is not None)
        self.currentNodeIDChanged.emit(node_id)

    def _show(self, node_id: str) -> None:
        rows = [row for row in range(self._box.count) if self._box.itemData(row, ACTION_ROLE) is None]
        found = [row for row in rows if self._box.itemData(row, NODE_ROLE) == node_id]
        self._box.setCurrentIndex(found[0] if found else -1)

    def _watch_name(self) -> None:
        if self._name_tag is not None:
            self._name_tag[0].RemoveObserver(self._name_tag[1])
        node = self.currentNode()
        follow = while_alive(self._on_modified)
        self._name_tag = (node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, follow)) if node else None

    def _on_modified(self, node: slicer.vtkMRMLNode, event: str) -> None:
        row = self._box.currentIndex
        if row >= 0 and self._box.itemText(row) != node.GetName():
            self._box.setItemText(row, node.GetName())
            self.currentNodeRenamed.emit(node.GetName())

    def _on_added(self, caller: object, event: str, node: slicer.vtkMRMLNode) -> None:
        if self._filter.lists(node):
            self._refresh()
            self.nodeAdded.emit(node)

    def _on_about_to_be_removed(self, caller: object, event: str, node: slicer.vtkMRMLNode) -> None:
        if self._filter.lists(node):
            self.nodeAboutToBeRemoved.emit(node)

    def _on_activated(self, row: int) -> None:
        """A person picked a row: a node, None, or an action below them."""
        action = self._box.itemData(row, ACTION_ROLE)
        if action is None:
            self._choose(self._box.itemData(row, NODE_ROLE))
            self.nodeActivated.emit(self.currentNode())
        elif action == "addEnabled":
            self.nodeAddedByUserAction.emit(self.addNode())
        elif action == "removeEnabled":
            self.removeCurrentNode()
        else:
            self._show(self._current_id)


def _check_text(*texts: str) -> None:
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"Text is expected, not {texts!r}")
