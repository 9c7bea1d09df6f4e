"""Distances between all slices of a method and of the HR: streamed, stored, resumed, merged, refused when in doubt."""

from dataclasses import replace

import numpy as np
import pytest

from SuperResolution3DLib.errors import InputError, ModelError, OutputError, VolumeError
from Training.evaluation import frechet
from Training.evaluation.frechet import SliceFeatures
from Training.evaluation.picture_sets import PictureSets, merged


def features(seed: int, doubt: str | None = None) -> list[SliceFeatures]:
    """Return the features of a volume of 30 slices, of two taps."""
    random = np.random.default_rng(seed)
    return [
        SliceFeatures(name, kernel, hr + random.random(hr.shape), hr, doubt)
        for name, kernel, hr in (
            ("FID 64", None, random.random((30, 6))),
            ("FID 2048", "KID 2048", random.random((30, 50))),
        )
    ]


@pytest.fixture
def the_sets() -> PictureSets:
    sets = PictureSets()
    for number in range(4):
        sets.add(f"volume {number}", features(number))
    return sets


def test_figures_carry_their_names_and_the_number_of_slices(the_sets: PictureSets) -> None:
    figures = the_sets.figures()
    assert list(figures) == ["FID 64", "FID 64: slices", "FID 2048", "KID 2048", "FID 2048: slices"]
    assert figures["FID 64: slices"] == 120
    assert figures["FID 2048"] > 0
    assert the_sets.describe() == [
        "FID 64: 120 slices of 4 volumes, the same of SR and HR, 6 features",
        "FID 2048, KID 2048: 120 slices of 4 volumes, the same of SR and HR, 50 features; KID 2048 from 120 of them",
    ]


def test_a_kernel_distance_of_fewer_slices_says_so(the_sets: PictureSets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frechet, "KERNEL_SLICES", 100)
    the_sets.add("volume 4", features(4))
    assert the_sets.describe()[1].startswith("FID 2048, KID 2048: 150 slices")
    assert the_sets.describe()[1].endswith("KID 2048 from 100 of them")


def test_fewer_slices_than_features_are_said() -> None:
    sets = PictureSets()
    sets.add("one", features(0))
    assert ["fewer slices than features" in line for line in sets.describe()] == [False, True]


def test_the_order_of_volumes_does_not_matter(the_sets: PictureSets) -> None:
    other = PictureSets()
    for number in (2, 0, 3, 1):
        other.add(f"volume {number}", features(number))
    assert other.figures() == pytest.approx(the_sets.figures(), rel=1e-9)


def test_sets_that_were_stored_go_on_as_if_nothing_had_happened(the_sets: PictureSets, tmp_path) -> None:
    interrupted = PictureSets()
    for number in (0, 1):
        interrupted.add(f"volume {number}", features(number))
    interrupted.write(tmp_path / "sets.npz")
    resumed = PictureSets.read(tmp_path / "sets.npz")
    assert resumed.volumes == {"volume 0", "volume 1"}
    for number in (2, 3):
        resumed.add(f"volume {number}", features(number))
    assert resumed.figures() == the_sets.figures()
    assert [path.name for path in tmp_path.iterdir()] == ["sets.npz"]


def test_folds_are_merged(the_sets: PictureSets) -> None:
    folds = [PictureSets(), PictureSets()]
    for number in range(4):
        folds[number % 2].add(f"volume {number}", features(number))
    assert merged(folds).figures() == pytest.approx(the_sets.figures(), rel=1e-9)
    assert merged([PictureSets(), the_sets]).figures() == pytest.approx(the_sets.figures())
    with pytest.raises(VolumeError, match=r"volume 0, volume 2 stand in two of the sets"):
        merged([the_sets, folds[0]])


def test_a_table_in_doubt_is_refused_with_the_reason_also_after_storing_and_merging(tmp_path) -> None:
    sets = PictureSets()
    sets.add("one", features(0, doubt="random.pth is not the original"))
    sets.write(tmp_path / "sets.npz")
    for doubtful in (sets, PictureSets.read(tmp_path / "sets.npz"), merged([sets])):
        with pytest.raises(ModelError, match=r"No table of FID 64: random\.pth is not the original"):
            doubtful.figures()


def test_a_volume_is_counted_once(the_sets: PictureSets) -> None:
    with pytest.raises(ValueError, match="volume 0 were added before"):
        the_sets.add("volume 0", features(0))


def test_a_volume_counts_for_the_taps_that_it_has_whenever_it_comes(tmp_path) -> None:
    given = {"small": features(0)[:1], "whole": features(1), "none": []}
    first, last = PictureSets(), PictureSets()
    for name in given:
        first.add(name, given[name])
    for name in reversed(given):
        last.add(name, given[name])
    last.write(tmp_path / "sets.npz")
    parts = [PictureSets(), PictureSets()]
    parts[0].add("small", given["small"])
    parts[1].add("whole", given["whole"])
    parts[1].add("none", [])
    for sets in (first, last, PictureSets.read(tmp_path / "sets.npz"), merged(parts)):
        assert sets.volumes == {"small", "whole", "none"}
        assert sets.figures() == pytest.approx(first.figures())
        lines = sorted(sets.describe())
        assert lines[0].startswith("FID 2048, KID 2048: 30 slices of 1 volume,")
        assert lines[1].startswith("FID 64: 60 slices of 2 volumes")


def test_a_single_slice_has_no_distance_and_that_is_said() -> None:
    sets = PictureSets()
    (whole, one) = features(0)
    sets.add("one", [whole, replace(one, sr=one.sr[:1], hr=one.hr[:1])])
    assert list(sets.figures()) == ["FID 64", "FID 64: slices"]
    assert sets.describe()[1] == ("FID 2048, KID 2048: left out, 1 slice of 1 volume is too few for a distance")


def test_sets_that_cannot_be_written_are_told_and_nothing_is_left(the_sets: PictureSets, tmp_path, monkeypatch) -> None:
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("Training.evaluation.picture_sets.np.savez", full)
    with pytest.raises(OutputError, match="No space left"):
        the_sets.write(tmp_path / "methods" / "sets.npz")
    assert not list((tmp_path / "methods").iterdir())


def test_a_damaged_file_is_told(the_sets: PictureSets, tmp_path) -> None:
    path = tmp_path / "sets.npz"
    the_sets.write(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"sets\.npz holds no slice statistics"):
        PictureSets.read(path)
    with pytest.raises(InputError, match=r"none\.npz holds no slice statistics"):
        PictureSets.read(tmp_path / "none.npz")
