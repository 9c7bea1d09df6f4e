"""How a result came about: as attributes of its node, and as a sentence on its agreement with the input."""

import json
from datetime import UTC, datetime

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.cli.report import Report

REPORT_ATTRIBUTE = "SuperResolution3D.Report"  # of a result node


def attributes(report: Report) -> dict[str, str]:
    """Return what a result node keeps of the worker's report."""
    consistency = report.data_consistency
    residual = consistency.residual_rms_percent
    return {
        "Model": report.model,
        "ModelSha256": report.model_sha256,
        "Scale": " ".join(map(str, report.scale)),
        "Grid": report.grid,
        "Device": report.device,
        "Precision": report.precision,
        "Seconds": str(report.seconds),
        "Region": report.region or "",
        "DataConsistency": consistency.mode,
        "ResidualRmsPercent": "" if residual is None else str(residual),
        "ModelDependent": str(consistency.model_dependent).lower(),
        "Finished": datetime.now(UTC).isoformat(timespec="microseconds"),  # texts of one length: they sort as the times
        "SlicerVersion": slicer.app.applicationVersion,
        "ProgramVersion": report.program,
        "TorchVersion": report.torch,
        "Report": json.dumps(report.without_files()),
    }


def consistency_sentence(report: Report) -> str:
    """Say how far the result agrees with the measured input, and what that does not tell."""
    consistency = report.data_consistency
    residual = consistency.residual_rms_percent
    if residual is not None and report.slices is not None:
        return _slices_sentence(report, residual)
    if residual is None and report.region:
        return _("Agreement with the scan is not computed for a preview; finer detail is estimated.")
    if residual is None:
        return _("Agreement with the scan was not checked; finer detail is estimated.")
    sentence = (
        _(
            "The network's own result agrees with the scan to {residual:.2g} % at the measured frequencies, which were"
            " then put back; finer detail is estimated."
        )
        if consistency.projected
        else _("Agrees with the scan to {residual:.2g} % at the measured frequencies; finer detail is estimated.")
    ).format(residual=residual)
    if not consistency.model_dependent:
        return sentence
    return " ".join(
        [
            sentence,
            _("The figure is model-dependent here: for CT, and outside the spacings or modality of the training."),
        ]
    )


def _slices_sentence(report: Report, residual: float) -> str:
    left = report.slices and report.slices.left_percent
    if not report.data_consistency.projected:
        template = _("Agrees with the measured slices to {residual:.2g} %; what lies between them is estimated.")
    elif left is None:
        template = _(
            "The network's own result agrees with the measured slices to {residual:.2g} %, which were then put back;"
            " what lies between them is estimated."
        )
    else:
        template = _(
            "The network's own result agrees with the measured slices to {residual:.2g} %, which were then put back to"
            " within {left:.2g} %, as they overlap; what lies between them is estimated."
        )
    is_unlike = any(warned.kind in ("modality", "spacing") for warned in report.warnings)
    dependent = (
        _(
            "The figure is model-dependent: the true profile of slices is never known, and the scan is unlike those of"
            " the training."
        )
        if is_unlike
        else _("The figure is model-dependent: the true profile of slices is never known.")
    )
    return f"{template.format(residual=residual, left=left)} {dependent}"
