"""How a run ended, and the sentences that say so."""

from dataclasses import dataclass
from typing import Literal

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.cli.report import Report
from SuperResolution3DSlicer.forecast.forecast import duration
from SuperResolution3DSlicer.forecast.speed import SpeedMeter
from SuperResolution3DSlicer.panel.messages import warning_sentence, with_full_stop
from SuperResolution3DSlicer.runs.report import consistency_sentence
from SuperResolution3DSlicer.runs.slice_words import report_line
from SuperResolution3DSlicer.runs.task import Task
from SuperResolution3DSlicer.scene.library_sentences import in_own_language

UNCHANGED = _("The scene is unchanged.")


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    task: Task
    state: Literal["done", "failed", "cancelled"]
    sentence: str = ""
    """why there is no result"""
    node: slicer.vtkMRMLNode | None = None
    report: Report | None = None
    meter: SpeedMeter | None = None
    is_abandoned: bool = False
    """it was ended because something that it needs went away, so the scene may not be as it was"""
    ends_all: bool = False
    """its reason holds for the runs after it too"""


def describe_all(outcomes: list[Outcome], total: int) -> str:
    """Say how the runs of a queue ended, and how many of its volumes were never begun."""
    done = sum(outcome.state == "done" for outcome in outcomes)
    lines = [_describe(outcome) for outcome in outcomes]
    if total > 1:
        lines.insert(0, _("{done} of {total} volumes super-resolved.").format(done=done, total=total))
    waiting = total - len(outcomes)
    if waiting == 1:
        lines.append(_("1 volume was not started."))
    elif waiting:
        lines.append(_("{count} volumes were not started.").format(count=waiting))
    if not done:
        lines[-1] = " ".join([lines[-1], *unchanged(outcomes)])
    return "\n".join(lines)


def _describe(outcome: Outcome) -> str:
    if outcome.state != "done":
        return not_done(outcome)
    report, request = outcome.report, outcome.task.request
    sentence = _("{name}: done in {time} on {device}.").format(
        name=outcome.node.GetName(), time=duration(report.seconds), device=report.device
    )
    warnings = [
        warning_sentence(warned, request.input_node, request.card, request.slice_plane) for warned in report.warnings
    ]
    slices = [] if report.slices is None else [f"{report_line(request.input_node, report.slices)}."]
    trust = [] if report.trust is None else [with_full_stop(in_own_language(report.trust))]
    return "\n".join([sentence, *slices, consistency_sentence(report), *trust, *warnings, *outcome.task.notes])


def describe_interpolations(outcomes: list[Outcome]) -> str:
    """Say how runs without a network ended."""
    lines = []
    for outcome in outcomes:
        if outcome.state != "done":
            lines.append(" ".join([not_done(outcome), *unchanged([outcome])]))
            continue
        sentence = _("{name}: interpolated between the measured slices, without a network.").format(
            name=outcome.node.GetName()
        )
        lines += [sentence, *outcome.task.notes]
    return "\n".join(lines)


def unchanged(outcomes: list[Outcome]) -> list[str]:
    """Return the sentence that the scene is unchanged, where nobody closed it or deleted an input meanwhile."""
    inputs = [node for outcome in outcomes for node in outcome.task.watched_nodes()]
    is_changed = any(outcome.is_abandoned for outcome in outcomes) or any(node.GetScene() is None for node in inputs)
    return [] if is_changed else [UNCHANGED]


def not_done(outcome: Outcome) -> str:
    """Say that there is no result, and why."""
    title, sentence = outcome.task.title, with_full_stop(outcome.sentence)
    if outcome.state == "cancelled":
        return _("{title}: {sentence}").format(title=title, sentence=sentence)
    return _("{title} failed: {sentence}").format(title=title, sentence=sentence)
