"""An engine whose plan of memory can be looked at after a run."""

import numpy as np
from torch import Tensor

from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.memory_plan import TilePlan
from SuperResolution3DLib.volumes.box import Box


class WatchedPlan(Engine):
    """Remembers its last plan; to be named before the engine that it is mixed into."""

    plan: TilePlan | None = None

    def _run_planned(self, volume: Tensor, region: Box, plan: TilePlan) -> np.ndarray:
        self.plan = plan
        return super()._run_planned(volume, region, plan)
