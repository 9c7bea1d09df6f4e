"""The module ``SampleData``: the register of sample volumes."""

import hashlib
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import slicer

LISTS = ("uris", "fileNames", "nodeNames", "loadFiles", "loadFileTypes", "checksums")


@dataclass(frozen=True)
class SampleDataSource:
    """One entry of the register. Follows Slicer's Modules/Scripted/SampleData/SampleData.py (class of this name)."""

    sampleName: str
    uris: list[str]
    fileNames: list[str]
    nodeNames: list[str | None]
    loadFiles: list[bool | None]
    loadFileTypes: list[str | None]
    checksums: list[str | None]
    loadFileProperties: dict[str, Any]
    customDownloader: Callable[["SampleDataSource"], Any] | None
    thumbnailFileName: str | None


class SampleDataLogic:
    """Registers and loads samples. Follows the documentation of Slicer's SampleData module:
    https://slicer.readthedocs.io/en/latest/developer_guide/modules/sampledata.html.

    Only local files (``file:`` addresses and paths) are loaded: nothing is downloaded.
    """

    @staticmethod
    def registerCustomSampleDataCategory(category: str, title: str) -> None:
        _check(category, title)
        _register("sampleDataSourceCategories").setdefault(category, {})["title"] = title

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: str | list[str] | None = None,
        fileNames: str | list[str] | None = None,
        nodeNames: str | list[str] | None = None,
        customDownloader: Callable[[SampleDataSource], Any] | None = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: str | list[str] | None = None,
        loadFiles: bool | list[bool] | None = None,
        loadFileProperties: dict[str, Any] | None = None,
        checksums: str | list[str] | None = None,
    ) -> None:
        """Add a sample; one that is there already is left alone.

        Raises:
            TypeError: a name is not text
            ValueError: lists of different lengths, a missing picture, a checksum of another form
        """
        _check(category, sampleName)
        fields = dict(zip(LISTS, (uris, fileNames, nodeNames, loadFiles, loadFileTypes, checksums), strict=True))
        lists = _as_lists(fields)
        for address in lists["uris"]:
            _check(address)
        for checksum in filter(None, lists["checksums"]):
            _algorithm_and_digest(checksum)
        if thumbnailFileName is not None and not Path(thumbnailFileName).is_file():
            raise ValueError(f"The picture {thumbnailFileName} of the sample {sampleName!r} does not exist")
        source = SampleDataSource(
            sampleName=sampleName,
            loadFileProperties=loadFileProperties or {},
            customDownloader=customDownloader,
            thumbnailFileName=thumbnailFileName,
            **lists,
        )
        sources = _register("sampleDataSources").setdefault(category, [])
        if source not in sources:
            sources.append(source)

    @staticmethod
    def sampleDataSourcesByCategory(category: str | None = None) -> Any:
        sources = _register("sampleDataSources")
        return sources if category is None else sources.get(category, [])

    def sourceForSampleName(self, sampleName: str) -> SampleDataSource | None:
        every = [source for sources in _register("sampleDataSources").values() for source in sources]
        return next((source for source in every if source.sampleName == sampleName), None)

    def downloadSamples(self, sampleName: str) -> list[Any]:
        """Load all nodes of a sample."""
        source = self.sourceForSampleName(sampleName)
        if source is None:
            raise ValueError(f"No sample is called {sampleName!r}")
        return self.downloadFromSource(source)

    def downloadSample(self, sampleName: str) -> Any:
        return self.downloadSamples(sampleName)[0]

    def downloadFromSource(self, source: SampleDataSource) -> list[Any]:
        """Check the files and load them, or hand over to the sample's own loader."""
        if not isinstance(source, SampleDataSource):
            raise TypeError(f"A SampleDataSource is expected, not {source!r}")
        if source.customDownloader is not None:
            return source.customDownloader(source)
        return [_load(*one) for one in zip(source.uris, source.nodeNames, source.checksums, strict=True)]


def module() -> types.ModuleType:
    """Return the module ``SampleData``."""
    result = types.ModuleType("SampleData", __doc__)
    result.SampleDataLogic, result.SampleDataSource = SampleDataLogic, SampleDataSource
    result.downloadSample = lambda sampleName: SampleDataLogic().downloadSample(sampleName)
    result.downloadSamples = lambda sampleName: SampleDataLogic().downloadSamples(sampleName)
    return result


def _register(name: str) -> dict[str, Any]:
    if not hasattr(slicer.modules, name):
        setattr(slicer.modules, name, {})
    return getattr(slicer.modules, name)


def _check(*texts: Any) -> None:
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"Text is expected, not {text!r}")


def _as_lists(fields: dict[str, Any]) -> dict[str, list[Any]]:
    if isinstance(fields["uris"], str):
        return {name: [value] for name, value in fields.items()}
    if not isinstance(fields["uris"], list | tuple):
        raise TypeError(f"uris is text or a list of texts, not {fields['uris']!r}")
    count = len(fields["uris"])
    lists = {name: [None] * count if value is None else value for name, value in fields.items()}
    if isinstance(lists["loadFileTypes"], str):
        lists["loadFileTypes"] = [lists["loadFileTypes"]] * count
    lengths = {name: len(value) for name, value in lists.items()}
    if set(lengths.values()) != {count}:
        raise ValueError(f"All lists of a sample must have the same length, but they have {lengths}")
    return {name: list(value) for name, value in lists.items()}


def _algorithm_and_digest(checksum: str) -> tuple[str, str]:
    algorithm, _, digest = checksum.partition(":")
    if algorithm not in ("SHA256", "SHA512", "MD5") or not digest:
        raise ValueError(f"A checksum reads SHA256:<digest>, not {checksum!r}")
    return algorithm, digest


def _load(address: str, name: str | None, checksum: str | None) -> slicer.vtkMRMLNode:
    scheme = urlparse(address).scheme
    if len(scheme) > 1 and scheme != "file":
        raise ValueError(f"The double downloads nothing: {address}")
    path = Path(url2pathname(urlparse(address).path) if scheme == "file" else address)
    if checksum:
        algorithm, digest = _algorithm_and_digest(checksum)
        found = hashlib.new(algorithm.lower(), path.read_bytes()).hexdigest()
        if found != digest:
            raise ValueError(f"The checksum of {path} is {found}, not {digest}")
    logic = slicer.app.applicationLogic().GetModuleLogic("Volumes")
    node = logic.AddArchetypeVolume(str(path), name or path.name.partition(".")[0])
    if node is None:
        raise ValueError(f"{path} could not be loaded")
    return node
