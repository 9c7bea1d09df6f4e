"""Time the Slicer module in the double: opening the panel, holding the event loop, taking the result over.

The worker is the real one, with a tiny network, so that a run of 64^3 -> 256^3 voxels takes seconds. Numbers of a
shared machine are upper bounds: the processor time beside them leaves out the waiting for other work.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "SuperResolution3D")]
MODULE = ROOT / "SuperResolution3D" / "SuperResolution3D.py"
RUNS = 5
SIZE = 64  # LR voxels an edge; the result has 256
OPEN = f"""
import time
from pathlib import Path
from Testing.Slicer import double
double.install()
wall, processor = time.perf_counter(), time.process_time()
module = double.load_module(Path({str(MODULE)!r}), enter=False)
print(time.perf_counter() - wall, time.process_time() - processor)
module.close()
"""


def time_opening() -> tuple[float, float]:
    """Return the seconds of import and setup(), by the clock and by the processor: medians of fresh processes."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    measured = []
    for _ in range(RUNS):
        run = subprocess.run([sys.executable, "-c", OPEN], env=environment, capture_output=True, text=True, check=True)
        measured.append([float(number) for number in run.stdout.split()[:2]])
    wall, processor = (statistics.median(numbers) for numbers in zip(*measured, strict=True))
    return wall, processor


def time_run(folder: Path) -> tuple[float, float, float]:
    """Run the worker from the panel.

    Returns:
        The seconds that the click took, the longest hold of the event loop from then to the worker's end, and from the
        worker's end to the result shown, with its zero-filled volume in the scene as by default.
    """
    from Testing.Python.models import a_tiny_model_file
    from Testing.Slicer import core, double

    os.environ["SUPERRES3D_MODELS"] = str(folder)
    a_tiny_model_file(folder, (4, 4, 4))
    double.install()
    module = double.load_module(MODULE)
    import slicer
    from SuperResolution3DSlicer.runs.process import WorkerProcess

    from Testing.Slicer.volumes import add_volume

    ended = []
    tell_end = WorkerProcess._tell_end

    def tell(worker: WorkerProcess, end: object) -> None:
        ended.append(time.perf_counter())
        tell_end(worker, end)

    WorkerProcess._tell_end = tell
    array = np.random.default_rng(0).normal(500, 100, (SIZE,) * 3).astype(np.int16)
    node = add_volume(core.start(), array, np.diag([4.0, 4.0, 4.0, 1.0]))
    module.widget.panel._parameters.inputVolume = node
    module.widget.panel._parameters.model = "tiny"
    double.turn(200)
    started = time.perf_counter()
    module.widget.ui.applyButton.click()
    click = time.perf_counter() - started
    longest = 0.0
    while module.widget.ui.applyButton.text == "Cancel":
        before = time.perf_counter()
        slicer.app.processEvents()
        if not ended:
            longest = max(longest, time.perf_counter() - before)
        time.sleep(0.002)
    shown = time.perf_counter() - ended[0]
    text = module.widget.ui.resultLabel.text
    if "SRx4: done" not in text:
        raise RuntimeError(f"The run failed: {text}\n{module.widget.ui.logText.toPlainText()}")
    module.close()
    return click, longest, shown


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    wall, processor = time_opening()
    print(f"{wall:.3f} s ({processor:.3f} s of the processor)  import and setup(), wanted below 0.5 s")
    with tempfile.TemporaryDirectory() as name:
        click, longest, shown = time_run(Path(name))
    print(f"{1000 * click:.0f} ms  the click on Super-resolve, wanted below 100 ms")
    print(f"{1000 * longest:.0f} ms  longest hold of the event loop during the run, wanted below 100 ms")
    print(f"{shown:.2f} s  from the worker's end to the {4 * SIZE}^3 result shown, with zero-filled, wanted below 3 s")
