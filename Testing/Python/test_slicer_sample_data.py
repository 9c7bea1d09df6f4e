"""The embedded sample as Slicer's Sample Data module offers it."""

from collections.abc import Iterator

import numpy as np
import pytest
import slicer

import SuperResolution3DLib
from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.inference.super_resolve import degrade_volume
from SuperResolution3DLib.models.model_card import file_sha256
from SuperResolution3DLib.volumes.volume import read_volume
from Testing.Slicer import core, double
from Testing.Slicer.module import loaded_module
from Testing.Slicer.volumes import field_of_view_corners

# isort: split
from SuperResolution3DSlicer.scene import sample_data
from SuperResolution3DSlicer.scene.sample_data import (
    CATEGORY,
    SAMPLES,
    THUMBNAIL,
    SampleFile,
    register_sample_data,
    sample_files,
)

PAIR, ALONE = "T1 brain, LR and HR", "T1 brain, LR alone"


@pytest.fixture
def the_register() -> Iterator[object]:
    """Slicer's register of samples, with ours in it."""
    double.install()
    register_sample_data()
    import SampleData

    yield SampleData.SampleDataLogic()
    slicer.modules.sampleDataSources.pop(CATEGORY)
    core.start().reset()


def test_the_files_are_those_of_the_checksums() -> None:
    assert [file_sha256(path) for path in sample_files()] == [sample.sha256 for sample in SAMPLES]


def test_the_lr_file_is_the_degraded_hr_file() -> None:
    lr, hr = (read_volume(path) for path in sample_files())
    expected, whole = degrade_volume(hr, (4, 4, 4), "center")
    assert whole.shape == hr.shape, "a multiple of 4 along each axis"
    np.testing.assert_array_equal(lr.array, expected.array)
    np.testing.assert_allclose(lr.affine, expected.affine, rtol=0, atol=1e-5)


def test_the_pair_is_registered_with_checksums_and_a_picture(the_register) -> None:
    source = the_register.sourceForSampleName(PAIR)
    assert source.nodeNames == ["T1Brain_LR", "T1Brain_HR"]
    assert source.checksums == [f"SHA256:{sample.sha256}" for sample in SAMPLES]
    assert source.uris == [path.as_uri() for path in sample_files()]
    assert source.thumbnailFileName == str(THUMBNAIL) and THUMBNAIL.is_file()


def test_registering_again_adds_nothing(the_register) -> None:
    register_sample_data()
    assert [source.sampleName for source in the_register.sampleDataSourcesByCategory(CATEGORY)] == [PAIR, ALONE]


def test_the_pair_loads_as_two_volumes_of_one_field_of_view(the_register) -> None:
    lr, hr = the_register.downloadSamples(PAIR)
    assert (lr.GetName(), hr.GetName()) == ("T1Brain_LR", "T1Brain_HR")
    assert slicer.util.arrayFromVolume(lr).shape == (31, 32, 30)
    assert slicer.util.arrayFromVolume(hr).shape == (124, 128, 120)
    assert np.abs(field_of_view_corners(lr) - field_of_view_corners(hr)).max() < 0.01


def test_the_lr_volume_loads_alone(the_register) -> None:
    assert [node.GetName() for node in the_register.downloadSamples(ALONE)] == ["T1Brain_LR"]


def test_the_files_are_found_inside_an_installed_library_too(monkeypatch, tmp_path) -> None:
    installed = tmp_path / "SuperResolution3DLib"
    samples = installed / "Resources" / "SampleData"
    samples.mkdir(parents=True)
    monkeypatch.setattr(SuperResolution3DLib, "__file__", str(installed / "__init__.py"))
    with pytest.raises(InputError, match=r"sample volumes are missing from .*SampleData; install the extension again"):
        sample_files()
    for sample in SAMPLES:
        (samples / sample.file_name).write_bytes(b"volume")
    assert sample_files() == [samples / sample.file_name for sample in SAMPLES]


def test_a_module_that_is_loaded_after_the_start_offers_the_samples_once(monkeypatch, tmp_path) -> None:
    double.install()
    with loaded_module(monkeypatch, tmp_path):  # Slicer told before that it has started
        sources = slicer.modules.sampleDataSources[CATEGORY]
        assert [source.sampleName for source in sources] == [PAIR, ALONE]
        slicer.app.startupCompleted.emit()
        assert [source.sampleName for source in sources] == [PAIR, ALONE]
    slicer.modules.sampleDataSources.pop(CATEGORY)


def test_missing_samples_are_told_in_the_log_and_the_panel_opens(monkeypatch, tmp_path, caplog) -> None:
    double.install()
    monkeypatch.setattr(sample_data, "SAMPLES", (SampleFile("none", "none.nii.gz", ""),))
    with loaded_module(monkeypatch, tmp_path) as module:
        assert module.widget.panel is not None
    assert "The sample volumes are missing" in caplog.text
