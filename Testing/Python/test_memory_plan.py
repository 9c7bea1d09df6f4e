"""Memory plans: what fits, what does not, and the forecast."""

import math
from dataclasses import replace

import numpy as np
import pytest
from baseline_models import SIZES, TILED, a_baseline_card
from models import a_tiny_card

from SuperResolution3DLib.errors import ModelError, ResourceError
from SuperResolution3DLib.inference.memory_plan import (
    GIB,
    SMALLEST_TILE,
    Run,
    TilePlan,
    chosen_windows,
    host_bytes,
    plan_tiles,
    size_text,
    trunk_halo,
    trunk_is_exact,
    window_voxels,
)
from SuperResolution3DLib.inference.sliding_window import WindowGrid
from SuperResolution3DLib.networks.table import NETWORKS
from SuperResolution3DLib.volumes.box import box_shape, equal_tiles, expand, intersection, padded_shape, sr_shape, whole

SHAPE = (40, 60, 100)


def a_plan(device_bytes: float, shape=SHAPE) -> TilePlan:
    return plan_tiles(Run(a_tiny_card(), SHAPE, whole(shape)), 4, device_bytes, on_cpu=False)


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [(0, "1 MiB"), (300_000_000, "286 MiB"), (GIB, "1.0 GiB"), (round(2.54 * GIB), "2.5 GiB")],
)
def test_a_size_is_told_in_the_unit_that_shows_it(num_bytes, text):
    assert size_text(num_bytes) == text


def test_plenty_of_memory_runs_the_trunk_on_the_whole_volume():
    plan = a_plan(GIB)
    assert plan.trunk_tile == SHAPE
    assert plan.tail_tile == (40, 48, 48)
    on_cpu = plan_tiles(Run(a_tiny_card(), SHAPE, whole(SHAPE)), 4, GIB, on_cpu=True)
    assert on_cpu.tail_tile == (32, 32, 32)


def test_less_memory_makes_smaller_tiles_that_stay_within_it():
    needed = a_plan(GIB).peak_bytes
    last = math.prod(SHAPE)
    for share in (0.9, 0.6, 0.4):
        plan = a_plan(needed * share)
        assert plan.peak_bytes <= needed * share
        assert math.prod(plan.trunk_tile) <= last
        last = math.prod(plan.trunk_tile)
    assert last < math.prod(SHAPE)


@pytest.mark.parametrize("region", [np.s_[0:11, 0:30, 0:7], np.s_[3:9, 10:29, 1:2], np.s_[9:11, 2:3, 0:5]])
@pytest.mark.parametrize("tile", [(4, 8, 3), (1, 7, 32), (11, 30, 7)])
@pytest.mark.parametrize("halo", [(0, 0, 0), (2, 1, 3), (16, 16, 16)])
def test_tiles_cover_a_box_once_and_have_one_shape_with_their_halo(region, tile, halo):
    shape, laid = (11, 30, 7), np.zeros((11, 30, 7), int)
    for inside, padded in equal_tiles(region, tile, halo, shape):
        laid[inside] += 1
        assert all(given <= most for given, most in zip(box_shape(inside), tile, strict=True))
        assert box_shape(padded) == padded_shape(region, tile, halo, shape)
        widened = expand(inside, halo, shape)
        assert intersection(padded, widened) == widened
        assert intersection(padded, expand(region, halo, shape)) == padded
    assert laid[region].min() == laid.max() == laid.sum() / laid[region].size == 1


def test_a_stage_is_planned_without_what_comes_after_it():
    run = Run(a_tiny_card((4, 4, 4)), SHAPE, whole(SHAPE))
    voxels = math.prod(SHAPE)
    size = run.card.footprint()
    for itemsize, trunk in ((4, 1.22), (2, 1.38)):
        tail_bytes = 1.5 * itemsize * size.tail_channels_on_cpu * math.prod((20 + 2, 30 + 2, 25 + 4))
        wide = replace(run.card, config=run.card.config | {"growth": 400})
        plan = plan_tiles(replace(run, card=wide), itemsize, 100 * GIB, on_cpu=True)
        assert plan.peak_bytes == int(4 * voxels + trunk * itemsize * voxels * wide.footprint().trunk_channels)
        held = 4 * voxels * 65 + voxels * size.features * itemsize
        plan = plan_tiles(run, itemsize, 100 * GIB, on_cpu=True)
        assert plan.peak_bytes == int(held + tail_bytes)


def test_on_a_gpu_the_tile_before_and_an_interpolation_lie_beside_the_tail():
    run = Run(a_tiny_card((4, 4, 4)), SHAPE, whole(SHAPE))
    size, voxels, padded = run.card.footprint(), math.prod(SHAPE), 40 * (30 + 2) * (33 + 4)
    plan = plan_tiles(run, 2, 100 * GIB, on_cpu=False)
    held = 4 * voxels + voxels * size.features * 2
    assert plan.peak_bytes == int(held + 2 * 4 * 64 * padded + 1.3 * 2 * size.tail_channels * padded)


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


def test_the_halo_comes_from_the_card():
    assert trunk_halo(a_tiny_card(performance={"trunk_halo": 9})) == 9
    assert trunk_halo(a_tiny_card()) == 16
    assert sr_shape((2, 3, 4), (4, 1, 2)) == (8, 3, 8)


# --- Every network ---------------------------------------------------------------------------------------------------


def test_every_network_of_the_table_has_a_footprint():
    assert {a_baseline_card(size).network for size in SIZES} | {"rrdb", "through-plane"} == set(NETWORKS)


def test_the_footprint_of_the_shipped_networks_is_as_before():
    found = a_tiny_card((4, 4, 4)).footprint()
    assert (found.features, found.trunk_channels, found.tail_channels) == (4, 40, 768)
    assert (found.tail_halo, found.trunk_reach, found.window) == ((2, 2, 2), None, None)


@pytest.mark.parametrize("size", TILED)
def test_tiles_of_every_network_stay_within_the_memory(size):
    card = a_baseline_card(size, (4, 4, 4))
    run = Run(card, SHAPE, whole(SHAPE))
    plenty = plan_tiles(run, 4, 100 * GIB, on_cpu=False)
    assert plenty.trunk_tile == SHAPE
    assert plenty.tail_tile == (40, 48, 48)
    less = plan_tiles(run, 4, plenty.peak_bytes * 0.6, on_cpu=False)
    assert less.peak_bytes <= plenty.peak_bytes * 0.6
    assert math.prod(less.tail_tile) < math.prod(plenty.tail_tile)
    with pytest.raises(ResourceError, match="choose a smaller region"):
        plan_tiles(run, 4, 1e6, on_cpu=False)


def test_windows_are_planned_as_they_are_and_never_halved():
    card = a_baseline_card("rcan", (4, 4, 4))
    plan = plan_tiles(Run(card, SHAPE, whole(SHAPE)), 4, GIB, on_cpu=False)
    assert plan.trunk_tile == plan.tail_tile == (8, 8, 8)
    volume = 4 * math.prod(SHAPE)
    assert plan.peak_bytes == volume + int(1.3 * 8**3 * 64 * 3 * 3 * 4)  # three layers of three channels at 4x
    assert plan_tiles(Run(card, (5, 60, 100), whole((5, 60, 100))), 4, GIB, on_cpu=False).tail_tile == (5, 8, 8)
    larger = a_baseline_card("rcan", config=card.config | {"patch_size": 48})
    assert plan_tiles(Run(larger, SHAPE, whole(SHAPE)), 4, GIB, on_cpu=False).tail_tile == (40, 48, 48)
    with pytest.raises(ResourceError, match="choose a smaller region with --region, or close other programs"):
        plan_tiles(Run(card, SHAPE, whole(SHAPE)), 4, plan.peak_bytes - 1, on_cpu=False)


def test_windows_that_were_asked_for_are_planned_as_those_that_a_network_needs():
    run = Run(a_tiny_card((4, 4, 4)), SHAPE, whole(SHAPE), window=24)
    plan = plan_tiles(run, 4, GIB, on_cpu=False)
    assert plan.trunk_tile == plan.tail_tile == (24, 24, 24)
    in_windows = plan_tiles(run, 4, 100 * GIB, on_cpu=True).peak_bytes
    sums = 2 * 4 * math.prod(SHAPE) * 64  # of voxels and of weights
    assert in_windows == 4 * math.prod(SHAPE) + sums + int(1.2 * 24**3 * 4 * 4**3 * 2 * 4)  # a layer's input and output
    whole_volume = plan_tiles(Run(run.card, SHAPE, run.region), 4, 100 * GIB, on_cpu=False).peak_bytes
    assert plan.peak_bytes < whole_volume
    assert plan_tiles(run, 4, plan.peak_bytes + 1, on_cpu=False) == plan


def test_the_result_of_windows_takes_room_for_their_weights():
    region = (slice(3, 8), slice(0, 6), slice(1, 8))
    run = Run(a_tiny_card((4, 1, 1)), SHAPE, region)
    voxels = 4 * 5 * 6 * 7
    assert host_bytes(run, 2) == voxels * 6
    assert host_bytes(run, 2, with_zero_filled=True) == voxels * 8
    assert host_bytes(replace(run, window=8), 2) == voxels * 8
    assert host_bytes(replace(run, window=8), 8) == voxels * 12


def test_an_ensemble_holds_its_mean_beside_the_result_of_a_member():
    run = Run(a_tiny_card((4, 1, 1)), SHAPE, whole(SHAPE))
    voxels = math.prod(SHAPE) * 4
    assert host_bytes(run, 4, ensemble=True) == host_bytes(run, 4) == voxels * 8
    assert host_bytes(run, 2, ensemble=True) == voxels * 8
    assert host_bytes(replace(run, window=8), 2, ensemble=True) == voxels * 12
    assert host_bytes(run, 2, with_trust_map=True) == voxels * 29


@pytest.mark.parametrize("window", [None, 8])
def test_on_the_cpu_tiles_leave_room_for_results_beside(window):
    one = Run(a_tiny_card((4, 1, 1)), SHAPE, whole(SHAPE), window)
    two = replace(one, results_beside=2)
    results = 2 * 4 * 4 * math.prod(SHAPE)

    def peak(run, *, on_cpu=True):
        return plan_tiles(run, 4, GIB, on_cpu=on_cpu).peak_bytes

    assert peak(two) == peak(one) + results
    assert peak(two, on_cpu=False) == peak(one, on_cpu=False)
    assert peak(replace(two, on_disk=True)) == peak(replace(one, on_disk=True))
    if window is None:
        assert plan_tiles(two, 4, peak(one), on_cpu=True).peak_bytes <= peak(one)


@pytest.mark.parametrize("region", [np.s_[0:11, 0:30, 0:7], np.s_[3:5, 10:21, 6:7], np.s_[9:11, 0:1, 2:5]])
@pytest.mark.parametrize(("edge", "overlap"), [(8, 0.625), (8, 0.0), (5, 0.9), (40, 0.5)])
def test_windows_are_counted_as_they_are_laid(region, edge, overlap):
    shape = (11, 30, 7)
    laid = [window for window in WindowGrid(shape, edge, overlap).boxes() if intersection(window, region)]
    voxels = sum(math.prod(part.stop - part.start for part in window) for window in laid)
    assert window_voxels(shape, region, edge, overlap) == voxels


def test_windows_are_those_asked_for_or_those_that_the_network_needs():
    assert chosen_windows(a_tiny_card(), None, 0.625) is None
    assert chosen_windows(a_tiny_card(), 24, 0.25) == (24, 0.25)
    assert chosen_windows(a_baseline_card("rcan"), None, 0.625) == (8, 0.5)
    assert chosen_windows(a_baseline_card("rcan"), 24, 0.625) == (24, 0.625)


def test_a_trunk_with_a_known_reach_is_tiled_exactly_unless_the_card_measured_a_shorter_halo():
    card = a_baseline_card("srresnet")
    assert trunk_halo(card) == 5  # a first convolution and two blocks of two
    assert trunk_is_exact(card, 5)
    assert not trunk_is_exact(card, 4)
    assert trunk_halo(a_baseline_card("srresnet", performance={"trunk_halo": 3})) == 3
    assert not trunk_is_exact(a_tiny_card(), 1000)


@pytest.mark.parametrize("size", SIZES)
def test_sizes_need_no_more_than_the_card(size):
    run = Run(a_baseline_card(size, (4, 1, 1)), SHAPE, whole((5, 6, 7)))
    assert host_bytes(run, 2) == 4 * 5 * 6 * 7 * (8 if run.edge else 6)


def test_a_card_of_another_network_or_without_its_size_is_refused():
    with pytest.raises(ModelError, match="Unknown network 'transformer'; this program has dcsrn, rcan, rrdb, srresnet"):
        a_tiny_card(network="transformer").footprint()
    config = a_baseline_card("rcan").config
    for value in ("many", None, 0, 1.5):
        with pytest.raises(ModelError, match=f"num_features must be a whole number above 0, not {value!r}"):
            a_baseline_card("rcan", config=config | {"num_features": value}).footprint()
    with pytest.raises(ModelError, match="The config of rcan does not say 'num_features'"):
        a_baseline_card("rcan", config={"patch_size": 8}).footprint()
