"""Which patches a run is trained on."""

from torch.utils.data import Dataset

from Training.config import TrainConfig
from Training.data.patches import PatchDataset, Patches, SampleOrder
from Training.data.slice_patches import SlicePatchDataset
from Training.data.training_volume import TrainingVolume


def patch_dataset(config: TrainConfig, volumes: list[TrainingVolume], order: SampleOrder) -> Dataset[Patches]:
    """Return the patches of a run: of volumes that were degraded whole, or of thick slices made for each patch."""
    if config.thick_slices:
        return SlicePatchDataset(volumes, config.data, config.model.intensity, config.seed, order)
    return PatchDataset(volumes, config.network.scale, config.data, config.seed, order)
