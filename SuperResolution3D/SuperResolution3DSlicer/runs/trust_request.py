"""Whether a run can say where its result may be off, and why it cannot."""

from slicer.i18n import tr as _

from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.models.trust_calibration import TrustCalibration


def why_no_trust_map(card: ModelCard, *, of_region: bool) -> str:
    """Return why a model gives no trust map, in one sentence; "" when it does.

    Args:
        card: of the model.
        of_region: whether only a part of the volume is computed.
    """
    calibration = TrustCalibration.from_card(card.trust)
    if card.enlarges_slices_only:
        return _("{model} is for thick slices, for which there is no trust map.").format(model=card.name)
    if calibration is None:
        return _("{model} was not calibrated, so nothing can be said of where it may be off.").format(model=card.name)
    if of_region:
        return _("A trust map needs the whole volume, whose measured frequencies are compared.")
    try:
        find_model(calibration.companion)
    except ModelError:
        return _(
            "The trust map of {model} needs {companion}, which is not installed: use Add model file..., then choose"
            " {model} again."
        ).format(model=card.name, companion=calibration.companion)
    return ""
