"""What is left of a program once it is made: names of kernels, and numbers.

Passes, fusion, planning and the division into tasks are Python, and take a tenth of a second for a thousand nodes. What
comes out is a list of calls. So it is kept on the disk next to the kernels, under a name that stands for the graph, the
machine, the number of threads and the files of this version; a program that ran before starts without all that.

A recipe is read as JSON and bytes, so a file of it holds no code. Those with calls of NumPy are not kept.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.native import codestore, jit, pages
from zerograd.engines.native.buffers import CONSTANT, Buffer
from zerograd.engines.native.target import host
from zerograd.engines.native.windows import Window
from zerograd.ir.graph import Node, TensorType
from zerograd.ir.traverse import topological
from zerograd.settings import settings

LEAST = 128  # nodes of a graph below which making a program takes no longer than reading it
_MADE_OF = ("engines", "ir", "ops", "passes")  # the packages whose files decide what becomes of a graph

Final = tuple[str, Any, int, int, tuple[int, ...]]
"""How an output is had after a run: how, where, offset, count, shape."""


class Entry(NamedTuple):
    """What a call needs that is the same for all its units.

    Attributes:
        symbol: of the kernel.
        numbers: what the kernel is given.
        instruction: the number of the instruction in its segment; -1: of none.
    """

    symbol: str
    numbers: list[int]
    instruction: int


class Calls(NamedTuple):
    """The calls between two calls of NumPy.

    Attributes:
        cost: nanoseconds on one thread, roughly.
        scratch: bytes that each thread needs.
        entries: what is called.
        phases: the tasks of each phase, each a list of (entry, low, high, private).
        certain: how many of the calls, in their order, may report a wrong index or come before one that may: dead
            leaves are written over after those.
    """

    cost: float
    scratch: int
    entries: list[Entry]
    phases: list[list[list[tuple[int, int, int, int]]]]
    certain: int


class Result:
    """An array that a run makes: the buffer behind one or more outputs.

    Attributes:
        index: its place in the table of pointers.
        shape, dtype: what to allocate.
        slot: the leaf that it may be written over, or -1.
        is_large: whether it should lie in large pages.
    """

    __slots__ = ("dtype", "index", "is_large", "shape", "slot")

    def __init__(self, index: int, shape: tuple[int, ...], dtype: np.dtype[Any], slot: int) -> None:
        self.index, self.shape, self.dtype, self.slot = index, shape, dtype, slot
        self.is_large = pages.is_for(shape, dtype)


class Recipe:
    """All that a program needs to run.

    Attributes:
        buffers: in the order of the table of pointers.
        arena: bytes that temporaries need.
        parts: in their order: ``Calls``, or what NumPy computes (``lower.Reference``).
        kernels: by symbol, the text for ``jit.load``, which those from the disk do not need any more.
        results: the arrays that a run makes.
        finals: for each output how it is had.
        arrays, floats, others: the leaves, as ``Binding`` wants them.
        direct: the outputs are the results, one for one.
        checks: some kernel may report a wrong index.
    """

    __slots__ = (
        "arena", "arrays", "buffers", "checks", "direct", "finals", "floats", "kernels", "others", "parts", "results",
    )  # fmt: skip

    buffers: list[Buffer]
    arena: int
    parts: list[Any]
    kernels: dict[str, jit.Text]
    results: list[Result]
    finals: list[Final]
    arrays: list[tuple[int, int, int]]
    floats: list[tuple[int, int]]
    others: list[tuple[int, int]]
    direct: bool
    checks: bool


# --- names ------------------------------------------------------------------------------------------------------------


class NamelessError(Exception):
    """A graph holds something that only its own process knows."""


def name_of(outputs: Sequence[Node]) -> str | None:
    """A name that stands for a graph and for all else that its recipe depends on; ``None``: too small, or nameless."""
    order = topological(outputs)
    if len(order) < LEAST or not codestore.store.folder:
        return None
    number = {node: i for i, node in enumerate(order)}
    types: dict[Any, str] = {}
    lines: list[str] = []
    try:
        for node in order:
            kind = types.get(node.type) or types.setdefault(node.type, _text(node.type))
            inputs = ",".join([str(number[one]) for one in node.inputs])
            own = _text(tuple(node.attributes.items())) if node.attributes else ""
            lines.append(f"{node.op.name}({inputs}){own}{kind}")
    except NamelessError:
        return None
    lines.append(",".join([str(number[one]) for one in outputs]))
    lines.append(f"{settings.threads} {host().mark} {_version()}")
    return f"program_{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:32]}"


def _text(thing: Any) -> str:
    """A text that only equal things have."""
    kind = thing.__class__
    if kind in _TEXTS:
        return _TEXTS[kind](thing)
    raise NamelessError


_TEXTS: dict[type, Any] = {
    **dict.fromkeys((int, float, complex, bool, str, type(None)), repr),
    **dict.fromkeys((tuple, list), lambda several: f"({' '.join([_text(one) for one in several])})"),
    dtype: lambda one: one.name,
    TensorType: lambda one: f"{one.dtype.name}{one.shape}{'weak' if one.weak else ''}",
}


@functools.cache
def _version() -> str:
    """Changes when a file does that has a part in making programs."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return jit.files(os.path.join(root, name) for name in _MADE_OF)


# --- the disk ---------------------------------------------------------------------------------------------------------


def keep(name: str, recipe: Recipe) -> None:
    """Put a recipe on the disk, if it is one that can be kept."""
    if all(isinstance(part, Calls) for part in recipe.parts):
        codestore.store.put(name, _packed(recipe))


def recall(name: str) -> Recipe | None:
    """The recipe of this name, if it is there with all its kernels, which are loaded."""
    piece = codestore.store.get(name)
    return None if piece is None else _unpacked(piece)


def _packed(recipe: Recipe) -> bytes:
    body = b""
    buffers = []
    for one in recipe.buffers:
        detail: Any = one.detail
        if one.kind == CONSTANT:
            detail = [one.detail.dtype.name, list(one.detail.shape), len(body)]
            body += one.detail.tobytes()
        buffers.append([one.nbytes, one.kind, detail, one.dtype and one.dtype.name, one.offset])
    head = {
        "buffers": buffers,
        "arena": recipe.arena,
        "parts": recipe.parts,
        "kernels": {symbol: jit.key(symbol, text) for symbol, text in recipe.kernels.items()},
        "results": [(one.index, one.shape, one.dtype.name, one.slot) for one in recipe.results],
        "finals": [_plain(one) for one in recipe.finals],
        "leaves": [recipe.arrays, recipe.floats, recipe.others],
        "flags": [recipe.direct, recipe.checks],
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    return struct.pack("<I", len(text)) + text + body


def _plain(final: Final) -> Sequence[Any]:
    how, where, *rest = final
    if isinstance(where, Window):
        where = [where.buffer, where.dtype.name, where.shape, where.strides, where.offset]
    return how, where, *rest


def _unpacked(piece: bytes) -> Recipe | None:
    (length,) = struct.unpack_from("<I", piece)
    head, body = json.loads(piece[4 : 4 + length]), piece[4 + length :]
    if not jit.recall(head["kernels"]):
        return None
    made = Recipe()
    made.buffers = [_buffer(i, body, *one) for i, one in enumerate(head["buffers"])]
    made.arena = head["arena"]
    made.parts = [
        Calls(cost, scratch, [Entry(*one) for one in entries], phases, certain)
        for cost, scratch, entries, phases, certain in head["parts"]
    ]
    made.kernels = dict.fromkeys(head["kernels"], "")  # loaded
    made.results = [Result(index, tuple(shape), _element(kind), slot) for index, shape, kind, slot in head["results"]]
    made.finals = [_final(*one) for one in head["finals"]]
    made.arrays, made.floats, made.others = ([tuple(one) for one in several] for several in head["leaves"])
    made.direct, made.checks = head["flags"]
    return made


def _buffer(index: int, body: bytes, nbytes: int, kind: str, detail: Any, name: str | None, offset: int) -> Buffer:
    if kind == CONSTANT:
        element, shape, start = _element(detail[0]), detail[1], detail[2]
        detail = np.frombuffer(body, element, math.prod(shape), start).reshape(shape).copy()
    made = Buffer(index, nbytes, kind, detail, name and dtypes.named(name))
    made.offset = offset
    return made


def _element(name: str) -> np.dtype[Any]:
    return dtypes.bfloat16.numpy if name == "bfloat16" else np.dtype(name)


def _final(how: str, where: Any, offset: int, count: int, shape: Iterable[int]) -> Final:
    if isinstance(where, list):
        buffer, kind, sizes, strides, start = where
        where = Window(buffer, dtypes.named(kind), tuple(sizes), tuple(strides), start)
    return how, where, offset, count, tuple(shape)
