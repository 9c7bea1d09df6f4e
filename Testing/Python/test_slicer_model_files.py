"""Model files that a person adds, and their cards as a person reads them."""

from pathlib import Path

import pytest

import Testing.Slicer.module  # noqa: F401 - installs the double
from SuperResolution3DLib.errors import ModelError
from SuperResolution3DLib.model_card import user_model_folder
from Testing.Python.models import a_tiny_card, a_tiny_model_file

# isort: split
from SuperResolution3DSlicer.model_card_text import card_text
from SuperResolution3DSlicer.model_file import add_model_file, model_of

CARD = a_tiny_card((4, 2, 1), performance={"hardware": "a <small> laptop"})


@pytest.fixture
def a_home(monkeypatch, tmp_path) -> Path:
    for variable in ("XDG_DATA_HOME", "APPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    return tmp_path


def test_added_model_is_found_by_its_name(a_home) -> None:
    added = add_model_file(a_tiny_model_file(a_home, (2, 2, 2)))
    assert added.path == user_model_folder() / "tiny.safetensors"
    assert model_of("tiny") == added
    assert add_model_file(added.path) == added  # a second time changes nothing


def test_other_model_of_the_same_file_name_is_not_replaced(a_home) -> None:
    add_model_file(a_tiny_model_file(a_home, (2, 2, 2)))
    other = a_home / "other"
    other.mkdir()
    with pytest.raises(ModelError, match="Another model file stands at"):
        add_model_file(a_tiny_model_file(other, (2, 1, 1)))


def test_model_that_is_cut_short_is_refused_with_both_sizes(a_home) -> None:
    path = a_tiny_model_file(a_home, (2, 2, 2))
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ModelError, match=rf"has {size - 7} bytes and should have {size}"):
        add_model_file(path)
    assert not user_model_folder().exists()


def test_file_of_another_kind_is_refused(a_home) -> None:
    path = a_home / "weights.safetensors"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="not a model file"):
        add_model_file(path)


def test_folder_that_cannot_be_written_to_is_one_sentence(a_home, monkeypatch) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("SuperResolution3DSlicer.model_file.shutil.copyfile", full)
    with pytest.raises(ModelError, match="No space left on device"):
        add_model_file(a_tiny_model_file(a_home, (2, 2, 2)))


def test_card_escapes_what_others_wrote() -> None:
    text = card_text(CARD)
    assert "a &lt;small&gt; laptop" in text
    assert "Quality: not measured" in text
    assert "1 x 2 x 4 (R, A, S)" in text
