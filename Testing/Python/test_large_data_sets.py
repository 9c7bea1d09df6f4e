"""Data sets of any size: few open files, several processes, one cache for all folds, and no harm to it."""

import errno
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from data_sets import an_entry, an_index
from prepared_volumes import an_index_of, assert_same, assert_same_array, prepared

from SuperResolution3DLib.errors import InputError, OutputError, ResourceError
from Training.data import cache as cache_module
from Training.data import worker_pool
from Training.data.cache import ArrayCache, Arrays, cache_key
from Training.data.degradation import content_generator, draw_shifts
from Training.data.mapped_array import MOST_OPEN
from Training.data.worker_pool import pool_size, run_all


@pytest.fixture
def a_small_index(tmp_path):
    return an_index_of(tmp_path / "volumes", (12, 15, 14), (13, 12, 17))


def test_a_cache_that_cannot_be_read_for_now_is_told_and_stays(a_small_index, tmp_path, monkeypatch):
    prepared(a_small_index, cache=tmp_path / "cache")
    before = sorted((tmp_path / "cache").rglob("*"))

    genuine = Path.open

    def refuse(path, *arguments, **options):
        if path.suffix == ".npy":
            raise OSError(errno.EMFILE, "Too many open files")
        return genuine(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OutputError, match=r"in the cache cannot be read \(Too many open files\)"):
        prepared(a_small_index, cache=tmp_path / "cache")
    monkeypatch.undo()
    assert sorted((tmp_path / "cache").rglob("*")) == before


def test_arrays_removed_during_a_run_are_told(tmp_path):
    stored = ArrayCache(tmp_path / "cache").store(cache_key(a=1), Arrays({"rows": np.arange(40)}))
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(OutputError, match=r"rows\.npy in the cache can no longer be read \(No such file"):
        stored.arrays["rows"][0]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted by Linux alone")
def test_a_data_set_of_any_size_holds_few_files_open(tmp_path):
    cache = ArrayCache(tmp_path)
    made = [cache.store(cache_key(number=n), Arrays({"rows": np.full((3, 3), n)})) for n in range(MOST_OPEN + 40)]
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert [int(arrays.arrays["rows"][1, 1]) for arrays in made] == list(range(MOST_OPEN + 40))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + MOST_OPEN


def test_a_mapped_array_goes_to_other_processes_as_its_files_name(tmp_path):
    stored = ArrayCache(tmp_path).store(cache_key(a=1), Arrays({"rows": np.arange(40_000)}))
    content = pickle.dumps(stored.arrays["rows"])
    assert len(content) < 2000
    assert_same_array(pickle.loads(content), np.arange(40_000))


@pytest.mark.parametrize("with_cache", [True, False])
def test_several_processes_prepare_the_same_volumes(a_small_index, tmp_path, with_cache):
    cache = tmp_path / "cache" if with_cache else None
    assert_same(prepared(a_small_index, cache=cache, num_workers=2), prepared(a_small_index))


def test_unusable_volumes_are_listed_by_several_processes_too(tmp_path):
    index = an_index_of(tmp_path, (12, 15, 14), (12, 15, 14))
    for entry in index.entries:
        os.truncate(index.path(entry), 400)
    renewed = [
        replace(entry, num_bytes=400, modified_ns=index.path(entry).stat().st_mtime_ns) for entry in index.entries
    ]
    with pytest.raises(InputError, match="2 volumes cannot be used"):
        prepared(an_index(*renewed, root=index.root), num_workers=2)


def test_a_killed_process_is_told_in_a_sentence():
    with pytest.raises(ResourceError, match=r"One of 2 processes .* was killed"):
        list(run_all(os._exit, [9, 9], 2))


def test_there_are_as_many_processes_as_jobs_processors_and_memory_allow(monkeypatch):
    monkeypatch.setattr(worker_pool, "num_processors", lambda: 8)
    monkeypatch.setattr(worker_pool, "free_memory", lambda: 10 * 10**9)
    assert pool_size(0, 100, 0) == 8
    assert pool_size(3, 100, 0) == 3
    assert pool_size(0, 5, 0) == 5
    assert pool_size(0, 100, 2 * 10**9) == 4
    assert pool_size(0, 100, 20 * 10**9) == 1
    assert pool_size(0, 0, 0) == 1


def test_folds_share_what_the_cache_holds(a_small_index, tmp_path):
    first = prepared(a_small_index, cache=tmp_path / "cache")
    before = sorted((tmp_path / "cache").iterdir())
    other = replace(a_small_index, entries=a_small_index.entries[1:])
    assert_same(prepared(other, cache=tmp_path / "cache"), first[1:])
    assert sorted((tmp_path / "cache").iterdir()) == before


def test_a_disk_that_fills_up_leaves_nothing_in_the_cache(a_small_index, tmp_path, monkeypatch):
    def full(path, array):
        path.write_bytes(b"begun")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_module, "write", full)
    with pytest.raises(OutputError, match=r"cannot be written \(No space left on device\)"):
        prepared(a_small_index, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_grid_positions_follow_from_seed_and_content():
    def drawn(content, seed):
        return draw_shifts((2, 2, 2), 8, content_generator(an_entry("s", sha256=content), seed))

    assert drawn("a", 0) == drawn("a", 0)
    assert len({drawn(content, seed) for content in "abcd" for seed in range(4)}) == 16
