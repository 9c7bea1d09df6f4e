"""Which nodes of a scene a selector lists."""

from dataclasses import dataclass, field

import slicer


@dataclass
class NodeFilter:
    """Follows the properties of Slicer's Libs/MRML/Widgets/qMRMLNodeComboBox.h, with their defaults."""

    nodeTypes: list[str] = field(default_factory=list)
    showHidden: bool = False
    showChildNodeTypes: bool = True
    hideChildNodeTypes: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str | None]] = field(default_factory=list)
    """node type, attribute's name and value; None: any value"""

    def nodes(self, scene: slicer.vtkMRMLScene | None) -> list[slicer.vtkMRMLNode]:
        """Return the nodes that are listed, in the scene's order."""
        if scene is None:
            return []
        every = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
        return [node for node in every if self.lists(node)]

    def lists(self, node: slicer.vtkMRMLNode) -> bool:
        """Whether the node is listed."""
        if not any(node.IsA(name) for name in self.nodeTypes):
            return False
        if node.GetClassName() not in self.nodeTypes and not self.showChildNodeTypes:
            return False
        if any(node.IsA(name) for name in self.hideChildNodeTypes):
            return False
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        return all(
            node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name))
            for node_type, name, value in self.attributes
            if node.IsA(node_type)
        )
