"""Start Slicer's C++ core without Qt: scene, colours, layout, slice and volume logics.

The package `slicer-core` holds what a desktop application starts by itself: here the same logics are started by hand,
in the order that they need one another. They start once per process; tests clear the scene between them with `reset`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType

import slicer
import vtk

STANDARD_VIEWS = ("Red", "Green", "Yellow")


@dataclass(frozen=True)
class Core:
    """The running parts of Slicer: one scene, and the logics that observe it."""

    scene: slicer.vtkMRMLScene
    application: slicer.vtkSlicerApplicationLogic
    volumes: slicer.vtkSlicerVolumesLogic
    layout: slicer.vtkMRMLLayoutLogic

    @property
    def subject_hierarchy(self) -> slicer.vtkMRMLSubjectHierarchyNode:
        """The scene's hierarchy; closing the scene replaces it."""
        return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)

    def reset(self) -> None:
        """Close the scene as a user does: all nodes but the singletons go; no view is left."""
        self.open_layout()
        self.layout.GetLayoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutInitialView)
        self.scene.Clear(False)
        for slice_node in slicer.util.getNodesByClass("vtkMRMLSliceNode", self.scene):
            slice_node.SetDimensions(256, 256, 1)
            if slice_node.GetLayoutName() not in STANDARD_VIEWS:
                self.scene.RemoveNode(slice_node)
        self.application.GetSliceLogics().RemoveAllItems()

    def open_layout(self) -> None:
        """Make the layout node, as the layout manager of a main window does."""
        if self.layout.GetLayoutNode() is None:
            self.layout.SetMRMLScene(self.scene)
            node = self.layout.GetLayoutNode()
            node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_event: self.add_slice_logics())

    def close_layout(self) -> None:
        """Leave no layout node, as without a main window."""
        node = self.layout.GetLayoutNode()
        if node is not None:
            self.layout.SetMRMLScene(None)
            self.scene.RemoveNode(node)

    def add_slice_logics(self) -> None:
        """Give the slice nodes of the layout the logics that the application's layout manager gives them.

        Called whenever the layout changes.
        """
        views = self.layout.GetViewNodes()
        for number in range(views.GetNumberOfItems()):
            view = views.GetItemAsObject(number)
            if view.IsA("vtkMRMLSliceNode"):
                self.add_slice_logic(view)

    def add_slice_logic(self, slice_node: slicer.vtkMRMLSliceNode) -> slicer.vtkMRMLSliceLogic:
        """Return the logic that the application's slice widget gives a slice node; a node has one."""
        logic = self.application.GetSliceLogic(slice_node)
        if logic is not None:
            return logic
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(self.application)
        self.application.GetSliceLogics().AddItem(logic)
        logic.SetMRMLScene(self.scene)
        logic.SetSliceNode(slice_node)
        return logic


_core: Core | None = None


def start() -> Core:
    """The running core; started at the first call, which also sets `slicer.mrmlScene`."""
    global _core
    if _core is None:
        _core = _start()
    return _core


def _start() -> Core:
    logic = slicer.vtkSlicerApplicationLogic()
    scene = slicer.vtkMRMLScene()
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    logic.SetMRMLScene(scene)
    colors = logic.GetColorLogic()
    colors.SetMRMLScene(scene)
    colors.AddDefaultColorNodes()
    logic.SetModuleLogic("Colors", colors)
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance().SetMRMLApplicationLogic(logic)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    volumes = slicer.vtkSlicerVolumesLogic()
    volumes.SetMRMLApplicationLogic(logic)
    vtk.vtkObject.GlobalWarningDisplayOff()  # "ShareDirectory is not set": only the application has one
    volumes.SetMRMLScene(scene)
    vtk.vtkObject.GlobalWarningDisplayOn()
    logic.SetModuleLogic("Volumes", volumes)
    slicer.vtkSlicerSequencesLogic().SetMRMLScene(scene)  # registers the nodes of sequences
    scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())  # what the logic of the module Colors registers
    slicer.mrmlScene = scene
    core = Core(scene, logic, volumes, slicer.vtkMRMLLayoutLogic())
    core.open_layout()
    return core


def _translations() -> ModuleType:
    """Stand in for `slicer.i18n`, which is in no wheel: texts stay English, as in Slicer without a language pack."""
    module = ModuleType("slicer.i18n")
    module.tr = lambda text: text
    module.translate = lambda context, text: text
    return module


if "slicer.i18n" not in sys.modules:  # at once: the module's files import it at their top
    sys.modules["slicer.i18n"] = slicer.i18n = _translations()
