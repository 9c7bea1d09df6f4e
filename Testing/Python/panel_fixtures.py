"""What the tests of the panel share: the loaded panel, an oblique volume in its scene, and the volumes' names."""

from collections.abc import Iterator

import numpy as np
import pytest
import slicer

from Testing.Slicer import core
from Testing.Slicer.module import ThePanel, loaded_module
from Testing.Slicer.volumes import add_volume, turned

AFFINE = turned((3.0, 3.2, 4.0), (-12.3, 45.1, 7.7), left_handed=True)
SHAPE = (9, 13, 11)
MODEL = "rrdb-mr-brain-x4"


@pytest.fixture
def a_panel(monkeypatch, tmp_path) -> Iterator[ThePanel]:
    with loaded_module(monkeypatch, tmp_path) as module:
        yield ThePanel(module)


@pytest.fixture
def a_node(a_panel) -> slicer.vtkMRMLScalarVolumeNode:
    array = np.random.default_rng(0).normal(500, 100, SHAPE).astype(np.float32)
    return add_volume(core.start(), array, AFFINE)


@pytest.fixture
def a_main_window(a_panel) -> None:
    slicer.app.setLayoutManager(slicer.qSlicerLayoutManager(core.start()))


def volumes() -> list[str]:
    return [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
