"""The report of a run: written to JSON and read back as it was, whichever version wrote it."""

import json

import pytest
from run_reports import A_CONSISTENCY, a_report

from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.errors import InputError

FILES = {"input", "output", "zero_filled", "model_file", "trust_map"}


def values_of(report: Report) -> dict:
    return json.loads(report.to_json())


@pytest.mark.parametrize("changes", [{}, {"region": None, "warnings": (), "zero_filled": "zf.nrrd"}])
def test_a_report_comes_back_from_json_as_it_was(changes):
    report = a_report(**changes)
    assert Report.from_json(report.to_json(), "r.json") == report


def test_the_json_has_its_parts_under_names_of_their_own():
    values = values_of(a_report())
    assert values["scale"] == [4, 2, 1]
    assert values["data_consistency"] == {
        "mode": "check",
        "residual_rms_percent": 0.5,
        "projected": False,
        "model_dependent": False,
    }
    assert values["warnings"][0] == {
        "code": "slices-thickness",
        "values": {"given": 3.0, "in_file": 4.0},
        "message": "A slice thickness of 3 mm was given and the file says 4 mm",
    }
    assert values["zero_filled"] is None
    assert set(values) > FILES


def test_what_others_may_see_names_no_file_and_is_read_back_without():
    report = a_report()
    shown = report.without_files()
    assert set(values_of(report)) - set(shown) == FILES | {"status"}
    assert "jane" not in json.dumps(shown)
    assert Report.from_json(json.dumps(shown), "a node") == a_report(input="", output="", model_file="")


def test_fields_that_a_newer_version_added_are_left_out():
    values = values_of(a_report())
    values["later"] = 1
    values["data_consistency"]["later"] = 2
    values["warnings"][1]["later"] = 3
    assert Report.from_json(json.dumps(values), "r.json") == a_report()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", r"it is not JSON \("),
        ("[1]", r"it has \[1\] where a JSON object is expected"),
        (json.dumps({"model": "tiny"}), "it lacks program, torch, model_sha256"),
        (json.dumps(values_of(a_report()) | {"data_consistency": None}), "it has None where a JSON object is"),
        (json.dumps(values_of(a_report()) | {"data_consistency": {"mode": "off"}}), "it lacks residual_rms_percent"),
        (json.dumps(values_of(a_report()) | {"warnings": ["coarse"]}), "it has 'coarse' where a JSON object is"),
        (json.dumps(values_of(a_report()) | {"warnings": None}), "NoneType"),
    ],
)
def test_what_is_no_report_is_refused_by_name(text, problem):
    with pytest.raises(InputError, match=rf"r\.json is not a report of a run.*{problem}"):
        Report.from_json(text, "r.json")


def test_a_figure_that_is_not_finite_is_not_written():
    with pytest.raises(ValueError, match="JSON"):
        a_report(seconds=float("nan")).to_json()


def test_a_report_does_not_change():
    with pytest.raises(AttributeError):
        a_report().data_consistency.mode = "off"
    assert A_CONSISTENCY.mode == "check"
