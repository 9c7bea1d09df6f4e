"""The table of data sets that ``Training/prepare.py`` knows: name -> module, which has a ``DATA_SET``."""

DATA_SETS = {
    "oasis": "Training.datasets.oasis",
    "hcp1200": "Training.datasets.hcp1200",
    "msd-task06": "Training.datasets.msd_task06",
    "mouse-mrh": "Training.datasets.mouse_mrh",
    "folder": "Training.datasets.folder",
}
