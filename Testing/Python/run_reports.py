"""A report of a run, for tests that need one without a run."""

from typing import Any

from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.inference.computation import DataConsistency
from SuperResolution3DLib.inference.slice_report import SliceReport
from SuperResolution3DLib.sentence import Warned

A_CONSISTENCY = DataConsistency(mode="check", residual_rms_percent=0.5, projected=False, model_dependent=False)
SOME_SLICES = SliceReport(
    axis="K",
    plane="axial",
    num_slices=7,
    slice_spacing_mm=4.0,
    slice_thickness_mm=3.2,
    thickness_source="file",
    in_plane_spacing_mm=(1.0, 0.9),
    wanted_spacing_mm=1.0,
    result_spacing_mm=1.0,
    result_size=28,
    field_of_view_mm=28.0,
    profile="gaussian",
    noise=0.1,
    residual_rms_percent=0.5,
)


def a_report(**changes: Any) -> Report:
    """Return a report with all kinds of values, some of them changed."""
    values = {
        "program": "1.0",
        "torch": "2.6.0",
        "model": "tiny",
        "model_sha256": "0" * 64,
        "grid": "center",
        "scale": (4, 2, 1),
        "region": "0:4,2:9,13:20",
        "input_shape": (5, 7, 9),
        "input_spacing_mm": (1.7, 1.1, 0.8),
        "output_shape": (16, 14, 7),
        "output_spacing_mm": (0.425, 0.55, 0.8),
        "seconds": 1.5,
        "data_consistency": A_CONSISTENCY,
        "device": "CPU",
        "precision": "fp32",
        "trunk_tiles": 2,
        "trunk_saw_whole_volume": False,
        "tail_tiles": 3,
        "windows": 0,
        "ensemble": 8,
        "warnings": (Warned("slices-thickness", {"given": 3.0, "in_file": 4.0}), Warned("file", {}, "truncated")),
        "input": "/home/jane/in.nrrd",
        "output": "/home/jane/out.nrrd",
        "model_file": "/home/jane/tiny.safetensors",
    }
    return Report(**(values | changes))
