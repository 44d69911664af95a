"""The parts of a number's representation: mantissa and exponent."""

from __future__ import annotations

from zerograd import dtypes
from zerograd.dtypes import dtype
from zerograd.engines.native import conversion
from zerograd.engines.native.emit import Function, Value
from zerograd.engines.native.kernel import Access, Instruction, Kernel, KernelFunction
from zerograd.engines.native.lower import Lowering, special
from zerograd.engines.native.mathematics.evaluation import as_bits, as_floats, format_of
from zerograd.engines.native.target import host
from zerograd.engines.native.vectors import Vectors
from zerograd.ir.graph import Node
from zerograd.shapes import count

BLOCK = 1024  # elements of a unit
COST = 0.8  # nanoseconds for an element


def parts(f: Function, x: Value) -> tuple[Value, Value]:
    """(m, e) with x = m 2ᵉ and 1/2 <= |m| < 1, e an integer of x's width; of 0, infinities and NaN (x, 0)."""
    form = format_of(x)
    above = form.bits - 1 - form.mantissa  # bits of the exponent
    tiny = f.compare("olt", f.abs(x), 2.0 ** (2 - form.bias))
    bits = as_bits(f, f.select(tiny, f.mul(x, 2.0**form.mantissa), x))
    exponent = f.sub(f.and_(f.lshr(bits, form.mantissa), (1 << above) - 1), form.bias - 1)
    exponent = f.sub(exponent, f.select(tiny, f.const(form.mantissa, bits.type), 0))
    kept = f.and_(bits, ~(((1 << above) - 1) << form.mantissa))
    mantissa = as_floats(f, f.or_(kept, (form.bias - 1) << form.mantissa), x)
    usual = f.and_(f.compare("one", x, 0.0), f.compare("olt", f.abs(x), float("inf")))
    return f.select(usual, mantissa, x), f.select(usual, exponent, 0)


def _text(kind: dtype) -> str:
    """Units: blocks of elements. A number after the operands: how many elements there are."""
    f = KernelFunction()
    source, mantissas, exponents = (f.place(i) for i in range(3))
    number = f.number(6)

    def unit(u: Value) -> None:
        start = f.mul(u, BLOCK)

        def some(i: Value, mask: Value | None, width: int) -> None:
            x = conversion.load(f, kind, width, source, i, mask)
            mantissa, exponent = parts(f, x)
            conversion.store(f, kind, mantissa, mantissas, i, mask)
            f.store(f.convert(exponent, "i32"), exponents, i, mask)

        Vectors(host().lanes, singly=True).along(f, start, f.least(f.add(start, BLOCK), number), some)

    f.loop(f.low, f.high, 1, unit)
    return f.finish()


@special("frexp")
def _frexp(lowering: Lowering, node: Node) -> bool:
    (x,) = node.inputs
    kind, number = x.dtype, count(x.shape)
    if not conversion.computable(kind) or not kind.is_floating_point:
        return False
    source, units = lowering.whole(x), -(-number // BLOCK)
    targets = [lowering.new_window(x.type), lowering.new_window(x.type.with_dtype(dtypes.int32))]
    slabs = units if number % BLOCK == 0 else 1
    lowering.steps.append(
        Instruction(
            Kernel.described("frexp", kind.name, lambda: _text(kind)),
            [lowering.access(source, slabs)],
            [Access(one.buffer, slabs) for one in targets],
            [number],
            units,
            min(number, BLOCK) * COST,
        )
    )
    lowering.place_results(node, targets)
    return True
