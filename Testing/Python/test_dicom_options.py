"""The options that choose among the volumes of a DICOM folder, on every command that reads one."""

import numpy as np
from dicom_files import a_grid, a_slice, some_slices, write, write_slices

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.volumes.volume import read_volume


def test_every_command_that_reads_has_the_choice(tmp_path, capsys):
    a_folder = tmp_path / "series"
    volumes = [some_slices(8, 1), some_slices(8, 2) // 2]
    for v in (0, 1):
        for k, plane in enumerate(volumes[v]):
            tags = {"EchoNumbers": v + 1, "EchoTime": 5 + 80 * v, "SeriesInstanceUID": "1.2.9"}
            write(a_folder / f"{v}-{k}", a_slice(np.tile(plane, (2, 2))[:16, :12], k, a_grid((1.0, 1.0, 1.0)), **tags))
    write_slices(a_folder, some_slices(3), name="other")
    lr, sr, chosen = tmp_path / "lr.nrrd", tmp_path / "sr.nrrd", ["--series", "1.2.9", "--echo", "2"]
    assert main(["degrade", str(a_folder), str(lr), "--scale", "2"]) == 2
    assert "choose one with --series UID" in capsys.readouterr().err
    assert main(["degrade", str(a_folder), str(lr), "--scale", "2", *chosen]) == 0
    assert 900 < read_volume(lr).array.mean() < 1150, "not the first echo, whose mean is 2048"
    thick = ["degrade", str(a_folder), str(tmp_path / "thick.nrrd"), "--slice-spacing", "4", "--axis", "K"]
    assert main(thick) == 2
    assert "choose one with --series UID" in capsys.readouterr().err
    assert main([*thick, *chosen]) == 0
    command = ["interpolate", str(a_folder), str(sr), "--method", "trilinear", "--scale", "2"]
    assert main([*command, "--series", "1.2.9"]) == 2
    assert "choose one with --echo N" in capsys.readouterr().err
    assert main([*command, *chosen]) == 0
    compare = ["compare", "--lr", str(a_folder), "--sr", str(sr), str(tmp_path / "a.png")]
    assert main(compare) == 2
    assert "choose one with --series UID" in capsys.readouterr().err
    assert main([*compare, *chosen, "--stack", "2", "--time-point", "1"]) == 0
    compare = ["compare", "--lr", str(lr), "--sr", str(a_folder), "--hr", str(a_folder), str(tmp_path / "b.png")]
    assert main([*compare, "--series", "1.2.9"]) == 2
    assert "--series chooses among the DICOM series of a folder" in capsys.readouterr().err
