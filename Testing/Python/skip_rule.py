"""Pytest hooks: a test may skip for want of the shared folder or of a GPU; any other skipped test has failed.

A forgotten package would otherwise turn whole files of tests off, and the run would still be green.
"""

from collections.abc import Generator
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

MAY_SKIP = {"../shared": "needs the shared folder", "a GPU": "needs a GPU"}
"""what a test may miss -> how its reason begins"""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return refuse_skip((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return refuse_skip((yield))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the skipped tests by what they missed."""
    reasons = [_reason(report) for report in terminalreporter.stats.get("skipped", [])]
    counts = {name: sum(reason.startswith(start) for reason in reasons) for name, start in MAY_SKIP.items()}
    terminalreporter.write_sep("-", "skipped tests")
    for name, count in counts.items():
        terminalreporter.write_line(f"{count} for want of {name}")


def refuse_skip(report: Report) -> Report:
    """Turn the report of a test that skips for another reason into that of a failed one."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = _reason(report)
        if not reason.startswith(tuple(MAY_SKIP.values())):
            report.outcome = "failed"
            report.longrepr = f"Skipped ({reason}), but a test may skip only if it {' or '.join(MAY_SKIP.values())}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return report.longrepr[2].removeprefix("Skipped: ")  # (file, line, reason)
