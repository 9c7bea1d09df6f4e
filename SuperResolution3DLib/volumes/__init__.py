"""Volumes and the files that hold them: geometry, formats, DICOM, results that are whole or not there."""
