"""Where results are put: nobody's file is replaced unasked, links are followed, devices and pipes are written into."""

import errno
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from SuperResolution3DLib.errors import InputError, OutputError, VolumeError
from SuperResolution3DLib.volumes.output_place import check_place, publish, status, temporary_name
from SuperResolution3DLib.volumes.result_files import ResultFiles
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume


@pytest.fixture
def a_small_volume() -> Volume:
    return Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.diag([1.0, 2.0, 3.0, 1.0]))


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def without_links(*_: object, **__: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_during_the_run_is_kept_and_no_result_is_left(tmp_path, a_small_volume, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", without_links)
    output, report = tmp_path / "sr.nrrd", tmp_path / "report.json"
    with ResultFiles([output], [report]) as results:
        results.write_volume(output, a_small_volume)
        results.write_text(report, "{}")
        report.write_text("somebody else's")
        with pytest.raises(OutputError, match=r"report\.json was made by somebody else during the run and is left"):
            results.place()
    assert left_in(tmp_path) == ["report.json"]
    assert report.read_text() == "somebody else's"


def test_another_name_of_an_input_is_no_place_for_a_result(tmp_path, a_small_volume):
    """A hard link stands for what head.nrrd and Head.nrrd are on a disk that takes them for one."""
    write_volume(a_small_volume, tmp_path / "head.nrrd")
    os.link(tmp_path / "head.nrrd", tmp_path / "Head.nrrd")
    with pytest.raises(OutputError, match=r"Head\.nrrd is also an input"):
        ResultFiles([tmp_path / "Head.nrrd"], inputs=[tmp_path / "head.nrrd"], overwrite=True)


@pytest.mark.parametrize("links", [True, False])
def test_results_are_published_also_where_no_links_are_possible(tmp_path, a_small_volume, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", without_links)
    for overwrite in (False, True):
        with ResultFiles([tmp_path / "sr.nrrd"], overwrite=overwrite) as results:
            results.write_volume(tmp_path / "sr.nrrd", a_small_volume)
            results.place()
        assert left_in(tmp_path) == ["sr.nrrd"]
        np.testing.assert_array_equal(read_volume(tmp_path / "sr.nrrd").array, a_small_volume.array)


def test_a_result_that_cannot_be_placed_brings_the_replaced_file_back(tmp_path):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text("earlier")
    with ResultFiles([], [first, second], overwrite=True) as results:
        results.write_text(first, "new")
        results.write_text(second, "new")
        second.mkdir()
        with pytest.raises(OutputError, match=r"second\.json cannot be written"):
            results.place()
    assert left_in(tmp_path) == ["first.json", "second.json"]
    assert first.read_text() == "earlier"


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_stays_and_what_it_points_to_is_written(tmp_path, a_small_volume, exists):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "real.nrrd", tmp_path / "sr.nrrd"
    link.symlink_to(target)
    if exists:
        target.write_text("earlier")
        with pytest.raises(OutputError, match="exists already"):
            ResultFiles([link])
    with ResultFiles([link], overwrite=exists) as results:
        results.try_volumes(a_small_volume, 1)
        results.write_volume(link, a_small_volume)
        results.place()
    assert link.is_symlink()
    assert read_volume(target).shape == a_small_volume.shape
    assert left_in(tmp_path / "elsewhere") == ["real.nrrd"]
    write_volume(a_small_volume, link, overwrite=True)
    assert link.is_symlink()


def test_a_link_into_a_folder_that_is_not_there_and_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "astray.json").symlink_to(tmp_path / "absent" / "report.json")
    with pytest.raises(OutputError, match=r"There is no folder .*absent"):
        check_place(tmp_path / "astray.json")
    (tmp_path / "circle.json").symlink_to(tmp_path / "circle.json")
    with pytest.raises(OutputError, match=r"circle\.json cannot be looked at \(Too many levels of symbolic links\)"):
        check_place(tmp_path / "circle.json")


def test_a_pipe_gets_the_result_and_stays_a_pipe(tmp_path, a_small_volume):
    pipe, received = tmp_path / "sr.nrrd", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()), daemon=True)
    reader.start()
    with ResultFiles([pipe]) as results:
        results.write_volume(pipe, a_small_volume)
        results.place()
    reader.join(30)
    assert pipe.is_fifo()
    assert left_in(tmp_path) == ["sr.nrrd"]
    (tmp_path / "copy.nrrd").write_bytes(received[0])
    np.testing.assert_array_equal(read_volume(tmp_path / "copy.nrrd").array, a_small_volume.array)


def test_a_device_is_written_into_and_one_that_is_full_takes_the_results_away(tmp_path, a_small_volume):
    for device in (Path(os.devnull), Path("/dev/full")):
        before = device.stat()
        with ResultFiles([tmp_path / "sr.nrrd"], [device]) as results:
            results.write_text(device, "a report")
            results.write_volume(tmp_path / "sr.nrrd", a_small_volume)
            if device.name == "full":
                with pytest.raises(OutputError, match=r"/dev/full cannot be written \(No space left on device\)"):
                    results.place()
            else:
                results.place()
                (tmp_path / "sr.nrrd").unlink()
        assert device.stat().st_rdev == before.st_rdev
        assert left_in(tmp_path) == []


def test_a_stream_that_is_open_is_written_into_whatever_stands_behind_it(tmp_path):
    with (tmp_path / "log").open("w") as log:
        place = Path(f"/dev/fd/{log.fileno()}")
        log.write("earlier lines\n")
        log.flush()
        with ResultFiles([], [place]) as results:
            results.write_text(place, "a report\n")
            results.place()
    assert (tmp_path / "log").read_text() == "earlier lines\na report\n"


def test_a_disk_is_no_place_for_a_result(tmp_path, monkeypatch):
    monkeypatch.setattr("stat.S_ISBLK", lambda mode: True)
    (tmp_path / "sda").touch()
    with pytest.raises(OutputError, match="sda is a disk or a socket; name a file"):
        check_place(tmp_path / "sda", overwrite=True)


def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path, a_small_volume):
    path = tmp_path / f"{'n' * 250}.nrrd"
    with ResultFiles([path]) as results:
        results.try_volumes(a_small_volume, 1)
        results.write_volume(path, a_small_volume)
        results.place()
    write_volume(a_small_volume, path, overwrite=True)
    assert left_in(tmp_path) == [path.name]
    with pytest.raises(OutputError, match="File name too long"):
        check_place(tmp_path / f"{'n' * 251}.nrrd")


def test_a_temporary_file_is_short_new_each_time_and_ascii(tmp_path):
    path = tmp_path / ("ü\udcff" + "n" * 200 + ".nrrd")
    first, second = temporary_name(path, ".nrrd"), temporary_name(path, ".nrrd")
    assert first != second
    assert first.parent == tmp_path
    assert first.name.isascii()
    assert len(first.name) < 143
    assert first.name.startswith(".")
    assert first.name.endswith(".tmp.nrrd")


def test_what_may_not_be_looked_at_is_an_error_of_a_person(tmp_path, monkeypatch):
    def refuse(_: Path) -> os.stat_result:
        raise PermissionError(errno.EACCES, "Permission denied")

    assert status(tmp_path / "absent") is None
    assert status(tmp_path) is not None
    with pytest.raises(InputError, match="is not the name of a file"):
        status(tmp_path / "a\0b")
    monkeypatch.setattr(Path, "stat", refuse)  # root, who runs containers, may look anywhere
    with pytest.raises(OutputError, match=r"closed cannot be looked at \(Permission denied\); change its permissions"):
        check_place(tmp_path / "closed")


def test_a_new_file_whose_name_is_refused_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "temporary").write_text("new")
    monkeypatch.setattr(os, "link", without_links)
    monkeypatch.setattr(os, "replace", without_links)
    with pytest.raises(OSError, match="Operation not supported"):
        publish(tmp_path / "temporary", tmp_path / "final", overwrite=False)
    assert left_in(tmp_path) == ["temporary"]


def test_an_error_of_a_writer_names_the_final_file(tmp_path):
    def fail(staged: Path) -> None:
        raise OutputError(f"{staged.name} could not be written (File too large)")

    results = ResultFiles([], [tmp_path / "a.png"])
    with pytest.raises(OutputError, match=r"^a\.png could not be written \(File too large\)$"):
        results.write_with(tmp_path / "a.png", fail)


def test_names_that_are_no_utf8_are_written_or_refused_and_never_end_the_process(tmp_path, a_small_volume):
    folder, odd = tmp_path / "b\udcffd", tmp_path / "b\udcffd.nrrd"
    folder.mkdir()
    write_volume(a_small_volume, odd)
    assert odd.is_file()
    with pytest.raises(VolumeError, match=r"is not UTF-8 text, and volumes need one; rename the file or folder"):
        read_volume(odd)
    with pytest.raises(VolumeError, match=r"holds no DICOM slices"):
        read_volume(folder)
    with pytest.raises(OutputError, match=r"is not UTF-8 text"):
        write_volume(a_small_volume, folder / "a.nrrd")
