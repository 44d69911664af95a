"""PyTorch's file format before 1.6: pickles, then the storages one after the other.

pickle   the magic number
pickle   the version of the format
pickle   what machine wrote it
pickle   the object; tensors refer to storages by key
pickle   the keys, in the order in which the storages follow
per key  int64, the number of elements, then the elements
"""

from __future__ import annotations

import pickle
import sys
from typing import IO, Any

import numpy as np

from zerograd import errors
from zerograd.serialization.archive import parse_reference
from zerograd.serialization.memory import Memories, Memory, Restore
from zerograd.serialization.pickle_reader import Globals, Reader
from zerograd.serialization.pickle_writer import Writer

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
VERSION = 1001


def write(obj: Any, file: IO[bytes], protocol: int) -> None:
    """Writes the old form."""
    memories = Memories()
    machine = {
        "protocol_version": VERSION,
        "little_endian": sys.byteorder == "little",
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    for head in (MAGIC_NUMBER, VERSION, machine):
        pickle.dump(head, file, protocol)
    Writer(file, protocol, memories, old_form=True).dump(obj)
    pickle.dump([str(number) for number in range(len(memories.values))], file, protocol)
    for values, size in zip(memories.values, memories.itemsizes, strict=True):
        file.write(np.array(len(values) // size, "<i8").tobytes())
        file.write(values.data)


def read(data: bytes, names: Globals, restore: Restore, encoding: str) -> Any:
    """The object in a file of the old form.

    Raises:
        EOFError: there is nothing.
        RuntimeError: another form, or a file that is too short.
        UnpicklingError: no pickle, or one that must not be loaded.
    """
    reader = Reader(data, names, encoding=encoding)
    if data[257:262] == b"ustar":
        raise errors.runtime("files of PyTorch before 0.1.10, which are tar archives, cannot be loaded")
    if reader.load() != MAGIC_NUMBER:
        raise errors.runtime("the file was not written by torch.save: its magic number is another one")
    version = reader.load()
    if version != VERSION:
        raise errors.runtime("the file has an unknown version", version=version)
    reader.load()
    memories: dict[Any, Memory] = {}

    def storage(reference: Any) -> Memory:
        kind, key, location, count, part = parse_reference(reference, 5)
        if key not in memories:  # its elements follow after the object
            memories[key] = restore(Memory(kind.dtype, np.empty(count, kind.dtype.numpy)), location)
        if part is None:
            return memories[key]
        name, begin, size = part
        if name not in memories:
            memories[name] = Memory(kind.dtype, memories[key].values[begin : begin + size])
        return memories[name]

    reader.persistent = storage
    result = reader.load()
    for key in reader.load():
        reader.position = _fill(memories[key], data, reader.position)
    return result


def _fill(memory: Memory, data: bytes, position: int) -> int:
    """Copies the elements from the file; returns where they end."""
    size = memory.dtype.itemsize
    count = int.from_bytes(data[position : position + 8], "little", signed=True)
    begin, end = position + 8, position + 8 + len(memory.values) * size
    if count != len(memory.values) or end > len(data):
        raise errors.runtime("the file is damaged: a storage has another size than its tensors say")
    elements = np.frombuffer(data[begin:end], np.uint8).view(memory.dtype.numpy)
    memory.values[...] = elements.byteswap() if sys.byteorder == "big" else elements
    return end
