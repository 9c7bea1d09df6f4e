"""The 3x3 comparison in a scene: LR, SR and HR (or a difference) in nine linked axial, coronal and sagittal views.

A trust map makes a fourth row.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import slicer
import vtk
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import InputError
from SuperResolution3DSlicer.comparison.difference import TO_MEASURED, difference_node, is_interpolated
from SuperResolution3DSlicer.comparison.layout import (
    LAYOUT_ID,
    ORIENTATIONS,
    ROWS_OF_LAYOUT,
    TRUST_LAYOUT_ID,
    TRUST_ROW,
    VIEW_GROUP,
    ComparisonView,
    comparison_views,
    layout_xml,
)
from SuperResolution3DSlicer.comparison.legend import redraw_legend
from SuperResolution3DSlicer.comparison.planes import set_plane
from SuperResolution3DSlicer.comparison.trust_map import TRUST_OPACITY, trust_map_of
from SuperResolution3DSlicer.runs.volume_task import INPUT_ROLE


class Comparison:
    """Shows volumes row by row, and keeps rows, window and level as they shall be until it is closed.

    It closes itself when another layout is chosen.
    """

    def __init__(self, application_logic: slicer.vtkMRMLApplicationLogic | None = None) -> None:
        """Take the logic that knows the slice views; None is the application's own."""
        self._logic = application_logic
        self._layout = LAYOUT_ID
        self._volumes: dict[str, slicer.vtkMRMLVolumeNode | None] = {}
        self._trust_map: slicer.vtkMRMLVolumeNode | None = None
        self._observations: list[tuple[vtk.vtkObject, int]] = []
        self._faded: slicer.vtkMRMLVolumeNode | None = None
        self._crosshair: slicer.vtkMRMLCrosshairNode | None = None
        self._adjusting: set[str] = set()

    def show(
        self,
        lr_node: slicer.vtkMRMLScalarVolumeNode,
        sr_node: slicer.vtkMRMLScalarVolumeNode,
        hr_node: slicer.vtkMRMLScalarVolumeNode | None = None,
        zero_filled_node: slicer.vtkMRMLScalarVolumeNode | None = None,
        trust_map_node: slicer.vtkMRMLScalarVolumeNode | None = None,
    ) -> None:
        """Switch to the layout and put the volumes into its rows.

        The third row is the HR reference, else the difference SR - zero-filled, else it stays empty. With a trust map
        there is a fourth row: the SR, and over it where it may be off. LR, SR and HR get the LR's window and level, the
        difference has its own.

        Raises:
            InputError: there is no main window, or SR and zero-filled volume are on different grids.
        """
        scene = lr_node.GetScene()
        layout_node = _layout_node(scene)
        if layout_node is None:
            raise InputError(_("The comparison needs Slicer's main window."))
        self.close()
        third, label = hr_node, _("HR")
        if hr_node is None and zero_filled_node is not None:
            third = difference_node(sr_node, zero_filled_node, lr_node)
            label = _("SR - interpolated") if is_interpolated(zero_filled_node) else _("SR - zero-filled")
        elif hr_node is None:
            label = _("no reference")
        self._take_rows(lr_node, sr_node, third, trust_map_node)
        self._faded = zero_filled_node
        labels = dict(zip(ROWS_OF_LAYOUT[TRUST_LAYOUT_ID], (_("LR"), _("SR"), label, _("may be off")), strict=True))
        columns = dict(zip(ORIENTATIONS, (_("axial"), _("coronal"), _("sagittal")), strict=True))
        register_layout(scene)
        layout_node.SetViewArrangement(self._layout)
        for view in comparison_views(self._layout):
            self._set_up_view(scene, view, view.label(labels[view.row], columns[view.orientation]))
        alike = (lr_node, sr_node, hr_node, zero_filled_node)
        self._watch(layout_node, [node for node in alike if node is not None])
        self._show_crosshair(scene)
        for node in filter(None, (third, trust_map_node)):
            redraw_legend(node)  # only now the views are there
        self.fit()

    def resume(self) -> None:
        """Keep the rows of a comparison that a scene was saved in, whose linked views would lose them otherwise.

        Nothing is done while a comparison is on, and where the views do not show a volume and its result.
        """
        scene = slicer.mrmlScene
        layout_node = _layout_node(scene)
        if self._volumes or layout_node is None or layout_node.GetViewArrangement() not in ROWS_OF_LAYOUT:
            return
        lr_node, sr_node, third = (_shown_volume(scene, row) for row in ROWS_OF_LAYOUT[LAYOUT_ID])
        if lr_node is None or sr_node is None or sr_node.GetNodeReference(INPUT_ROLE) is not lr_node:
            return
        self._take_rows(lr_node, sr_node, third, trust_map_of(sr_node))
        self._layout = layout_node.GetViewArrangement()  # also where the trust map was made or deleted since
        hr_node = None if third is sr_node.GetNodeReference(TO_MEASURED) else third
        self._watch(layout_node, [node for node in (lr_node, sr_node, hr_node) if node is not None])

    @property
    def can_fade(self) -> bool:
        """Tell whether the comparison is on and has a zero-filled volume to fade to."""
        return self._faded is not None and self._faded.GetScene() is not None

    def fade(self, share: float) -> None:
        """Show the zero-filled volume over the SR in the SR's row: 0 is the SR alone, 1 what was measured alone."""
        if not self.can_fade:
            return
        scene = self._faded.GetScene()
        for view in comparison_views(self._layout):
            if view.row == "SR":
                composite = _composite_node(scene, _slice_node(scene, view))
                composite.SetForegroundVolumeID(self._faded.GetID())
                composite.SetForegroundOpacity(share)

    def fit(self) -> None:
        """Show the whole LR volume in every view, in the same plane of each column.

        To be called again when the views have got their size, which the application gives them later.
        """
        lr_node = self._volumes.get("LR")
        if lr_node is None or lr_node.GetScene() is None:
            return
        logic = self._logic or slicer.app.applicationLogic()
        offsets: dict[str, float] = {}
        views = sorted(
            comparison_views(self._layout), key=lambda view: view.row != "SR"
        )  # the SR's voxels choose the plane
        for view in views:
            slice_node = _slice_node(lr_node.GetScene(), view)
            slice_logic = logic.GetSliceLogic(slice_node)
            if slice_logic is None:  # no window
                continue
            width, height, _depth = slice_node.GetDimensions()
            set_plane(slice_node, view.orientation, lr_node)
            slice_logic.FitSliceToVolume(lr_node, width, height)
            if view.row == "SR":
                slice_logic.SnapSliceOffsetToIJK()
                offsets[view.orientation] = slice_node.GetSliceOffset()
            slice_node.SetSliceOffset(offsets[view.orientation])

    def close(self) -> None:
        """Let go: volumes, window and level can be changed in each view again; layout and volumes stay."""
        for observed, tag in self._observations:
            observed.RemoveObserver(tag)
        self._observations.clear()
        self._volumes = {}
        self._faded = self._trust_map = None
        if self._crosshair is not None:
            self._crosshair.SetCrosshairMode(self._crosshair.NoCrosshair)
            self._crosshair = None

    def _on_layout(self, layout_node: slicer.vtkMRMLLayoutNode, event: str) -> None:
        if layout_node.GetViewArrangement() != self._layout:
            self.close()

    def _take_rows(
        self,
        lr_node: slicer.vtkMRMLScalarVolumeNode,
        sr_node: slicer.vtkMRMLScalarVolumeNode,
        third: slicer.vtkMRMLScalarVolumeNode | None,
        trust_map_node: slicer.vtkMRMLScalarVolumeNode | None,
    ) -> None:
        self._layout = LAYOUT_ID if trust_map_node is None else TRUST_LAYOUT_ID
        self._volumes = dict(zip(ROWS_OF_LAYOUT[TRUST_LAYOUT_ID], (lr_node, sr_node, third, sr_node), strict=True))
        self._trust_map = trust_map_node

    def _set_up_view(self, scene: slicer.vtkMRMLScene, view: ComparisonView, label: str) -> None:
        slice_node = _slice_node(scene, view)
        slice_node.SetViewGroup(VIEW_GROUP)
        slice_node.SetLayoutLabel(label)
        composite = _composite_node(scene, slice_node)
        composite.SetLinkedControl(True)
        composite.SetHotLinkedControl(True)
        composite.SetForegroundVolumeID(None)
        composite.SetLabelVolumeID(None)
        if view.row == TRUST_ROW:
            composite.SetForegroundOpacity(TRUST_OPACITY)
            composite.SetCompositing(composite.Alpha)
        self._put_back(composite, view)

    def _watch(self, layout_node: slicer.vtkMRMLLayoutNode, alike: list[slicer.vtkMRMLScalarVolumeNode]) -> None:
        """Follow the layout, the rows, and the window and level of the volumes that are shown alike."""
        scene = layout_node.GetScene()
        self._observe(layout_node, self._on_layout)
        for view in comparison_views(self._layout):
            composite = _composite_node(scene, _slice_node(scene, view))
            # Linked views pass on the choice of another volume in one of them to all nine; the rows must outlive that.
            self._observe(composite, lambda *_event, composite=composite, view=view: self._put_back(composite, view))
        self._share_window(alike)

    def _put_back(self, composite: slicer.vtkMRMLSliceCompositeNode, view: ComparisonView) -> None:
        volume = self._volumes.get(view.row)
        if volume is not None and volume.GetScene() is None:  # deleted, or the scene closed
            return
        wanted = None if volume is None else volume.GetID()
        if composite.GetBackgroundVolumeID() != wanted and view.name not in self._adjusting:
            with self._adjust(view.name):
                composite.SetBackgroundVolumeID(wanted)
        trust_map = self._trust_map if view.row == TRUST_ROW else None
        if trust_map is not None and trust_map.GetScene() is not None and view.name not in self._adjusting:
            with self._adjust(view.name):
                composite.SetForegroundVolumeID(trust_map.GetID())

    def _share_window(self, nodes: list[slicer.vtkMRMLScalarVolumeNode]) -> None:
        """Give all volumes the window and level of the first, now and whenever one of them changes."""
        for node in nodes:
            if node.GetDisplayNode() is None:
                node.CreateDefaultDisplayNodes()
        displays = [node.GetDisplayNode() for node in nodes]
        self._copy_window(displays[0], displays)
        for display in displays:
            self._observe(display, lambda caller, _event: self._copy_window(caller, displays))

    def _copy_window(
        self, source: slicer.vtkMRMLScalarVolumeDisplayNode, displays: list[slicer.vtkMRMLScalarVolumeDisplayNode]
    ) -> None:
        if "window" in self._adjusting:
            return
        low, high = source.GetWindowLevelMin(), source.GetWindowLevelMax()
        with self._adjust("window"):
            for display in displays:
                display.SetAutoWindowLevel(False)
                display.SetWindowLevelMinMax(low, high)

    @contextmanager
    def _adjust(self, what: str) -> Iterator[None]:
        """Keep an own change from being answered: without an end, where another observer disagrees."""
        self._adjusting.add(what)
        try:
            yield
        finally:
            self._adjusting.discard(what)

    def _show_crosshair(self, scene: slicer.vtkMRMLScene) -> None:
        """Make the crosshair visible, which moving the mouse with Shift held then draws in all nine views."""
        crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if crosshair is not None and crosshair.GetCrosshairMode() == crosshair.NoCrosshair:
            self._crosshair = crosshair  # to be hidden again
            crosshair.SetCrosshairMode(crosshair.ShowBasic)

    def _observe(self, node: slicer.vtkMRMLNode, callback: object) -> None:
        self._observations.append((node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, callback)))


def register_layout(scene: slicer.vtkMRMLScene) -> None:
    """Make the layouts known to the layout manager, where there is one; a scene that was saved in one needs it."""
    layout_node = _layout_node(scene)
    if layout_node is None:
        return
    for layout in ROWS_OF_LAYOUT:
        if layout_node.IsLayoutDescription(layout):
            layout_node.SetLayoutDescription(layout, layout_xml(layout))
        else:
            layout_node.AddLayoutDescription(layout, layout_xml(layout))
        if layout_node.GetViewArrangement() == layout:  # loaded before the layout was known: no view is there yet
            layout_node.SetViewArrangement(layout)


def _layout_node(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLLayoutNode | None:
    """Return the node that says which layout is shown; there is none without a main window."""
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode")


def _slice_node(scene: slicer.vtkMRMLScene, view: ComparisonView) -> slicer.vtkMRMLSliceNode:
    return scene.GetSingletonNode(view.name, "vtkMRMLSliceNode")


def _shown_volume(scene: slicer.vtkMRMLScene, row: str) -> slicer.vtkMRMLScalarVolumeNode | None:
    """Return what the views of a row show."""
    slice_node = _slice_node(scene, ComparisonView(row, ORIENTATIONS[0]))
    volume_id = None if slice_node is None else _composite_node(scene, slice_node).GetBackgroundVolumeID()
    return None if volume_id is None else scene.GetNodeByID(volume_id)


def _composite_node(
    scene: slicer.vtkMRMLScene, slice_node: slicer.vtkMRMLSliceNode
) -> slicer.vtkMRMLSliceCompositeNode:
    """Return the node that says what a view shows; the view's widget makes it, or adopts the one that is there."""
    name = slice_node.GetLayoutName()
    node = scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
    if node is None:
        node = slicer.vtkMRMLSliceCompositeNode()
        node.SetSingletonTag(name)
        node.SetLayoutName(name)
        node = scene.AddNode(node)
    return node
