"""A volume laid over the slice views: what they show, where its legend is drawn, and what they show after it."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import slicer
import vtk
from core_fixtures import a_core  # noqa: F401 (fixture)
from vtk.util.numpy_support import vtk_to_numpy

from Testing.Slicer import core
from Testing.Slicer.volumes import add_volume

# isort: split
from SuperResolution3DSlicer.comparison.comparison import Comparison
from SuperResolution3DSlicer.comparison.layout import comparison_views
from SuperResolution3DSlicer.comparison.legend import show_legend
from SuperResolution3DSlicer.comparison.overlay import lay_over, shown_overlay, take_off

MANAGER = "vtkMRMLColorLegendDisplayableManager"
STANDARD = ("Red", "Green", "Yellow")
SHAPE = (8, 10, 12)


@pytest.fixture
def the_views(a_core) -> dict[str, slicer.vtkMRMLSliceLogic]:
    """Slicer's three slice views, by name."""
    a_core.open_layout()
    a_core.layout.GetLayoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    nodes = [a_core.scene.GetSingletonNode(name, "vtkMRMLSliceNode") for name in STANDARD]
    return dict(zip(STANDARD, map(a_core.application.GetSliceLogic, nodes), strict=True))


@pytest.fixture
def an_overlay(a_core) -> slicer.vtkMRMLScalarVolumeNode:
    return a_volume(a_core, "overlay")


@pytest.fixture
def new_manager() -> Iterator[Callable[[slicer.vtkMRMLSliceLogic], slicer.vtkMRMLColorLegendDisplayableManager]]:
    """Make what draws the legends of one of Slicer's slice views; without a screen it only places them."""
    factory, name = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(), MANAGER
    factory.RegisterDisplayableManager(name)
    held = []

    def new(view: slicer.vtkMRMLSliceLogic) -> slicer.vtkMRMLColorLegendDisplayableManager:
        window, renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
        window.SetOffScreenRendering(True)
        window.AddRenderer(renderer)
        window.SetInteractor(vtk.vtkGenericRenderWindowInteractor())
        group = factory.InstantiateDisplayableManagers(renderer)
        group.SetMRMLDisplayableNode(view.GetSliceNode())
        held.append((group, window))
        return group.GetDisplayableManagerByClassName(name)

    yield new
    factory.UnRegisterDisplayableManager(name)


def a_volume(running: core.Core, name: str, value: float = 100.0) -> slicer.vtkMRMLScalarVolumeNode:
    node = add_volume(running, np.full(SHAPE, value, np.float32), np.eye(4), name)
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevelMinMax(0, 100)
    return node


def foregrounds(running: core.Core, names: tuple[str, ...] = STANDARD) -> list[tuple[str | None, float, int]]:
    """Return name, opacity and blending of what is over the views' backgrounds."""
    found = []
    for name in names:
        composite = running.scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
        volume = composite.GetForegroundVolumeID()
        shown = None if volume is None else running.scene.GetNodeByID(volume).GetName()
        found.append((shown, composite.GetForegroundOpacity(), composite.GetCompositing()))
    return found


def composite_of(running: core.Core, name: str) -> slicer.vtkMRMLSliceCompositeNode:
    return running.scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")


def test_what_was_over_each_view_is_there_again_after_the_overlay(a_core, the_views, an_overlay) -> None:
    pet = a_volume(a_core, "pet")
    red = composite_of(a_core, "Red")
    red.SetForegroundVolumeID(pet.GetID())
    red.SetForegroundOpacity(0.3)
    red.SetCompositing(red.Add)
    before = foregrounds(a_core)
    assert before[0] == ("pet", 0.3, red.Add)
    lay_over(an_overlay, 0.7)
    assert foregrounds(a_core) == [("overlay", 0.7, red.Alpha)] * 3
    assert shown_overlay(a_core.scene) is an_overlay
    other = a_volume(a_core, "other")
    lay_over(other, 0.5)
    assert foregrounds(a_core) == [("other", 0.5, red.Alpha)] * 3
    take_off(a_core.scene)
    assert foregrounds(a_core) == before
    assert shown_overlay(a_core.scene) is None
    take_off(a_core.scene)
    assert foregrounds(a_core) == before


def test_another_foreground_that_somebody_chose_meanwhile_stays(a_core, the_views, an_overlay) -> None:
    pet = a_volume(a_core, "pet")
    lay_over(an_overlay, 0.7)
    composite_of(a_core, "Green").SetForegroundVolumeID(pet.GetID())
    take_off(a_core.scene)
    assert [name for name, _opacity, _blending in foregrounds(a_core)] == [None, "pet", None]


def test_deleting_overlay_or_what_lay_beneath_it_dangles_nothing(a_core, the_views, an_overlay) -> None:
    pet = a_volume(a_core, "pet")
    composite_of(a_core, "Red").SetForegroundVolumeID(pet.GetID())
    lay_over(an_overlay, 0.7)
    a_core.scene.RemoveNode(an_overlay)
    assert shown_overlay(a_core.scene) is None
    take_off(a_core.scene)
    assert foregrounds(a_core)[0][0] == "pet"
    lay_over(a_volume(a_core, "next"), 0.7)
    a_core.scene.RemoveNode(pet)
    take_off(a_core.scene)
    assert foregrounds(a_core)[0][0] is None


def test_a_saved_scene_gives_the_views_back_what_was_beneath(a_core, the_views, an_overlay) -> None:
    pet = a_volume(a_core, "pet")
    composite_of(a_core, "Red").SetForegroundVolumeID(pet.GetID())
    before = foregrounds(a_core)
    lay_over(an_overlay, 0.7)
    scene = a_core.scene
    scene.SetSaveToXMLString(True)
    scene.Commit()
    scene.SetSaveToXMLString(False)
    text = scene.GetSceneXMLString()
    scene.Clear(False)
    assert shown_overlay(scene) is None
    add_volume(a_core, np.zeros(SHAPE), np.eye(4), "takes the first number")
    scene.SetLoadFromXMLString(True)
    scene.SetSceneXMLString(text)
    scene.Import()
    scene.SetLoadFromXMLString(False)
    assert shown_overlay(scene).GetName() == "overlay"
    take_off(scene)
    assert foregrounds(a_core) == before


def test_closing_the_scene_forgets_the_overlay(a_core, the_views, an_overlay) -> None:
    lay_over(an_overlay, 0.7)
    a_core.scene.Clear(False)
    pet = a_volume(a_core, "pet")
    composite_of(a_core, "Red").SetForegroundVolumeID(pet.GetID())
    take_off(a_core.scene)
    assert foregrounds(a_core)[0][0] == "pet"


def test_of_the_comparison_only_the_row_of_the_result_is_covered(a_core, the_views, an_overlay) -> None:
    lr, sr = a_volume(a_core, "lr"), a_volume(a_core, "sr")
    comparison = Comparison(a_core.application)
    comparison.show(lr, sr)
    lay_over(an_overlay, 0.7)
    for view in comparison_views():
        shown = foregrounds(a_core, (view.name,))[0][0]
        assert shown == ("overlay" if view.row == "SR" else None)
    comparison.close()


def test_pixels_of_a_view_are_blended_and_the_background_is_left_where_the_overlay_is_transparent(
    a_core,
    the_views,
    an_overlay,
) -> None:
    background = a_volume(a_core, "background", 60.0)
    slicer.util.arrayFromVolume(an_overlay)[:, :5] = 0
    display = an_overlay.GetDisplayNode()
    display.SetThreshold(50, 200)
    display.SetApplyThreshold(True)
    display.SetInterpolate(False)
    view = the_views["Red"]
    view.GetSliceCompositeNode().SetBackgroundVolumeID(background.GetID())
    view.ResizeSliceNode(60, 50)
    view.FitSliceToBackground()
    alone = np.unique(pixels(view)[:, 30])
    lay_over(an_overlay, 0.5)
    both = np.unique(pixels(view)[:, 30])
    assert alone.tolist() == [153]
    assert both.tolist() == [153, 204]


def pixels(view: slicer.vtkMRMLSliceLogic) -> np.ndarray:
    """Return the grey values (rows, columns) of what a view shows, without the empty border."""
    producer = view.GetImageDataConnection().GetProducer()
    producer.Update()
    image = producer.GetOutputDataObject(0)
    width, height, _depth = image.GetDimensions()
    rgba = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)
    assert (rgba[..., 0] == rgba[..., 2]).all()
    return rgba[5:-5, :, 0]


def test_the_legend_is_drawn_where_the_overlay_is_and_not_after_it(a_core, the_views, an_overlay, new_manager) -> None:
    """In a view that is younger than the legend, too, as those of the comparison may be."""
    show_legend(an_overlay, "what it means", "%+.2g")
    manager = new_manager(the_views["Red"])
    show_legend(an_overlay, "what it means, in its unit", "%+.2g")
    lay_over(an_overlay, 0.7)
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(an_overlay)
    assert slicer.vtkSlicerColorLogic.GetNumberOfColorLegendDisplayNodes(an_overlay) == 1
    actor = manager.GetColorLegendActor(legend)
    assert actor.GetVisibility()
    assert actor.GetTitle() == "what it means, in its unit"
    assert actor.GetLookupTable().GetTableRange() == (0, 100)
    take_off(a_core.scene)
    assert not actor.GetVisibility()
    lay_over(an_overlay, 0.7)
    assert manager.GetColorLegendActor(legend).GetVisibility()
