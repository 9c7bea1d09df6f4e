"""Folds keep subjects whole, and whatever would leak is refused."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from data_sets import an_entry, an_index

from SuperResolution3DLib.errors import InputError
from Training.data.splits import FILE_NAME, Splits, make_splits, read_splits, select, write_splits


def a_two_modality_index():
    """Return 13 subjects with 1 to 3 T1w scans each, and 6 others with a T2w scan."""
    t1 = [an_entry(f"s{n:02}", f"t1/{n}-{scan}.nii") for n in range(13) for scan in range(1 + n % 3)]
    return an_index(*t1, *(an_entry(f"u{n}", f"t2/{n}.nii", modality="MR T2w 3D TSE") for n in range(6)))


def stored(folder, index, num_folds=5, seed=0):
    write_splits(folder / FILE_NAME, make_splits(index, num_folds, seed))
    return index


def test_every_subject_stands_in_one_fold_and_modalities_are_spread():
    folds = make_splits(a_two_modality_index(), 5, seed=3).folds
    counts = Counter(subject for fold in folds for subject in fold)
    assert set(counts.values()) == {1}
    assert len(counts) == 19
    assert {len(fold) for fold in folds} == {3, 4}
    assert {sum(subject.startswith("u") for subject in fold) for fold in folds} == {1, 2}


def test_folds_depend_on_seed_and_subjects_alone():
    index = a_two_modality_index()
    turned = replace(index, entries=index.entries[::-1])
    assert make_splits(index, 5, seed=3) == make_splits(turned, 5, seed=3)
    assert make_splits(index, 5, seed=3).folds != make_splits(index, 5, seed=4).folds


def test_the_folds_of_a_run_share_no_subject_and_cover_all(tmp_path):
    index = stored(tmp_path, a_two_modality_index())
    validated = []
    for fold in range(5):
        chosen = select(index, tmp_path, fold)
        assert not {e.subject for e in chosen.train} & {e.subject for e in chosen.validation}
        assert len(chosen.train) + len(chosen.validation) == len(index.entries)
        validated += [entry.file for entry in chosen.validation]
    assert sorted(validated) == sorted(entry.file for entry in index.entries)


def test_folds_of_data_with_a_fixed_split_lie_inside_train(tmp_path):
    train = [an_entry(f"s{n}", split="train") for n in range(4)]
    index = stored(tmp_path, an_index(*train, an_entry("v", split="validation"), an_entry("t", split="test")), 2)
    assert {subject for fold in read_splits(tmp_path / FILE_NAME).folds for subject in fold} == {"s0", "s1", "s2", "s3"}
    chosen = select(index, tmp_path, 0)
    assert {e.split for e in (*chosen.train, *chosen.validation)} == {"train"}
    fixed = select(index, tmp_path, None)
    assert [e.subject for e in fixed.train] == ["s0", "s1", "s2", "s3"]
    assert [e.subject for e in fixed.validation] == ["v"]


def test_a_modality_is_chosen_by_how_it_begins(tmp_path):
    index = stored(tmp_path, a_two_modality_index())
    chosen = select(index, tmp_path, 1, "MR T2w")
    assert {e.modality for e in (*chosen.train, *chosen.validation)} == {"MR T2w 3D TSE"}
    with pytest.raises(
        InputError, match=r"no volume of modality 'CT' in the training part of folder; the index has MR"
    ):
        select(index, tmp_path, 1, "CT")


def test_volumes_come_in_order_of_their_files(tmp_path):
    entries = [an_entry("a", "z.nii", split="train"), an_entry("b", "c.nii", split="train")]
    chosen = select(an_index(*entries, an_entry("v", split="validation")), tmp_path, None)
    assert [entry.file for entry in chosen.train] == ["c.nii", "z.nii"]


def test_a_subject_on_both_sides_is_refused(tmp_path):
    sides = [an_entry("a", "1.nii", split="train"), an_entry("a", "2.nii", split="validation")]
    with pytest.raises(InputError, match="Subjects stand in train and in validation: a"):
        select(an_index(*sides, an_entry("b", split="train")), tmp_path, None)
    index = stored(tmp_path, a_two_modality_index())
    folds = read_splits(tmp_path / FILE_NAME).folds
    write_splits(tmp_path / FILE_NAME, Splits(0, (*folds[:4], (*folds[4], folds[0][0]))))
    with pytest.raises(InputError, match=f"has subjects more than once: {folds[0][0]}"):
        select(index, tmp_path, 0)


def test_the_same_volume_twice_is_refused_also_under_two_names(tmp_path):
    same = [an_entry("a", "1.nii", sha256="x"), an_entry("b", "2.nii", sha256="x")]
    with pytest.raises(InputError, match=r"more than once: a \(1\.nii\) = b \(2\.nii\)"):
        select(an_index(*same), tmp_path, 0)
    with pytest.raises(InputError, match="more than once"):
        select(an_index(an_entry("a", "1.nii"), an_entry("a", "1.nii", sha256="y")), tmp_path, 0)


def test_unusable_volumes_are_listed_at_once_and_only_those_that_are_wanted(tmp_path):
    entries = [
        an_entry("a", problem="is missing", split="train"),
        an_entry("b", problem="is cut short", split="validation"),
        an_entry("c", split="train"),
        an_entry("d", split="validation"),
        an_entry("e", problem="is bad", split="train", modality="CT"),
        an_entry("f", problem="is bad", split="test"),
    ]
    with pytest.raises(InputError, match="2 volumes cannot be used") as refusal:
        select(an_index(*entries), tmp_path, None, "MR")
    assert str(refusal.value).splitlines()[1:] == ["  a: a.nii.gz: is missing", "  b: b.nii.gz: is cut short"]


def test_an_empty_part_and_an_unknown_fold_are_refused(tmp_path):
    with pytest.raises(InputError, match="There is no volume in the validation part"):
        select(an_index(an_entry("a", split="train"), an_entry("t", split="test")), tmp_path, None)
    with pytest.raises(InputError, match=r"has no split of its own; choose a fold .*, or give .* volumes with a split"):
        select(an_index(an_entry("a")), tmp_path, None)
    index = stored(tmp_path, an_index(*(an_entry(f"s{n}") for n in range(4))), 2)
    with pytest.raises(InputError, match=r"There is no fold 2: .* has the folds 0 to 1"):
        select(index, tmp_path, 2)
    few = [an_entry("u", modality="CT"), *index.entries]
    stored(tmp_path, an_index(*few), 2)
    with pytest.raises(InputError, match="no volume of modality 'CT'"):
        select(an_index(*few), tmp_path, 0, "CT")


def test_folds_of_another_index_are_refused(tmp_path):
    stored(tmp_path, an_index(*(an_entry(f"s{n}") for n in range(4))), 2)
    with pytest.raises(InputError, match=r"belongs to another index \(without s9 and with s0\)"):
        select(an_index(*(an_entry(f"s{n}") for n in (1, 2, 3, 9))), tmp_path, 0)


@pytest.mark.parametrize("num_folds", [1, 4, -1])
def test_more_folds_than_subjects_are_refused(num_folds):
    with pytest.raises(InputError, match=f"{num_folds} folds of 3 training subjects"):
        make_splits(an_index(*(an_entry(f"s{n}") for n in range(3))), num_folds, seed=0)


def test_a_file_without_folds_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no folds beside the index .*make them with .*prepare\.py --folds 5"):
        read_splits(tmp_path / FILE_NAME)
    (tmp_path / FILE_NAME).write_text(json.dumps({"kind": "splits", "version": 1, "seed": 0}))
    with pytest.raises(InputError, match="holds no folds"):
        read_splits(tmp_path / FILE_NAME)
