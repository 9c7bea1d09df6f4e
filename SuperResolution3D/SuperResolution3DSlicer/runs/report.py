"""How a result came about: as attributes of its node, and as a sentence on its agreement with the input."""

import json
from datetime import UTC, datetime

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.cli.report import Report

ESTIMATE = _("Detail above the input's Nyquist frequency is always the network's estimate.")


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
    if residual is None and report.region:
        return _("Data consistency: not computed for a preview of a region.") + " " + ESTIMATE
    if residual is None:
        return _("Data consistency: off.") + " " + ESTIMATE
    sentences = [
        _(
            "Data consistency: below the input's Nyquist frequency, result and input differ by {residual:.2g} % RMS of"
            " the intensity range, under the ideal k-space model."
        ).format(residual=residual)
    ]
    if consistency.projected:
        sentences.append(_("That is the network's own, before the measured frequencies were put back."))
    if consistency.model_dependent:
        sentences.append(
            _("The figure is model-dependent here: for CT, and outside the spacings or modality of the training.")
        )
    return " ".join([*sentences, ESTIMATE])
