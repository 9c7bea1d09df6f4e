"""Tiles from a GPU: every voxel arrives, whenever the copies are done and whatever becomes of the GPU's memory."""

import logging
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from pretended_gpu import NEVER, PretendedStream, a_tile_of_the_gpu

from SuperResolution3DLib.inference import host_copies
from SuperResolution3DLib.inference.host_copies import CopyStream, HostCopies, copy_stream
from SuperResolution3DLib.volumes.box import tiles, whole

SHAPE = (11, 6, 9)
BOXES = tiles(whole(SHAPE), (5, 4, 5))
GPU = torch.device("cuda", 0)


@pytest.fixture
def a_result():
    return np.random.default_rng(0).random(SHAPE, np.float32)


def brought(wanted: np.ndarray, stream: PretendedStream | None) -> np.ndarray:
    """Send a result through the stream, tile by tile."""
    result = np.full(SHAPE, np.float32(NEVER))
    copies = HostCopies(result, stream)
    for box in BOXES:
        copies.put(box, a_tile_of_the_gpu(wanted[box]))
    copies.finish()
    return result


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("piece", [20, 41, 60, 1000, 19])  # one slice, two, three, a tile at once, not even a slice
def test_every_voxel_arrives_in_its_place(a_result, caplog, early, piece):
    np.testing.assert_array_equal(brought(a_result, PretendedStream(early=early, piece=piece)), a_result)
    assert not caplog.text


def test_without_a_second_stream_tiles_are_copied_at_once(a_result):
    np.testing.assert_array_equal(brought(a_result, None), a_result)


def test_a_tile_that_is_not_contiguous_arrives_in_its_place(a_result):
    result = np.empty_like(a_result)
    copies = HostCopies(result, PretendedStream())
    copies.put(whole(SHAPE), torch.from_numpy(a_result.T.copy()).permute(2, 1, 0))
    copies.finish()
    np.testing.assert_array_equal(result, a_result)


def test_a_tile_travels_while_the_next_one_is_computed(a_result):
    stream = PretendedStream(piece=41)
    brought(a_result, stream)
    waited_for, queued = zip(*[(waited_for, queued) for _, waited_for, queued in stream.copies], strict=True)
    assert sorted(set(waited_for)) == list(range(1, len(BOXES) + 1))  # each tile for itself alone
    assert queued == tuple(min(number + 1, len(BOXES)) for number in waited_for)


def test_where_the_first_tile_arrives_wrong_all_are_copied_in_the_plain_way(a_result, caplog):
    stream = PretendedStream(fault=1e-6)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(brought(a_result, stream), a_result)
    assert len(stream.copies) == 1
    assert "copying them in the plain way" in caplog.text


def test_voxels_that_are_not_finite_are_no_fault_of_the_copies(a_result):
    a_result[0, 0, :2] = np.nan, np.inf
    stream = PretendedStream()
    np.testing.assert_array_equal(brought(a_result, stream), a_result)
    assert len(stream.copies) == len(BOXES)


@pytest.mark.parametrize("name", ["cpu", "mps"])
def test_other_devices_have_no_second_stream(name):
    assert copy_stream(torch.device(name)) is None


def test_a_system_that_pins_no_memory_copies_in_the_plain_way(monkeypatch, caplog):
    def unable(_):
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(host_copies, "CopyStream", unable)
    with caplog.at_level(logging.WARNING):
        assert copy_stream(GPU) is None
    assert "No pinned memory for what comes from the GPU: CUDA error: out of memory" in caplog.text


def test_a_copy_waits_for_its_tile_and_its_event_for_the_copy(monkeypatch):
    calls: list[object] = []

    class Stream:
        def __init__(self, name):
            self.name = name

        def wait_event(self, event):
            calls.append((self.name, "waits for", event))

        def record_event(self):
            calls.append((self.name, "records", len(calls)))
            return len(calls)

    class Buffer:
        def copy_(self, piece, *, non_blocking):
            calls.append(("copy", piece, non_blocking))

    @contextmanager
    def on(stream):
        calls.append(("on", stream.name))
        yield
        calls.append(("off", stream.name))

    pinned = []
    monkeypatch.setattr(torch.cuda, "device", lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: Stream("second"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: Stream("first"))
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch, "empty", lambda size, *, dtype, pin_memory: pinned.append((size, dtype, pin_memory)))
    stream = CopyStream(GPU)
    assert pinned == [(host_copies.PIECE, torch.float32, True)] * 2
    event = stream.copy("piece", Buffer(), stream.computed())
    assert calls == [
        ("first", "records", 0),
        ("second", "waits for", 1),
        ("on", "second"),
        ("copy", "piece", True),
        ("off", "second"),
        ("second", "records", 5),
    ]
    assert event == 6


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_real_gpu_brings_every_voxel(caplog):
    wanted = np.random.default_rng(0).random((160, 150, 140), np.float32)
    result = np.zeros_like(wanted)
    copies = HostCopies(result, copy_stream(GPU))
    for box in tiles(whole(wanted.shape), (64, 150, 140)):
        tile = torch.from_numpy(wanted[box]).to(GPU)
        for _ in range(200):  # so that a copy which does not wait comes too early
            tile = -tile
        copies.put(box, tile)
    copies.finish()
    np.testing.assert_array_equal(result, wanted)
    assert not caplog.text
