"""The progress bar and the line above it: stage, percent, time left."""

import qt
from slicer.i18n import tr as _

from SuperResolution3DSlicer.forecast.forecast import duration
from SuperResolution3DSlicer.runs.queue import Position
from SuperResolution3DSlicer.runs.run import Status


class ProgressDisplay:
    """Shows how far a run is; hidden while nothing runs."""

    def __init__(self, bar: qt.QProgressBar, label: qt.QLabel) -> None:
        self._bar = bar
        self._label = label
        self.hide()

    def show(self, position: Position, status: Status | None) -> None:
        """Show a run that has only begun (None), or how far it is."""
        self._bar.visible = self._label.visible = True
        which = (
            f"{position.title}: "
            if position.total == 1
            else _("{title} ({number} of {total}): ").format(
                title=position.title, number=position.number, total=position.total
            )
        )
        if status is None:
            self._bar.setRange(0, 0)  # moves without a percentage
            self._label.text = which + _("starting the worker")
            return
        percent = round(100 * status.share)
        self._bar.setRange(0, 100)
        self._bar.value = percent
        left = (
            _("time left not known yet")
            if status.seconds_left is None
            else _("about {time} left").format(time=duration(status.seconds_left))
        )
        self._label.text = f"{which}{_stage(status.stage)}, {percent} %, {left}"

    def show_cancelling(self) -> None:
        self._bar.setRange(0, 0)
        self._label.text = _("cancelling")

    def hide(self) -> None:
        self._bar.visible = self._label.visible = False


def _stage(stage: str) -> str:
    return {
        "read": _("reading volume and model"),
        "trunk": _("computing features"),
        "tail": _("computing voxels"),
        "consistency": _("comparing with the input"),
        "write": _("writing the result"),
    }.get(stage, stage)
