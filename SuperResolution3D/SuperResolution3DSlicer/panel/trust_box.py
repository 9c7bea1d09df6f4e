"""The box that asks for a trust map: it can be ticked where the model was calibrated, and else says why not."""

from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from SuperResolution3DLib.models.installed_models import InstalledModel
from SuperResolution3DSlicer.panel.choices import Region
from SuperResolution3DSlicer.runs.trust_request import why_no_trust_map

if TYPE_CHECKING:
    from SuperResolution3DSlicer.panel.parameters import Parameters


class TrustBox:
    """Follows model and region."""

    def __init__(self, box: qt.QCheckBox) -> None:
        self._box = box
        self._tip = box.toolTip

    def update(self, parameters: "Parameters | None", model: InstalledModel | None, *, running: bool) -> None:
        """Enable the box, or say why it is not."""
        if parameters is None or model is None:
            why = _("Choose an input and a model first.")
        else:
            why = why_no_trust_map(model.card, of_region=parameters.region == Region.ROI)
        self._box.enabled = not why and not running
        self._box.toolTip = why or self._tip
