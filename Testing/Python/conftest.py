"""Fixtures that several tests share."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from child_processes import start  # noqa: F401  pytest finds the fixture here
from skip_rule import (  # noqa: F401  pytest finds its hooks here
    pytest_make_collect_report,
    pytest_runtest_makereport,
    pytest_terminal_summary,
)

torch.set_num_threads(1)  # the volumes are tiny, and tests share the machine

SHARED = Path(__file__).resolve().parents[3] / "shared"  # beside the repository, where a developer has it


@dataclass(frozen=True)
class Phantom:
    """A volume without symmetry: swapping or flipping any axis changes array and affine visibly."""

    array: np.ndarray
    """(D, H, W) float32, about 0 to 1000"""
    affine: np.ndarray
    """(4, 4) float64, voxel (I, J, K) to RAS mm"""


@pytest.fixture(scope="session", autouse=True)
def _a_cache_folder_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))  # trials of the machine are not kept


@pytest.fixture
def shared_data() -> Path:
    """Return the folder of real volumes, split into train, validation and test."""
    return _folder_or_skip(SHARED / "data", "real volumes")


@pytest.fixture
def shared_weights() -> Path:
    """Return the folder of the metric networks' weights."""
    return _folder_or_skip(SHARED / "weights", "metric weights")


@pytest.fixture
def a_phantom() -> Phantom:
    """Return a smooth blob, a sharp box and a ramp on an odd-sized, oblique, anisotropic grid."""
    shape = (13, 17, 11)
    depth, height, width = np.meshgrid(*(np.linspace(0, 1, size) for size in shape), indexing="ij")
    blob = np.exp(-((depth - 0.3) ** 2 + (height - 0.6) ** 2 + (width - 0.4) ** 2) / 0.05)
    array = 600 * blob + 100 * depth + 60 * height + 30 * width
    array[2:5, 9:15, 6:9] += 200
    return Phantom(array.astype(np.float32), _oblique_affine(spacing_ijk=(0.8, 1.1, 1.7), origin=(-12.5, 7.25, 31.0)))


def _oblique_affine(spacing_ijk: tuple[float, float, float], origin: tuple[float, float, float]) -> np.ndarray:
    """Return a rotation by 20 degrees about S and then 10 degrees about R, times the spacing (mm)."""
    about_s, about_r = np.deg2rad(20), np.deg2rad(10)
    turn_s = np.array([[np.cos(about_s), -np.sin(about_s), 0], [np.sin(about_s), np.cos(about_s), 0], [0, 0, 1]])
    turn_r = np.array([[1, 0, 0], [0, np.cos(about_r), -np.sin(about_r)], [0, np.sin(about_r), np.cos(about_r)]])
    affine = np.eye(4)
    affine[:3, :3] = turn_r @ turn_s @ np.diag(spacing_ijk)
    affine[:3, 3] = origin
    return affine


def _folder_or_skip(folder: Path, content: str) -> Path:
    if not folder.is_dir():
        pytest.skip(f"needs the shared folder of {content} beside the repository ({folder.parent.name}/{folder.name})")
    return folder
