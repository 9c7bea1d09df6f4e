"""The 3x3 layout as text, and the views that Slicer's own layout logic makes of it."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

import pytest
import slicer

from Testing.Slicer import core

# isort: split
from SuperResolution3DSlicer.comparison.comparison import register_layout
from SuperResolution3DSlicer.comparison.layout import LAYOUT_ID, VIEW_GROUP, comparison_views, layout_xml

NAMES = [
    f"SuperResolution3D{row}{orientation}"
    for row in ("LR", "SR", "Reference")
    for orientation in ("Axial", "Coronal", "Sagittal")
]
SLICER_ORDER = {"Axial": (2, 1.0), "Coronal": (1, 1.0), "Sagittal": (0, -1.0)}  # normal axis of RAS, sign of the normal


@pytest.fixture
def a_core() -> Iterator[core.Core]:
    running = core.start()
    running.open_layout()
    yield running
    running.reset()


@pytest.fixture
def the_slice_nodes(a_core) -> list[slicer.vtkMRMLSliceNode]:
    """The nodes of the layout, in the order of its views."""
    layout = a_core.layout.GetLayoutNode()
    register_layout(a_core.scene)
    layout.SetViewArrangement(LAYOUT_ID)
    views = a_core.layout.GetViewNodes()
    return [views.GetItemAsObject(number) for number in range(views.GetNumberOfItems())]


def test_the_rows_are_lr_sr_and_reference_and_the_columns_axial_coronal_and_sagittal() -> None:
    layout = ElementTree.fromstring(layout_xml())
    rows = [item.find("layout") for item in layout.findall("item")]
    assert [layout.get("type"), *(row.get("type") for row in rows)] == ["vertical", *3 * ["horizontal"]]
    assert [view.get("singletontag") for row in rows for view in row.iterfind("item/view")] == NAMES
    assert [view.name for view in comparison_views()] == NAMES


def test_slicer_makes_nine_slice_nodes_of_it(the_slice_nodes) -> None:
    assert [node.GetLayoutName() for node in the_slice_nodes] == NAMES
    assert {node.GetClassName() for node in the_slice_nodes} == {"vtkMRMLSliceNode"}


@pytest.mark.parametrize("number", range(9), ids=NAMES)
def test_each_view_cuts_the_plane_of_its_column(the_slice_nodes, number) -> None:
    node = the_slice_nodes[number]
    orientation = ("Axial", "Coronal", "Sagittal")[number % 3]
    axis, sign = SLICER_ORDER[orientation]
    normal = [node.GetSliceToRAS().GetElement(row, 2) for row in range(3)]
    assert node.GetOrientation() == orientation
    assert normal == pytest.approx([sign * (row == axis) for row in range(3)], abs=1e-12)


def test_all_views_share_a_group_that_no_standard_view_has(a_core, the_slice_nodes) -> None:
    assert {node.GetViewGroup() for node in the_slice_nodes} == {VIEW_GROUP}
    others = [node for node in slicer.util.getNodesByClass("vtkMRMLSliceNode") if node.GetLayoutName() not in NAMES]
    assert len(others) >= 3, "red, green and yellow"
    assert VIEW_GROUP not in {node.GetViewGroup() for node in others}


def test_the_columns_have_the_colours_of_slicers_views(a_core, the_slice_nodes) -> None:
    for column, name in enumerate(("Red", "Green", "Yellow")):
        standard = a_core.scene.GetSingletonNode(name, "vtkMRMLSliceNode")
        for node in the_slice_nodes[column::3]:
            assert node.GetLayoutColor() == pytest.approx(standard.GetLayoutColor(), abs=0.005)


def test_the_layout_takes_no_number_of_slicers_own(a_core) -> None:
    own = {
        value
        for name, value in vars(slicer.vtkMRMLLayoutNode).items()
        if name.startswith("SlicerLayout") and isinstance(value, int)
    }
    assert len(own) > 30 and LAYOUT_ID not in own and max(own - {LAYOUT_ID}) < 1000


def test_registering_twice_keeps_one_description(a_core) -> None:
    layout = a_core.layout.GetLayoutNode()
    register_layout(a_core.scene)
    register_layout(a_core.scene)
    assert layout.IsLayoutDescription(LAYOUT_ID)
    assert layout.GetLayoutDescription(LAYOUT_ID) == layout_xml()


def test_without_a_main_window_nothing_is_registered(a_core) -> None:
    a_core.close_layout()
    register_layout(a_core.scene)
    assert a_core.scene.GetFirstNodeByClass("vtkMRMLLayoutNode") is None
