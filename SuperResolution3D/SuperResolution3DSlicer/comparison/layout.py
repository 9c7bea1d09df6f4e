"""The comparison as layouts, 3x3 and with a trust map 4x3: which view stands where, and its plane. Plain text."""

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

LAYOUT_ID, TRUST_LAYOUT_ID = 3403, 3404  # Slicer's own end at 43, and two extensions took 99 and 100
VIEW_GROUP = 3403  # linking, zoom and crosshair stay among these views
ROWS = ("LR", "SR", "Reference")
TRUST_ROW = "Trust"  # the SR again, and over it where it may be off
ROWS_OF_LAYOUT = {LAYOUT_ID: ROWS, TRUST_LAYOUT_ID: (*ROWS, TRUST_ROW)}
ORIENTATIONS = ("Axial", "Coronal", "Sagittal")
COLORS = {"Axial": "#F34A33", "Coronal": "#6EB04B", "Sagittal": "#EDD54C"}  # of Slicer's red, green and yellow view


@dataclass(frozen=True)
class ComparisonView:
    """One of the slice views."""

    row: str
    """one of ROWS, or TRUST_ROW"""
    orientation: str
    """one of ORIENTATIONS"""

    @property
    def name(self) -> str:
        """Singleton tag of the slice node and of its composite node, and the name of the view's widget."""
        return f"SuperResolution3D{self.row}{self.orientation}"

    def label(self, row_label: str, column_label: str) -> str:
        """Return what the view's bar shows, for example ``SR axial``."""
        return f"{row_label} {column_label}"


def comparison_views(layout: int = LAYOUT_ID) -> list[ComparisonView]:
    """Return the views of a layout, row by row."""
    return [ComparisonView(row, orientation) for row in ROWS_OF_LAYOUT[layout] for orientation in ORIENTATIONS]


def layout_xml(layout: int = LAYOUT_ID) -> str:
    """Return the description that Slicer's layout node takes: rows of three slice views, with splitters."""
    rows = [[view for view in comparison_views(layout) if view.row == row] for row in ROWS_OF_LAYOUT[layout]]
    return _box("vertical", [_box("horizontal", [_view(view) for view in row]) for row in rows])


def _box(direction: str, contents: list[str]) -> str:
    items = "".join(f"<item>{content}</item>" for content in contents)
    return f'<layout type="{direction}" split="true">{items}</layout>'


def _view(view: ComparisonView) -> str:
    properties = {
        "orientation": view.orientation,
        "viewlabel": view.label(view.row, view.orientation.lower()),
        "viewcolor": COLORS[view.orientation],
        "viewgroup": str(VIEW_GROUP),
    }
    lines = "".join(
        f'<property name="{name}" action="default">{value}</property>' for name, value in properties.items()
    )
    return f'<view class="vtkMRMLSliceNode" singletontag={quoteattr(view.name)}>{lines}</view>'
