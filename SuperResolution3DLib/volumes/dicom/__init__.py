"""DICOM folders: one scan, the series and stacks that are there, and the volume of the one that is chosen."""
