"""A step whose loss is not finite: what is said of it where even its patches cannot be kept."""

import re

import pytest
import torch

from Training.data.patches import Patches
from Training.trainer.divergence import DivergedError, check_finite


def test_patches_that_cannot_be_saved_do_not_hide_why_the_run_stopped(tmp_path):
    patches = Patches(*[torch.zeros(1, 1, 2, 2, 2) for _name in Patches._fields])
    with pytest.raises(DivergedError) as caught:
        check_finite(tmp_path / "gone", 0, 7, [patches], {"loss": torch.tensor(float("nan"))})
    sentence = rf"^Step 7 gave .*not finite \(loss nan\); .* rate; the patches .* saved as {tmp_path}.*No such file.*$"
    assert re.search(sentence, str(caught.value))
