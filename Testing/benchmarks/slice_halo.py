"""Measure the halo that the tiled trunk of a model for thick slices needs: relative L2 error, halo by halo.

Also prints the seconds per million result voxels of the whole run, for the card (Training/publish.py).
"""

import argparse
import time
from pathlib import Path

import numpy as np

from SuperResolution3DLib.forward.axis_product import multiply_axes
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.memory_plan import TilePlan
from SuperResolution3DLib.inference.slice_engine import SliceEngine
from SuperResolution3DLib.inference.slice_plan import SliceGrid
from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.volumes.volume import read_volume

WANTED = 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="through-plane-mr", help="name or file")
    parser.add_argument("--hr", type=Path, required=True, help="isotropic volume to make slices of")
    parser.add_argument("--spacing", type=float, default=4.0, help="voxels between slices")
    parser.add_argument("--plane", type=int, default=128, help="edge of the plane in pixels, cut from the middle")
    parser.add_argument("--tile", type=int, default=16, help="edge of a trunk tile, in its own voxels")
    parser.add_argument("--halos", default="0,4,8,12,16", help="voxels of the trunk to try")
    options = parser.parse_args()
    model = load_model(find_model(options.model))
    hr = read_volume(options.hr).canonical().array.astype(np.float32)
    plane = tuple(slice((size - options.plane) // 2, (size + options.plane) // 2) for size in hr.shape[1:])
    profile, kept = SliceProfile.over_volume("gaussian", options.spacing, options.spacing, len(hr), 1.0)
    slices = multiply_axes(np.ascontiguousarray(hr[(kept, *plane)]), [profile.matrix(), None, None])
    lr = model.intensity.fit(slices).to_network(slices)
    engine = SliceEngine(model, SliceGrid(profile, 1.0), EngineSettings("cpu", "fp32"))
    wanted = engine.run(lr)
    for halo in (int(text) for text in options.halos.split(",")):
        plan = TilePlan((options.tile,) * 3, halo, (64, 64, 64), model.card.footprint().tail_halo, 0)
        engine._plan = lambda *_, plan=plan: plan  # type: ignore[method-assign]
        error = np.linalg.norm(engine.run(lr) - wanted) / np.linalg.norm(wanted)
        print(f"halo {halo:2d}: relative L2 error {error:.2e}{'  <= 1e-3' if error <= WANTED else ''}", flush=True)
    began = time.perf_counter()
    result = SliceEngine(model, SliceGrid(profile, 1.0), EngineSettings("cpu")).run(lr)
    print(f"{(time.perf_counter() - began) / result.size * 1e6:.2f} s per million result voxels, {lr.shape} slices")


if __name__ == "__main__":
    main()
