"""What is asked of ``slicer.dicomDatabase``."""


class ctkDICOMDatabase:
    """Follows CTK's Libs/DICOM/Core/ctkDICOMDatabase.h: a tag that is not there is an empty text."""

    def __init__(self, instances: dict[str, dict[str, str]]) -> None:
        """Take the values by SOPInstanceUID and tag, such as ``0018,0050``."""
        self._instances = instances

    def instanceValue(self, instance: str, tag: str) -> str:
        for given in (instance, tag):
            if not isinstance(given, str):
                raise TypeError(f"instanceValue takes text, not {given!r}")
        return self._instances.get(instance, {}).get(tag, "")
