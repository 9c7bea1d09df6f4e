"""What the tests of the logic share: a scene, an oblique volume in it, a tiny model, and what a run may leave."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import slicer
from models import a_tiny_model_file

from SuperResolution3DLib.models.installed_models import InstalledModel
from SuperResolution3DLib.models.model_card import read_card
from Testing.Slicer import core, double
from Testing.Slicer.volumes import add_volume, turned

RIGHT = turned((3.0, 3.2, 4.0), (-12.3, 45.1, 7.7), left_handed=False)
LEFT = turned((3.0, 3.2, 4.0), (-12.3, 45.1, 7.7), left_handed=True)
SHAPE = (9, 13, 11)


@pytest.fixture
def a_core() -> Iterator[core.Core]:
    running = core.start()
    running.reset()
    assert running.subject_hierarchy is not None  # made on demand; the application always has it
    yield running
    running.reset()
    double.turn(20)
    assert leftovers() == []


@pytest.fixture
def a_node(a_core) -> slicer.vtkMRMLScalarVolumeNode:
    array = np.random.default_rng(0).normal(500, 100, SHAPE).astype(np.float32)
    return add_volume(a_core, array, LEFT)


@pytest.fixture
def a_model(tmp_path) -> InstalledModel:
    path = a_tiny_model_file(tmp_path, (2, 2, 2))
    return InstalledModel(path, read_card(path))


def leftovers() -> list[Path]:
    return list(Path(slicer.app.temporaryPath).glob("SuperResolution3D-*"))


def node_names() -> list[str]:
    scene = slicer.mrmlScene
    nodes = [scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes())]
    return [f"{node.GetClassName()} {node.GetName()}" for node in nodes]
