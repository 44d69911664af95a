"""LLVM IR, one function at a time: typed values, loops, vectors of any width.

    f = Function("double", (("ptr", "x"), ("i64", "n")))
    x, n = f.arguments
    f.loop(0, n, 1, lambda i: f.store(f.mul(f.load("float", x, i), 2.0), x, i))
    text = f.finish()

Arithmetic is not contracted: what is written as a product and a sum is rounded twice, as NumPy rounds it; ``fma`` is
asked for by name. Operands may be Python numbers, which take the type of the other operand.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

FLOATS = ("half", "bfloat", "float", "double")
BITS = {
    "i1": 1, "i8": 8, "i16": 16, "half": 16, "bfloat": 16, "i32": 32, "float": 32, "i64": 64, "double": 64, "ptr": 64,
}  # fmt: skip


class Value:
    """Something computed: its name in the text, and its type."""

    __slots__ = ("name", "type")

    def __init__(self, name: str, type: str) -> None:
        self.name = name
        self.type = type

    def __repr__(self) -> str:
        return f"{self.type} {self.name}"


Operand = Value | bool | int | float


@cache
def element(type: str) -> str:
    """The type of one element of a vector; of anything else, itself."""
    return type[type.index("x") + 2 : -1] if type.startswith("<") else type


@cache
def lanes(type: str) -> int:
    """How many elements a vector has; 1 for anything else."""
    return int(type[1 : type.index("x")]) if type.startswith("<") else 1


def vector(type: str, count: int) -> str:
    """The vector of ``count`` elements; for one, the element itself."""
    return f"<{count} x {element(type)}>" if count > 1 else element(type)


def like(type: str, model: str) -> str:
    """``type`` with as many lanes as ``model`` has."""
    return vector(type, lanes(model))


def is_float(type: str) -> bool:
    return element(type) in FLOATS


def size(type: str) -> int:
    """Bytes of one element."""
    return max(BITS[element(type)] // 8, 1)


def _mangled(type: str) -> str:
    kind = element(type)
    short = {"float": "f32", "double": "f64", "half": "f16", "bfloat": "bf16", "ptr": "p0"}.get(kind, kind)
    return f"v{lanes(type)}{short}" if type.startswith("<") else short


def literal(number: float, type: str) -> str:
    """A number as LLVM writes it, rounded to ``type``."""
    kind = element(type)
    if kind == "i1":
        return "true" if number else "false"
    if kind not in FLOATS:
        bits = BITS[kind]
        whole = int(number) & ((1 << bits) - 1)
        return str(whole - (1 << bits) if whole >> (bits - 1) else whole)
    value = float(number)
    if kind == "double":
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    if kind == "float":
        return f"0x{struct.unpack('<Q', struct.pack('<d', _single(value)))[0]:016X}"
    if kind == "half":
        return f"0xH{struct.unpack('<H', struct.pack('<e', value))[0]:04X}"
    import ml_dtypes
    import numpy as np

    return f"0xR{int(np.asarray(value, ml_dtypes.bfloat16).view(np.uint16)):04X}"


def _single(value: float) -> float:
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


class Function:
    """A function under construction: every method appends instructions and gives the value they compute.

    Args:
        name: its symbol.
        parameters: (type, name) of each.
        result: the type it returns.
    """

    def __init__(self, name: str, parameters: Sequence[tuple[str, str]], result: str = "void") -> None:
        self.name = name
        self.result = result
        self.arguments = [Value(f"%{word}", type) for type, word in parameters]
        self.lines: list[str] = []
        self.block = "entry"
        self.declared: dict[str, str] = {}
        self._count = 0

    # --- the text ------------------------------------------------------------------------------------------

    def do(self, line: str) -> None:
        """An instruction without a result."""
        self.lines.append(f"  {line}")

    def value(self, type: str, instruction: str) -> Value:
        """An instruction's result."""
        self._count += 1
        name = f"%v{self._count}"
        self.lines.append(f"  {name} = {instruction}")
        return Value(name, type)

    def label(self, word: str = "block") -> str:
        """A new name for a block."""
        self._count += 1
        return f"{word}{self._count}"

    def begin(self, label: str) -> None:
        """What follows belongs to this block."""
        self.lines.append(f"{label}:")
        self.block = label

    def finish(self, value: Value | None = None) -> str:
        """The text of the whole, with the declarations it needs."""
        self.do("ret void" if value is None else f"ret {value.type} {value.name}")
        head = ", ".join(f"{one.type} {one.name}" for one in self.arguments)
        body = "\n".join(["entry:", *self.lines])
        declarations = "".join(f"{line}\n" for line in self.declared.values())
        return f"{declarations}define {self.result} @{self.name}({head}) nounwind {{\n{body}\n}}\n"

    # --- constants, conversions ------------------------------------------------------------------------------

    def const(self, number: float, type: str) -> Value:
        """A number; in every lane of a vector."""
        text = literal(number, type)
        return Value(f"splat ({element(type)} {text})" if lanes(type) > 1 else text, type)

    def operand(self, x: Operand, type: str) -> Value:
        """``x`` as a value of ``type``: numbers are constants, scalars go into every lane."""
        if not isinstance(x, Value):
            return self.const(x, type)
        return self.splat(x, lanes(type)) if lanes(type) > 1 and lanes(x.type) == 1 else x

    def splat(self, x: Value, count: int) -> Value:
        """A scalar in every lane."""
        if count == 1:
            return x
        type = vector(x.type, count)
        first = self.value(type, f"insertelement {type} poison, {x.type} {x.name}, i32 0")
        return self.value(type, f"shufflevector {type} {first.name}, {type} poison, <{count} x i32> zeroinitializer")

    def iota(self, type: str) -> Value:
        """0, 1, 2, ... in the lanes."""
        kind = element(type)
        numbers = ", ".join(f"{kind} {literal(i, kind)}" for i in range(lanes(type)))
        return Value(f"<{numbers}>" if lanes(type) > 1 else literal(0, kind), type)

    def bitcast(self, x: Value, type: str) -> Value:
        return x if x.type == type else self.value(type, f"bitcast {x.type} {x.name} to {type}")

    def convert(self, x: Value, to: str, signed: bool = True) -> Value:
        """``x`` as elements of another type, by C's rules; ``signed`` tells how integers are read and made."""
        type = like(to, x.type)
        old, new = element(x.type), element(type)
        if old == new:
            return x
        if is_float(old) and is_float(new):
            if BITS[old] == BITS[new]:  # half and bfloat
                return self.convert(self.convert(x, "float"), to)
            how = "fpext" if BITS[old] < BITS[new] else "fptrunc"
        elif is_float(old):
            how = "fptosi" if signed else "fptoui"
        elif is_float(new):
            how = "sitofp" if signed and old != "i1" else "uitofp"
        elif BITS[old] > BITS[new]:
            how = "trunc"
        else:
            how = "sext" if signed and old != "i1" else "zext"
        return self.value(type, f"{how} {x.type} {x.name} to {type}")

    # --- arithmetic --------------------------------------------------------------------------------------------

    def binary(self, opcode: str, x: Operand, y: Operand) -> Value:
        """An instruction on two operands of one type; at least one is a Value."""
        model = _model(x, y)
        x, y = self.operand(x, model), self.operand(y, model)
        return self.value(x.type, f"{opcode} {x.type} {x.name}, {y.name}")

    def add(self, x: Operand, y: Operand) -> Value:
        return self.binary("fadd" if is_float(_model(x, y)) else "add", x, y)

    def sub(self, x: Operand, y: Operand) -> Value:
        return self.binary("fsub" if is_float(_model(x, y)) else "sub", x, y)

    def mul(self, x: Operand, y: Operand) -> Value:
        return self.binary("fmul" if is_float(_model(x, y)) else "mul", x, y)

    def div(self, x: Operand, y: Operand) -> Value:
        """The quotient; of integers, towards zero."""
        return self.binary("fdiv" if is_float(_model(x, y)) else "sdiv", x, y)

    def rem(self, x: Operand, y: Operand) -> Value:
        """The remainder with the sign of ``x``."""
        return self.binary("frem" if is_float(_model(x, y)) else "srem", x, y)

    def neg(self, x: Value) -> Value:
        return self.value(x.type, f"fneg {x.type} {x.name}") if is_float(x.type) else self.sub(0, x)

    def and_(self, x: Operand, y: Operand) -> Value:
        return self.binary("and", x, y)

    def or_(self, x: Operand, y: Operand) -> Value:
        return self.binary("or", x, y)

    def xor(self, x: Operand, y: Operand) -> Value:
        return self.binary("xor", x, y)

    def not_(self, x: Value) -> Value:
        return self.xor(x, -1 if element(x.type) != "i1" else 1)

    def shl(self, x: Operand, y: Operand) -> Value:
        return self.binary("shl", x, y)

    def lshr(self, x: Operand, y: Operand) -> Value:
        return self.binary("lshr", x, y)

    def ashr(self, x: Operand, y: Operand) -> Value:
        return self.binary("ashr", x, y)

    def intrinsic(self, name: str, *operands: Operand, type: str | None = None) -> Value:
        """``llvm.<name>`` for the operands' type, e.g. ``intrinsic("sqrt", x)``; ``type``: of the result."""
        model = _model(*operands)
        values = [self.operand(x, model) for x in operands]
        return self.call(f"llvm.{name}.{_mangled(model)}", type or model, *values)

    def fma(self, x: Operand, y: Operand, z: Operand) -> Value:
        """x * y + z, rounded once."""
        return self.intrinsic("fma", x, y, z)

    def muladd(self, x: Operand, y: Operand, z: Operand) -> Value:
        """x * y + z, rounded once where the machine does that at once, elsewhere twice: for polynomials."""
        return self.intrinsic("fmuladd", x, y, z)

    def sqrt(self, x: Value) -> Value:
        return self.intrinsic("sqrt", x)

    def abs(self, x: Value) -> Value:
        if is_float(x.type):
            return self.intrinsic("fabs", x)
        return self.select(self.compare("slt", x, 0), self.neg(x), x)

    def copysign(self, x: Operand, sign: Operand) -> Value:
        return self.intrinsic("copysign", x, sign)

    # --- comparison and choice -----------------------------------------------------------------------------------

    def compare(self, how: str, x: Operand, y: Operand) -> Value:
        """An i1 a lane. ``how`` is LLVM's word: oeq, une, olt, uno, ... of floats, eq, slt, ult, ... of integers."""
        model = _model(x, y)
        x, y = self.operand(x, model), self.operand(y, model)
        name = "fcmp" if is_float(model) else "icmp"
        return self.value(like("i1", model), f"{name} {how} {model} {x.name}, {y.name}")

    def select(self, condition: Value, x: Operand, y: Operand) -> Value:
        """x where the condition holds, elsewhere y."""
        model = _model(x, y)
        if lanes(model) == 1 < lanes(condition.type):
            model = like(model, condition.type)
        x, y = self.operand(x, model), self.operand(y, model)
        condition = self.operand(condition, like("i1", model))
        return self.value(model, f"select {condition.type} {condition.name}, {model} {x.name}, {model} {y.name}")

    # --- memory --------------------------------------------------------------------------------------------------

    def pointer(self, base: Value, index: Operand, type: str = "i8") -> Value:
        """The address ``index`` elements of ``type`` (bytes, unless given) behind ``base``."""
        if not isinstance(index, Value) and index == 0:
            return base
        at = self.operand(index, "i64")
        return self.value("ptr", f"getelementptr {element(type)}, ptr {base.name}, i64 {at.name}")

    def load(self, type: str, base: Value, index: Operand = 0, mask: Value | None = None, fill: float = 0) -> Value:
        """The element, or the vector of elements, that begins ``index`` elements behind ``base``.

        Where the mask of a vector is false nothing is read, and the lane is ``fill``.
        """
        at = self.pointer(base, index, type)
        align = size(type)
        if mask is None:
            return self.value(type, f"load {type}, ptr {at.name}, align {align}")
        return self.call(
            f"llvm.masked.load.{_mangled(type)}.p0", type, at, Value(str(align), "i32"), mask, self.const(fill, type)
        )

    def store(self, x: Value, base: Value, index: Operand = 0, mask: Value | None = None) -> None:
        """Write an element or a vector; where a vector's mask is false nothing is written."""
        at = self.pointer(base, index, x.type)
        align = size(x.type)
        if mask is None:
            self.do(f"store {x.type} {x.name}, ptr {at.name}, align {align}")
        else:
            self.call(f"llvm.masked.store.{_mangled(x.type)}.p0", "void", x, at, Value(str(align), "i32"), mask)

    def first(self, count: Value, width: int) -> Value:
        """The mask of the first ``count`` (i64) of ``width`` lanes."""
        short = self.value("i32", f"trunc i64 {count.name} to i32")
        return self.compare("slt", self.iota(vector("i32", width)), self.splat(short, width))

    def extract(self, x: Value, lane: int) -> Value:
        return self.value(element(x.type), f"extractelement {x.type} {x.name}, i32 {lane}")

    def insert(self, x: Value, scalar: Value, lane: int) -> Value:
        return self.value(x.type, f"insertelement {x.type} {x.name}, {scalar.type} {scalar.name}, i32 {lane}")

    def shuffle(self, x: Value, y: Value, places: Sequence[int]) -> Value:
        """Lanes of x and, numbered on, of y."""
        mask = ", ".join(f"i32 {i}" for i in places)
        type = vector(x.type, len(places))
        return self.value(type, f"shufflevector {x.type} {x.name}, {y.type} {y.name}, <{len(places)} x i32> <{mask}>")

    def fold(self, combine: Callable[[Value, Value], Value], x: Value) -> Value:
        """All lanes combined in a fixed order: halves with each other until one is left."""
        count = lanes(x.type)
        while count > 1:
            count //= 2
            low = self.shuffle(x, x, range(count)) if count > 1 else self.extract(x, 0)
            high = self.shuffle(x, x, range(count, 2 * count)) if count > 1 else self.extract(x, 1)
            x = combine(low, high)
        return x

    # --- control ---------------------------------------------------------------------------------------------------

    def call(self, name: str, result: str, *arguments: Value) -> Value:
        """Call a function of that symbol, which is declared by the way."""
        types = ", ".join(one.type for one in arguments)
        self.declared[name] = f"declare {result} @{name}({types})"
        text = f"call {result} @{name}({', '.join(f'{one.type} {one.name}' for one in arguments)})"
        if result == "void":
            self.do(text)
            return Value("void", "void")
        return self.value(result, text)

    def loop(
        self,
        start: Operand,
        stop: Operand,
        step: Operand,
        body: Callable[..., Any],
        carried: Sequence[Value] = (),
    ) -> list[Value]:
        """``for i in range(start, stop, step): carried = body(i, *carried)``; gives the carried values at the end."""
        before, head, inside, after = self.block, self.label("head"), self.label("body"), self.label("after")
        start, stop, step = (self.operand(one, "i64") for one in (start, stop, step))
        self.do(f"br label %{head}")
        self.begin(head)
        i = Value(f"%i{head}", "i64")
        phis = [Value(f"%c{n}{head}", one.type) for n, one in enumerate(carried)]
        place = len(self.lines)
        more = self.compare("slt", i, stop)
        self.do(f"br i1 {more.name}, label %{inside}, label %{after}")
        self.begin(inside)
        changed = body(i, *phis)
        changed = [changed] if isinstance(changed, Value) else list(changed or ())
        following = self.value("i64", f"add nsw i64 {i.name}, {step.name}")
        lines = [f"  {i.name} = phi i64 [ {start.name}, %{before} ], [ {following.name}, %{self.block} ]"]
        for phi, first, last in zip(phis, carried, changed, strict=True):
            lines.append(f"  {phi.name} = phi {phi.type} [ {first.name}, %{before} ], [ {last.name}, %{self.block} ]")
        self.lines[place:place] = lines
        self.do(f"br label %{head}")
        self.begin(after)
        return phis

    def again(self, body: Callable[..., Sequence[Value]], carried: Sequence[Value]) -> list[Value]:
        """``more, *carried = body(*carried)``, once and then as long as ``more`` holds; gives the carried values."""
        before, inside, after = self.block, self.label("again"), self.label("after")
        self.do(f"br label %{inside}")
        self.begin(inside)
        phis = [Value(f"%c{n}{inside}", one.type) for n, one in enumerate(carried)]
        place = len(self.lines)
        more, *changed = body(*phis)
        self.lines[place:place] = [
            f"  {phi.name} = phi {phi.type} [ {first.name}, %{before} ], [ {last.name}, %{self.block} ]"
            for phi, first, last in zip(phis, carried, changed, strict=True)
        ]
        self.do(f"br i1 {more.name}, label %{inside}, label %{after}")
        self.begin(after)
        return changed

    def some(self, condition: Value) -> Value:
        """Whether a condition holds in any lane."""
        count = lanes(condition.type)
        return condition if count == 1 else self.call(f"llvm.vector.reduce.or.v{count}i1", "i1", condition)

    def trailing_zeros(self, x: Value) -> Value:
        """How many of an integer's lowest bits are 0; its width for 0."""
        return self.call(f"llvm.cttz.{_mangled(x.type)}", x.type, x, Value("false", "i1"))

    def if_(
        self,
        condition: Value,
        then: Callable[[], Any],
        otherwise: Callable[[], Any] | None = None,
    ) -> list[Value]:
        """Run one of two pieces; each gives as many values (none if there is no ``otherwise``), merged afterwards."""
        yes, no, after = self.label("yes"), self.label("no"), self.label("after")
        self.do(f"br i1 {condition.name}, label %{yes}, label %{no if otherwise else after}")
        ends = []
        for label, piece in ((yes, then), (no, otherwise)):
            if piece is None:
                continue
            self.begin(label)
            results = piece()
            results = [results] if isinstance(results, Value) else list(results or ())
            ends.append((self.block, results))
            self.do(f"br label %{after}")
        self.begin(after)
        if otherwise is None:
            return []
        (first, xs), (second, ys) = ends
        return [
            self.value(x.type, f"phi {x.type} [ {x.name}, %{first} ], [ {y.name}, %{second} ]")
            for x, y in zip(xs, ys, strict=True)
        ]


def _model(*operands: Operand) -> str:
    """The type that all operands take: that of a vector, if there is one."""
    types = [one.type for one in operands if isinstance(one, Value)]
    return next((type for type in types if lanes(type) > 1), types[0])


__all__ = [
    "BITS", "FLOATS", "Function", "Operand", "Value", "element", "is_float", "lanes", "like", "literal", "size",
    "vector",
]  # fmt: skip
