"""Whether the voxels of a file are all there.

Readers do not always notice: SimpleITK fills a truncated .nii.gz with zeros and takes a compressed .mha with a flipped
bit for whole. So compressed data is decompressed to its end, where its checksum is, and plain data is measured.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.sentence import Sentence

GZIP_MAGIC = b"\x1f\x8b"
ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
BLOCK_BYTES = 2**20
LONGEST_HEADER_LINE = 2**16
META_EXTENSIONS = (".mha", ".mhd")
NRRD_EXTENSIONS = (".nrrd", ".nhdr")


@dataclass(frozen=True)
class DataBlock:
    """Where the voxels of an NRRD or MetaImage file are."""

    path: Path
    """The file itself or the one that its header names"""

    offset: int
    """Bytes before the voxels"""

    compressed: bool
    """By zlib or gzip"""


def find_data(path: Path) -> DataBlock | None:
    """Find the voxels of an NRRD or MetaImage file; None in other files, and for voxels as text or in several files.

    Raises:
        VolumeError: a MetaImage header that does not end, or a data file that is not there.
    """
    extension = path.suffix.lower()
    if extension not in META_EXTENSIONS + NRRD_EXTENSIONS:
        return None
    fields, offset = read_fields(path)
    if extension in META_EXTENSIONS:
        if not {"dimsize", "elementdatafile"} <= fields.keys():
            raise VolumeError(f"{path} cannot be read as a MetaImage, its header is incomplete; check the file")
        file_name = fields.get("elementdatafile", "")
        file_name = "" if file_name.upper() == "LOCAL" else file_name
        compressed = fields.get("compresseddata", "").lower() == "true"
        supported = fields.get("binarydata", "true").lower() == "true" and "headersize" not in fields
    else:
        file_name = fields.get("datafile", "")
        compressed = fields.get("encoding") in ("gzip", "gz")
        supported = (compressed or fields.get("encoding") == "raw") and not {"lineskip", "byteskip"} & fields.keys()
    if not supported or file_name.startswith("LIST") or "%" in file_name:
        return None
    block = DataBlock(path.parent / file_name if file_name else path, 0 if file_name else offset, compressed)
    if not block.path.is_file():
        raise VolumeError(f"{path} names the data file {block.path} which is not there; put it beside the header")
    return block


def read_fields(path: Path) -> tuple[dict[str, str], int]:
    """Read the header of an NRRD or MetaImage file: its fields, names in small letters without spaces, and its size."""
    separator = "=" if path.suffix.lower() in META_EXTENSIONS else ":"
    fields = {}
    with path.open("rb") as stream:
        for line in iter(lambda: stream.readline(LONGEST_HEADER_LINE), b""):
            text = line.decode("utf-8", "replace").strip()
            key, _, value = text.partition(separator)
            if separator == ":" and value.startswith("="):
                continue  # an NRRD key of somebody's own, not a field
            fields[key.strip().lower().replace(" ", "")] = value.strip()
            if key.strip() == "ElementDataFile" or not text:
                break
        return fields, stream.tell()


def check_complete(block: DataBlock, num_bytes: int) -> None:
    """Make sure that all voxels are there.

    Args:
        block: see ``find_data``.
        num_bytes: size of the voxels, uncompressed, by the file's header.

    Raises:
        VolumeError: fewer bytes, or damaged compressed data.
    """
    with block.path.open("rb") as stream:
        stream.seek(block.offset)
        found = decompressed_size(stream, block.path) if block.compressed else block.path.stat().st_size - block.offset
    if found < num_bytes:
        raise cut_short(block.path, found, num_bytes)


def check_gzip(path: Path) -> int:
    """Return the size of a file in bytes, decompressed if it is a gzip file, whatever its name.

    Raises:
        VolumeError: the compressed data is cut short or damaged.
    """
    with path.open("rb") as stream:
        if stream.read(2) != GZIP_MAGIC:
            return path.stat().st_size
        stream.seek(0)
        return decompressed_size(stream, path)


def decompressed_size(stream: BinaryIO, path: Path) -> int:
    """Decompress a zlib stream or one or more gzip members to the end, and count the bytes.

    Raises:
        VolumeError: the data is cut short or damaged.
    """
    decompressor = zlib.decompressobj(ZLIB_OR_GZIP)
    size = 0
    try:
        while block := stream.read(BLOCK_BYTES):
            while block:
                size += len(decompressor.decompress(block))
                block = decompressor.unused_data
                if decompressor.eof and not block.strip(b"\0"):
                    break  # the end of the block is the end of a member, or padding
                if decompressor.eof:
                    decompressor = zlib.decompressobj(ZLIB_OR_GZIP)
    except zlib.error as error:
        values = {"path": str(path), "count": size, "reason": str(error)}
        raise VolumeError(Sentence("volume-damaged", values)) from error
    if not decompressor.eof:
        raise VolumeError(Sentence("volume-no-end", {"path": str(path), "count": size}))
    return size


def cut_short(path: Path, found: int, wanted: int) -> VolumeError:
    """Return the error for a file with fewer bytes of voxels than its header tells."""
    values = {"path": str(path), "count": max(found, 0), "wanted": wanted}
    return VolumeError(Sentence("volume-cut-short", values))
