"""Medical Segmentation Decathlon, task 6: chest CT, http://medicaldecathlon.com

The archive Task06_Lung.tar holds

    Task06_Lung/dataset.json, which lists Task06_Lung/imagesTr/lung_001.nii.gz and 62 others under "training"

and only these are taken (labels and the images of the challenge's test are not): real Hounsfield units, a patient a
file. A volume whose smallest voxel is far above air is listed with a problem.
"""

import json
from pathlib import Path, PurePosixPath

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.volumes.volume import Volume
from Training.datasets.data_set import Candidate, DataSet

PATTERN = "Task06_Lung/dataset.json"
AIR_HU = -500  # every chest CT has voxels of air, -1000 HU; what has none below this has been rescaled


def find(root: Path) -> list[Candidate]:
    """Return the training images that ``dataset.json`` lists, in the root or in its Task06_Lung.

    Raises:
        InputError: dataset.json cannot be read, or is that of another task.
    """
    json_files = [file for file in (root / "dataset.json", root / PATTERN) if file.exists()]
    if not json_files:
        return []
    folder = json_files[0].parent
    try:
        content = json.loads(json_files[0].read_text("utf-8"))
        name, modalities = content["name"], list(content["modality"].values())
        images = [PurePosixPath(item["image"]) for item in content["training"]]
    except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        raise InputError(
            f"{json_files[0]} is no dataset.json of the Decathlon ({error}); unpack the archive"
        ) from error
    if name != "Lung" or modalities != ["CT"]:
        raise InputError(
            f"{json_files[0]} describes {name} ({', '.join(modalities)}), not Lung (CT); give the folder Task06_Lung"
        )
    below = folder.relative_to(root)
    return [Candidate(image.name.split(".")[0], (below / image).as_posix(), "CT") for image in images]


def check(volume: Volume) -> str:
    """Say when the voxels are no Hounsfield units of a chest."""
    smallest = float(volume.array.min())
    return f"has no air: its smallest voxel is {smallest:g}, so it is not in HU" if smallest > AIR_HU else ""


DATA_SET = DataSet("msd-task06", "http://medicaldecathlon.com", (PATTERN, "dataset.json"), find, check)
