"""The embedded sample in Slicer's Sample Data module: an HR volume and the LR volume made of it, from local files."""

from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

import SuperResolution3DLib
from SuperResolution3DLib.errors import InputError

CATEGORY = "SuperResolution3D"
THUMBNAIL = Path(__file__).resolve().parents[2] / "Resources" / "Icons" / "SuperResolution3D.png"


@dataclass(frozen=True)
class SampleFile:
    """A volume file that comes with the extension."""

    node_name: str
    """in the scene"""
    file_name: str
    sha256: str


SAMPLES = (
    SampleFile(
        "T1Brain_LR",
        "t1-brain-niimath-crop-lr-x4.nii.gz",
        "3395eadd3ff94db6daf22cfbfd5f8398544287881c31f555f3e29790fc28d6ed",
    ),
    SampleFile(
        "T1Brain_HR",
        "t1-brain-niimath-crop.nii.gz",
        "da6406f21533e5557086d60e6b6e2467e0199c739852d3ad48c0b9c82f398d1e",
    ),
)


def register_sample_data() -> None:
    """Offer the pair, and each volume alone, in the Sample Data module; nothing is read or loaded yet.

    Raises:
        InputError: the files are missing.
    """
    import SampleData

    paths = sample_files()
    choices = [(_("T1 brain, LR and HR"), SAMPLES), (_("T1 brain, LR alone"), SAMPLES[:1])]
    for name, samples in choices:
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            uris=[path.as_uri() for path in paths[: len(samples)]],
            fileNames=[sample.file_name for sample in samples],
            nodeNames=[sample.node_name for sample in samples],
            checksums=[f"SHA256:{sample.sha256}" for sample in samples],
            thumbnailFileName=str(THUMBNAIL),
        )


def sample_files() -> list[Path]:
    """Return the LR and the HR file.

    They lie inside the library where the extension is installed, and beside it in a source tree.

    Raises:
        InputError: the files are missing.
    """
    library = Path(SuperResolution3DLib.__file__).resolve().parent
    folders = [place / "Resources" / "SampleData" for place in (library, library.parent)]
    for folder in folders:
        paths = [folder / sample.file_name for sample in SAMPLES]
        if all(path.is_file() for path in paths):
            return paths
    raise InputError(
        _("The sample volumes are missing from {folder}; install the extension again.").format(folder=folders[0])
    )
