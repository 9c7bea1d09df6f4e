"""Memory plans: what fits, what does not, and the forecast."""

import math

import pytest
from models import a_tiny_card

from SuperResolution3DLib.errors import ResourceError
from SuperResolution3DLib.memory_plan import (
    GIB,
    SMALLEST_TILE,
    TilePlan,
    free_memory,
    plan_tiles,
    seconds,
    sr_shape,
    trunk_halo,
)

SHAPE = (40, 60, 100)


def a_plan(device_bytes: float, shape=SHAPE) -> TilePlan:
    return plan_tiles(a_tiny_card(), shape, SHAPE, 4, device_bytes, 1000)


def test_plenty_of_memory_runs_the_trunk_on_the_whole_volume():
    plan = a_plan(GIB)
    assert plan.trunk_tile == SHAPE
    assert plan.tail_tile == (32, 32, 32)


def test_less_memory_makes_smaller_tiles_that_stay_within_it():
    needed = a_plan(GIB).peak_bytes
    last = math.prod(SHAPE)
    for share in (0.9, 0.6, 0.4):
        plan = a_plan(needed * share)
        assert plan.peak_bytes <= needed * share
        assert math.prod(plan.trunk_tile) <= last
        last = math.prod(plan.trunk_tile)
    assert last < math.prod(SHAPE)


def test_what_cannot_fit_is_refused_with_both_numbers():
    with pytest.raises(ResourceError, match=r"needs at least \d+\.\d\d GiB and may use 0\.00 GiB"):
        a_plan(1e6)


def test_halving_ends_at_the_smallest_tile():
    plan, count = a_plan(GIB), 0
    while (smaller := plan.halved()) is not None:
        assert math.prod(smaller.trunk_tile) * math.prod(smaller.tail_tile) < math.prod(plan.trunk_tile) * math.prod(
            plan.tail_tile
        )
        plan, count = smaller, count + 1
    assert count > 5
    assert max(plan.trunk_tile + plan.tail_tile) <= SMALLEST_TILE


def test_the_forecast_comes_from_the_cards_speed():
    card = a_tiny_card(performance={"cpu_seconds_per_million_voxels": 2.0, "trunk_halo": 9})
    assert seconds(card, (50, 50, 50), "cpu") == pytest.approx(2.0)
    assert seconds(card, (50, 50, 50), "cuda") is None
    assert trunk_halo(card) == 9
    assert trunk_halo(a_tiny_card()) == 16
    assert sr_shape((2, 3, 4), (4, 1, 2)) == (8, 3, 8)


def test_free_memory_is_a_plausible_number():
    assert 1e7 < free_memory() < 1e14
