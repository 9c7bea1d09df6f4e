"""The through-plane network and its engine: positions, tiles, odd planes, and what the engine promises of every run."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models import a_through_plane_model, a_tiny_model

from SuperResolution3DLib.errors import CancelledError, ModelError, ResourceError
from SuperResolution3DLib.forward.axis_operator import Slices
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.memory_plan import GIB
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.slice_engine import SliceEngine
from SuperResolution3DLib.inference.slice_plan import SliceGrid, SliceRun, plan_slices
from SuperResolution3DLib.networks.pixel_shuffle import pixel_shuffle, pixel_unshuffle
from SuperResolution3DLib.networks.through_plane import SliceQuery, ThroughPlaneConfig, ThroughPlaneNet, slice_query

FP32 = EngineSettings(device="cpu", precision="fp32")
CENTRES = tuple(2.5 + 5 * index for index in range(6))
PROFILE = SliceProfile.over_slices("gaussian", 4.0, CENTRES, 0.9)  # 33 voxels of 0.909 mm for 6 slices: not whole
GRID = SliceGrid(PROFILE, pixel=0.9)


@pytest.fixture
def a_model(tmp_path):
    return a_through_plane_model(tmp_path)


def slices(rows=18, columns=14) -> np.ndarray:
    return np.random.default_rng(3).random((6, rows, columns)).astype(np.float32)


def whole_network(model, lr: np.ndarray) -> np.ndarray:
    """Run the network at once and add the interpolation: what the engine has to give."""
    with torch.no_grad():
        detail = model.network(torch.from_numpy(lr)[None, None], slice_query(PROFILE, 0.9))[0, 0].numpy()
    matrix = Slices(PROFILE, GRID.noise).interpolation(6)
    return detail + np.tensordot(matrix, lr.astype(np.float64), 1)


def test_positions_are_counted_in_slices_also_where_these_lie_unevenly():
    uneven = SliceProfile("gaussian", 4.0, (2.5, 7.6, 12.5), 15, 1.0)
    query = slice_query(uneven, 0.5)
    at = uneven.hr_centres
    assert query.positions[7].item() == pytest.approx((7.5 - 2.5) / 5.1, abs=1e-6)
    assert query.positions[10].item() == pytest.approx(1 + (10.5 - 7.6) / 4.9, abs=1e-6)
    assert at[0] < 2.5 and query.positions[0] == 0 and query.positions[-1] == 2  # beyond: the outermost slice
    np.testing.assert_allclose(query.slices[:, :8], np.tile([[5.1 / 0.5], [4.0 / 5.1]], 8), rtol=1e-6)
    np.testing.assert_allclose(query.slices[:, 8:], np.tile([[4.9 / 0.5], [4.0 / 4.9]], 7), rtol=1e-6)
    part = slice_query(uneven, 0.5, 6, 11)
    assert all(torch.equal(*pair) for pair in zip(part, query.part(6, 11), strict=True))


def test_a_voxel_is_computed_from_the_two_slices_around_it(a_model):
    network = a_model.network
    features = torch.randn(1, 4, 5, 6, 6)
    changed = features.clone()
    changed[:, :, 3:] += 1
    query = SliceQuery(torch.arange(0, 1.9, 0.25), torch.tensor([[4.0], [1.0]]).expand(2, 8))
    with torch.no_grad():
        torch.testing.assert_close(network.tail(features, query), network.tail(changed, query))
        moved = query._replace(positions=query.positions + 1.5)
        assert not torch.allclose(network.tail(features, moved), network.tail(changed, moved))


def test_the_answer_depends_on_spacing_and_thickness(a_model):
    features, at = torch.randn(1, 4, 5, 6, 6), torch.linspace(0, 4, 9)
    with torch.no_grad():
        found = [
            a_model.network.tail(features, SliceQuery(at, torch.tensor(s)[:, None].expand(2, 9)))
            for s in ([4.0, 1.0], [8.0, 1.0], [4.0, 0.7])
        ]
    assert not torch.allclose(found[0], found[1]) and not torch.allclose(found[0], found[2])


@pytest.mark.parametrize(
    ("positions", "around"), [([1.3, 2.6], (1, 4)), ([3.0, 4.0], (3, 5)), ([4.0], (3, 5)), ([-0.5, 0.0], (0, 2))]
)
def test_no_slices_matter_but_those_around_the_positions(a_model, positions, around):
    features = torch.randn(1, 4, 5, 6, 6)
    query = SliceQuery(torch.tensor(positions), torch.tensor([[4.0], [1.0]]).expand(2, len(positions)))
    needed, counted = query.counted_from_slices_around(5)
    assert needed == slice(*around)
    with torch.no_grad():
        found, wanted = a_model.network.tail(features[:, :, needed], counted), a_model.network.tail(features, query)
    torch.testing.assert_close(found, wanted)


def test_pixel_unshuffle_is_torchs_and_undoes_the_shuffle():
    volume = torch.randn(2, 3, 4, 6, 8)
    folded = pixel_unshuffle(volume, (1, 2, 2))
    wanted = torch.nn.functional.pixel_unshuffle(volume.transpose(1, 2).flatten(0, 1), 2)  # slice by slice
    torch.testing.assert_close(folded.transpose(1, 2).flatten(0, 1), wanted)
    torch.testing.assert_close(pixel_shuffle(pixel_unshuffle(volume, (2, 3, 4)), (2, 3, 4)), volume)


def test_an_untrained_network_begins_with_nothing():
    network = ThroughPlaneNet(ThroughPlaneConfig(4, 1, 2))
    network.silence()
    assert not network(torch.randn(1, 1, 3, 4, 4), SliceQuery(torch.tensor([0.5]), torch.tensor([[4.0], [1.0]]))).any()


def test_the_config_refuses_what_cannot_be_built():
    with pytest.raises(ValueError, match="unshuffle must be one of 1, 2, 3, 4, got 5"):
        ThroughPlaneConfig(unshuffle=5)
    with pytest.raises(ValueError, match="growth must be a whole number above 0, not 0"):
        ThroughPlaneConfig(growth=0)


# --- The engine ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plane", [(18, 14), (17, 13)])
def test_the_engine_gives_what_the_whole_network_gives(a_model, plane):
    lr = slices(*plane)
    found = SliceEngine(a_model, GRID, FP32).run(lr)
    assert found.shape == (33, *plane)
    padded = np.pad(lr, ((0, 0), (0, -plane[0] % 2), (0, -plane[1] % 2)), mode="edge")
    np.testing.assert_allclose(found, whole_network(a_model, padded)[:, : plane[0], : plane[1]], atol=1e-5)


def test_small_tiles_of_the_decoder_change_nothing(a_model, monkeypatch):
    lr = slices(36, 20)
    at_once = SliceEngine(a_model, GRID, FP32).run(lr)
    monkeypatch.setattr("SuperResolution3DLib.inference.slice_plan.LARGEST_TAIL_TILE", (7, 5, 4))
    engine = SliceEngine(a_model, GRID, FP32)
    np.testing.assert_allclose(engine.run(lr), at_once, atol=1e-5)
    assert engine.report.tail_tiles == 5 * 4 * 3 and engine.report.trunk_saw_whole_volume


def test_a_region_is_that_part_of_the_whole(a_model):
    lr = slices(30, 26)
    region = (slice(2, 5), slice(5, 20), slice(3, 26))
    found = SliceEngine(a_model, GRID, FP32).run(lr, region)
    wanted = SliceEngine(a_model, GRID, FP32).run(lr)[11:28, 5:20, 3:26]  # 5.5 voxels a slice, from edge to edge
    np.testing.assert_allclose(found, wanted, atol=2e-3)  # the trunk sees 16 of its voxels around the region


def test_each_stage_is_planned_as_the_cpu_computes_it(a_model):
    run = SliceRun(a_model.card, GRID, (6, 40, 30), (slice(0, 6), slice(0, 40), slice(0, 30)))
    slice_voxels, result_voxels, size = 6 * 40 * 30, 33 * 40 * 30, a_model.card.footprint()
    assert size.tail_channels_on_cpu == 2 * 4 + 4 * 2**2  # mixed, convolved; 4 channels of 2 x 2 pixels
    wide = replace(a_model.card, config=a_model.card.config | {"growth": 400})
    for itemsize in (4, 2):
        volume = 4 * slice_voxels * 4  # fp32, 2 x 2 pixels a voxel of the trunk
        plan = plan_slices(replace(run, card=wide), itemsize, GIB, on_cpu=True)
        assert plan.peak_bytes == int(volume + 1.2 * slice_voxels * wide.footprint().trunk_channels * itemsize)
        result, interpolation_and_pixels = 4 * result_voxels * 4, 2 * 4 * result_voxels * 4
        held = volume + result + interpolation_and_pixels + slice_voxels * size.features * itemsize
        plan = plan_slices(run, itemsize, GIB, on_cpu=True)
        assert plan.peak_bytes == int(held + 1.2 * result_voxels * 24 * itemsize)


def test_plans_between_slices_stay_within_what_is_allowed(a_model):
    run = SliceRun(a_model.card, GRID, (6, 96, 96), (slice(0, 6), slice(0, 96), slice(0, 96)))
    most = plan_slices(run, 4, GIB, on_cpu=True)
    assert (most.trunk_tile, most.tail_tile) == ((6, 96, 96), (33, 64, 64))
    for share in (0.9, 0.7, 0.6):
        assert plan_slices(run, 4, share * most.peak_bytes, on_cpu=True).peak_bytes <= share * most.peak_bytes


def test_little_memory_cuts_the_trunk_and_too_little_is_told(a_model):
    lr = slices(192, 192)
    whole = SliceEngine(a_model, GRID, FP32).run(lr)
    tight = SliceEngine(a_model, GRID, EngineSettings(device="cpu", precision="fp32", memory_limit=0.008))
    np.testing.assert_allclose(tight.run(lr), whole, atol=2e-3)
    assert tight.report.trunk_tiles > 1 and not tight.report.trunk_saw_whole_volume
    with pytest.raises(
        ResourceError, match=r"needs at least .* choose a smaller region with --region or a larger --target"
    ):
        SliceEngine(a_model, GRID, EngineSettings(device="cpu", precision="fp32", memory_limit=0.001)).run(lr)


def test_in_16_bits_it_is_close_or_falls_back(a_model):
    lr = slices()
    engine = SliceEngine(a_model, GRID, EngineSettings(device="cpu", precision="bf16"))
    np.testing.assert_allclose(engine.run(lr), whole_network(a_model, lr), atol=0.02)
    assert engine.report.precision in ("bf16", "fp32")


def test_it_is_cancelled_between_two_convolutions(a_model):
    class Impatient(Monitor):
        def is_cancelled(self) -> bool:
            return True

    with pytest.raises(CancelledError):
        SliceEngine(a_model, GRID, FP32, Impatient()).run(slices())


def test_a_model_that_enlarges_all_axes_is_refused(tmp_path):
    with pytest.raises(ModelError, match="tiny is not for thick slices"):
        SliceEngine(a_tiny_model(tmp_path), GRID, FP32)
