"""A volume laid over what the slice views show, and taken off again: the views then show what they showed before.

It takes the place of a view's foreground, as only there (not in the further layers of a view) a legend is drawn. What
was there is kept in the scene, beside the view's other properties, so that it outlives the panel and a saved scene.
"""

import json

import slicer

from SuperResolution3DSlicer.comparison.layout import TRUST_LAYOUT_ID, comparison_views
from SuperResolution3DSlicer.comparison.legend import redraw_legend, update_legend
from SuperResolution3DSlicer.scene.nodes import ATTRIBUTE_PREFIX

LAID_ROLE = f"{ATTRIBUTE_PREFIX}Overlay"  # of a view's composite node
BENEATH_ROLE = f"{ATTRIBUTE_PREFIX}BeneathOverlay"  # the foreground before
BENEATH_ATTRIBUTE = f"{ATTRIBUTE_PREFIX}BeneathOverlay"  # its opacity and how it was blended
OVERLAID_ROW = "SR"  # of the comparison's


def lay_over(node: slicer.vtkMRMLScalarVolumeNode, opacity: float) -> None:
    """Lay a volume over all slice views, of the comparison over the row of the result, in place of another overlay."""
    scene = node.GetScene()
    take_off(scene)
    others = {view.name for view in comparison_views(TRUST_LAYOUT_ID) if view.row != OVERLAID_ROW}
    for composite in _composite_nodes(scene):
        if composite.GetLayoutName() in others:
            continue
        before = {"opacity": composite.GetForegroundOpacity(), "compositing": composite.GetCompositing()}
        with slicer.util.NodeModify(composite):
            composite.SetAttribute(BENEATH_ATTRIBUTE, json.dumps(before))
            composite.SetNodeReferenceID(BENEATH_ROLE, composite.GetForegroundVolumeID())
            composite.SetNodeReferenceID(LAID_ROLE, node.GetID())
            composite.SetForegroundVolumeID(node.GetID())
            composite.SetForegroundOpacity(opacity)
            composite.SetCompositing(composite.Alpha)
    redraw_legend(node)


def take_off(scene: slicer.vtkMRMLScene) -> None:
    """Give each view its foreground back, but for one in which somebody chose another one meanwhile."""
    taken = {}
    for composite in _composite_nodes(scene):
        text = composite.GetAttribute(BENEATH_ATTRIBUTE)
        if text is None:
            continue
        laid, shown = composite.GetNodeReference(LAID_ROLE), composite.GetForegroundVolumeID()
        with slicer.util.NodeModify(composite):
            if shown is None or (laid is not None and shown == laid.GetID()):
                before, beneath = json.loads(text), composite.GetNodeReference(BENEATH_ROLE)
                composite.SetForegroundVolumeID(None if beneath is None else beneath.GetID())
                composite.SetForegroundOpacity(before["opacity"])
                composite.SetCompositing(before["compositing"])
            composite.RemoveAttribute(BENEATH_ATTRIBUTE)
            for role in (LAID_ROLE, BENEATH_ROLE):
                composite.SetNodeReferenceID(role, None)
        if laid is not None:
            taken[laid.GetID()] = laid
    for laid in taken.values():
        update_legend(laid)


def shown_overlay(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLScalarVolumeNode | None:
    """Return the volume that was laid over the views and still is in one of them."""
    for composite in _composite_nodes(scene):
        laid = composite.GetNodeReference(LAID_ROLE)
        if laid is not None and composite.GetForegroundVolumeID() == laid.GetID():
            return laid
    return None


def _composite_nodes(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLSliceCompositeNode]:
    return slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", scene)
