"""PyTorch's file format since 1.6: a zip archive with a pickle, and a record per storage.

NAME/data.pkl           the object; tensors refer to storages by number
NAME/byteorder          "little" or "big"
NAME/data/0 ...         the elements of the storages, at multiples of 64 bytes, not compressed
NAME/version            "3"
"""

from __future__ import annotations

import io
import sys
import zipfile
from typing import IO, Any

import numpy as np

from zerograd import errors
from zerograd.serialization.memory import Bytes, Memories, Memory, Restore, StorageType
from zerograd.serialization.pickle_reader import Globals, Reader
from zerograd.serialization.pickle_writer import Writer

ALIGNMENT = 64  # bytes, of the records of storages in the file
_HEADER = 30  # bytes before the name of a record
_EXTRA = b"FB"  # the tag of the padding, PyTorch's


def write(obj: Any, file: IO[bytes], name: str, protocol: int) -> None:
    """Writes an archive.

    Args:
        name: of the folder in it.
    """
    memories = Memories()
    stream = io.BytesIO()
    Writer(stream, protocol, memories).dump(obj)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _write_record(archive, f"{name}/data.pkl", stream.getbuffer())
        _write_record(archive, f"{name}/byteorder", memoryview(sys.byteorder.encode()))
        for number, values in enumerate(memories.values):
            _write_record(archive, f"{name}/data/{number}", values.data)
        _write_record(archive, f"{name}/version", memoryview(b"3\n"))


def _write_record(archive: zipfile.ZipFile, name: str, data: memoryview) -> None:
    record = zipfile.ZipInfo(name)  # dated 1980, so that equal objects give equal files
    record.file_size = data.nbytes
    large = data.nbytes > zipfile.ZIP64_LIMIT
    begin = archive.start_dir + _HEADER + len(name.encode()) + 4 + (20 if large else 0)
    padding = -begin % ALIGNMENT
    record.extra = _EXTRA + padding.to_bytes(2, "little") + b"Z" * padding
    with archive.open(record, "w", force_zip64=large) as writer:
        writer.write(data)


class Archive:
    """An archive to read from.

    Args:
        file: seekable.
        mapped: the whole file in memory, if storages are to lie there.
    Raises:
        RuntimeError: the archive is damaged, or not one of PyTorch's.
    """

    def __init__(self, file: IO[bytes], mapped: Bytes | None = None) -> None:
        try:
            self._zip = zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            raise _damaged(error) from None
        self._file = file
        self._mapped = mapped
        members = self._zip.namelist()
        self._folder = members[0].partition("/")[0] if members else ""
        self.names = {member.partition("/")[2] for member in members}
        if "data.pkl" not in self.names:
            raise errors.runtime("the file is a zip archive, but not one that torch.save has written")
        if "constants.pkl" in self.names:
            raise errors.runtime(
                "the file is a TorchScript archive, which zerograd cannot load",
                hint="save model.state_dict() with torch.save and load that",
            )
        order = self.record("byteorder") if "byteorder" in self.names else b"little"
        if order not in (b"little", b"big"):
            raise errors.value("the file has an unknown byte order", order=order)
        self._swap = order.decode() != sys.byteorder

    def record(self, name: str) -> bytes:
        """The bytes of a record.

        Raises:
            RuntimeError: there is none, or it is damaged.
        """
        try:
            return self._zip.read(f"{self._folder}/{name}")
        except (zipfile.BadZipFile, KeyError, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise _damaged(error) from None

    def values(self, name: str, kind: StorageType, count: int) -> np.ndarray[Any, Any]:
        """The elements of a storage."""
        data = self._in_map(name)
        if data is None:
            data = np.frombuffer(self.record(name), np.uint8)
        wanted = count * kind.dtype.itemsize
        if count < 0 or len(data) < wanted:
            raise errors.runtime("the file is damaged: a storage is too short", bytes=len(data), expected=wanted)
        data = data[:wanted]
        if data.ctypes.data % kind.dtype.itemsize:
            data = data.copy()
        values = data.view(kind.dtype.numpy)
        return values.byteswap() if self._swap else values

    def _in_map(self, name: str) -> Bytes | None:
        if self._mapped is None:
            return None
        record = self._zip.getinfo(f"{self._folder}/{name}")
        if record.compress_type != zipfile.ZIP_STORED:
            return None
        header = self._mapped[record.header_offset : record.header_offset + _HEADER]
        name_size, extra_size = header[26:30].view("<u2").tolist()
        begin = record.header_offset + _HEADER + name_size + extra_size
        return self._mapped[begin : begin + record.file_size]


def _damaged(error: Exception) -> RuntimeError:
    return errors.runtime("the file is damaged, or was not written to its end", reason=error)


def read(archive: Archive, names: Globals, restore: Restore, encoding: str) -> Any:
    """The object in an archive."""
    memories: dict[str, Memory] = {}

    def storage(reference: Any) -> Memory:
        kind, key, location, count = parse_reference(reference, 4)
        if key not in memories:
            memory = Memory(kind.dtype, archive.values(f"data/{key}", kind, count))
            memories[key] = restore(memory, location)
        return memories[key]

    return Reader(archive.record("data.pkl"), names, storage, encoding).load()


def parse_reference(reference: Any, count: int) -> tuple[Any, ...]:
    """The parts of a reference to a storage, after the word "storage".

    Raises:
        ValueError: something else.
    """
    if not isinstance(reference, tuple) or len(reference) != count + 1:
        raise ValueError(f"{reference!r} is no reference to a storage")
    word, kind, *rest = [part.decode() if isinstance(part, bytes) else part for part in reference]
    if word != "storage" or not isinstance(kind, StorageType):
        raise ValueError(f"{reference!r} is no reference to a storage")
    return (kind, *rest)
