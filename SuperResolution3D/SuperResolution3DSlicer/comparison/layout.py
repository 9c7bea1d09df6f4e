"""The 3x3 comparison as a layout: which view stands where, what it is called and which plane it shows. Plain text."""

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

LAYOUT_ID = 3403  # Slicer's own end at 43, and two extensions took 99 and 100
VIEW_GROUP = 3403  # linking, zoom and crosshair stay among these nine views
ROWS = ("LR", "SR", "Reference")
ORIENTATIONS = ("Axial", "Coronal", "Sagittal")
COLORS = {"Axial": "#F34A33", "Coronal": "#6EB04B", "Sagittal": "#EDD54C"}  # of Slicer's red, green and yellow view


@dataclass(frozen=True)
class ComparisonView:
    """One of the nine slice views."""

    row: str
    """one of ROWS"""
    orientation: str
    """one of ORIENTATIONS"""

    @property
    def name(self) -> str:
        """Singleton tag of the slice node and of its composite node, and the name of the view's widget."""
        return f"SuperResolution3D{self.row}{self.orientation}"

    def label(self, row_label: str, column_label: str) -> str:
        """Return what the view's bar shows, for example ``SR axial``."""
        return f"{row_label} {column_label}"


def comparison_views() -> list[ComparisonView]:
    """Return the nine views, row by row."""
    return [ComparisonView(row, orientation) for row in ROWS for orientation in ORIENTATIONS]


def layout_xml() -> str:
    """Return the description that Slicer's layout node takes: three rows of three slice views, with splitters."""
    rows = [[view for view in comparison_views() if view.row == row] for row in ROWS]
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
