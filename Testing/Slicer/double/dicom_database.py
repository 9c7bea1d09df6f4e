"""What is asked of ``slicer.dicomDatabase``."""


class ctkDICOMDatabase:
    """Follows CTK's Libs/DICOM/Core/ctkDICOMDatabase.h: a tag that is not there is an empty text."""

    def __init__(self, instances: dict[str, dict[str, str]], files: dict[str, str] | None = None) -> None:
        """Take the values by SOPInstanceUID and tag, such as ``0018,0050``, and the files by SOPInstanceUID."""
        self._instances = instances
        self._files = files or {}

    def fileForInstance(self, instance: str) -> str:
        if not isinstance(instance, str):
            raise TypeError(f"fileForInstance takes text, not {instance!r}")
        return self._files.get(instance, "")

    def instanceValue(self, instance: str, tag: str) -> str:
        for given in (instance, tag):
            if not isinstance(given, str):
                raise TypeError(f"instanceValue takes text, not {given!r}")
        return self._instances.get(instance, {}).get(tag, "")
