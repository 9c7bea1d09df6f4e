"""Measure the halo that a tiled trunk needs: relative L2 error of the SR against the whole trunk, halo by halo."""

import argparse
from pathlib import Path

import numpy as np
import torch
from inference import an_lr_volume, whole_volume

from SuperResolution3DLib.inference import engine as engine_module
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.memory_plan import TilePlan, tail_halo
from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.models.installed_models import find_model

WANTED = 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=None, help="name or file; the first installed one by default")
    parser.add_argument("--hr", type=Path, required=True, help="HR volume to degrade")
    parser.add_argument("--shape", default="40,48,48", help="LR shape D,H,W, cut from the centre")
    parser.add_argument("--tile", type=int, default=16, help="edge of a trunk tile in LR voxels")
    parser.add_argument("--halos", default="0,4,8,12,16", help="LR voxels to try")
    options = parser.parse_args()
    model = load_model(find_model(options.model))
    lr = an_lr_volume(options.hr, tuple(int(size) for size in options.shape.split(",")), model.card.scale)
    reference = whole_volume(model, lr, torch.device("cpu"))
    for halo in (int(text) for text in options.halos.split(",")):
        plan = TilePlan((options.tile,) * 3, halo, (32, 32, 32), tail_halo(model.card), 0)
        engine_module.plan_tiles = lambda *_, plan=plan, **__: plan  # type: ignore[assignment]
        sr = Engine(model, EngineSettings("cpu", "fp32")).run(lr)
        error = np.linalg.norm(sr - reference) / np.linalg.norm(reference)
        print(f"halo {halo:2d}: relative L2 error {error:.2e}{'  <= 1e-3' if error <= WANTED else ''}", flush=True)


if __name__ == "__main__":
    main()
