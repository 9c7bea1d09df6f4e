"""What the tests of the panel share: the loaded panel, an oblique volume in its scene, and the volumes' names."""

from collections.abc import Iterator

import numpy as np
import pytest
import slicer

from SuperResolution3DLib.models.installed_models import user_model_folder
from Testing.Python.models import a_through_plane_file
from Testing.Slicer import core
from Testing.Slicer.module import ThePanel, loaded_module
from Testing.Slicer.volumes import add_volume, turned

AFFINE = turned((3.0, 3.2, 4.0), (-12.3, 45.1, 7.7), left_handed=True)
SHAPE = (9, 13, 11)
MODEL = "mr-brain-x4"


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


@pytest.fixture
def a_slice_panel(a_panel) -> ThePanel:
    """Return the panel with a model for slices 2 to 8 mm apart installed that outranks the others."""
    folder = user_model_folder()
    folder.mkdir(parents=True)
    a_through_plane_file(folder, rank=1000)
    a_panel.module.widget.panel.enter()
    return a_panel
