"""Ranges, grids and index patterns: tensors computed from a few numbers.

At the door they are computed at once and enter a recording as data, so that a changing start or end changes no
structure. Inside a remembered function they are nodes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from zerograd import dtypes, errors
from zerograd.dtypes import dtype
from zerograd.ir.graph import Op, TensorType
from zerograd.ir.record import recorder
from zerograd.ops import source
from zerograd.tensor.base import TensorBase
from zerograd.tensor.functions.arguments import as_dtype_argument, check_options, integer
from zerograd.tensor.functions.creation import finished


def _made(op: Op, kind: TensorType, **attributes: Any) -> Any:
    if recorder.own.depth:
        return TensorBase.of_node(op(**attributes))
    return TensorBase.of_array(op.reference(**attributes), kind)


def _number(x: Any, name: str) -> Any:
    if isinstance(x, int | float | complex):
        return x
    if isinstance(x, TensorBase) or hasattr(x, "item"):
        return x.item()
    raise errors.type_(f"argument '{name}' must be Number, not {type(x).__name__}")


def arange(
    *bounds: Any,
    start: Any = None,
    end: Any = None,
    step: Any = None,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:
    """``start, start + step, ...`` up to, not including, ``end``: (end), (start, end) or (start, end, step).

    Integers give int64, floats the default dtype.

    Raises:
        RuntimeError: ``step`` is zero or leads away from ``end``.
    Source: torch.arange.
    """
    check_options(device, layout)
    if len(bounds) == 1 and end is None:
        bounds = (start or 0, bounds[0])
    if not bounds and end is None:
        raise errors.type_("arange() needs an end: arange(end) or arange(start, end, step)")
    first, last, by = (
        (*bounds, *(x for x in (end, step) if x is not None), 1)[:3] if bounds else (start or 0, end, step)
    )
    if len(bounds) > 3:
        raise errors.type_(f"arange takes start, end and step, and {len(bounds)} numbers were given")
    first, last = _number(first, "start"), _number(last, "end")
    by = 1 if by is None else _number(by, "step")
    kind = as_dtype_argument(dtype, "arange") or (out.dtype if out is not None else None)
    kind = kind or (
        dtypes.get_default_dtype() if any(isinstance(x, float) for x in (first, last, by)) else dtypes.int64
    )
    size = _steps("arange", first, last, by, kind, inclusive=False)
    ramp = _made(source.ramp, TensorType((size,), kind), start=first, step=by, size=size, dtype=kind)
    return finished(ramp, requires_grad, out, "arange")


def _steps(name: str, start: Any, end: Any, step: Any, kind: dtype, *, inclusive: bool) -> int:
    if step == 0:
        raise errors.runtime(f"{name}: step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise errors.runtime(f"{name}: unsupported range: {start} -> {end}")
    if (step > 0 and end < start) or (step < 0 and end > start):
        raise errors.runtime(f"{name}: the steps lead away from the end", start=start, end=end, step=step)
    if inclusive:
        return int((end - start) / step) + 1
    if kind is dtypes.int64:  # counted in integers; the other integer types are counted in floats, as in PyTorch
        start, end, step = int(start), int(end), int(step)
        if not step:
            raise errors.value(f"{name}: the step rounds to 0 as an integer")
    exact = all(isinstance(x, int) for x in (start, end, step))
    return max(-((start - end) // step), 0) if exact else math.ceil((end - start) / step)


def range_(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Any:
    """``start, start + step, ...`` up to and including ``end``; deprecated in favour of arange. Source: torch.range."""
    import warnings

    warnings.warn("torch.range is deprecated; use torch.arange, which leaves out the end", UserWarning, stacklevel=2)
    check_options(device, layout)
    if end is None:
        start, end = 0, start
    kind = as_dtype_argument(dtype, "range") or dtypes.get_default_dtype()
    size = _steps("range", start, end, step, kind, inclusive=True)
    ramp = _made(source.ramp, TensorType((size,), kind), start=start, step=step, size=size, dtype=kind)
    return finished(ramp, requires_grad, out, "range")


range_.__name__ = "range"


def _spaced(name: str, start: Any, end: Any, steps: Any, kind: dtype | None, base: float | None) -> Any:
    for bound in (start, end):
        if isinstance(bound, TensorBase) and bound._shape:
            raise errors.runtime(f"{name} goes from one number to another", got=bound._type)
    start, end, steps = _number(start, "start"), _number(end, "end"), integer(steps, "steps")
    if steps < 0:
        raise errors.runtime(f"{name} cannot make {steps} numbers")
    is_complex = isinstance(start, complex) or isinstance(end, complex)
    if kind is None:
        kind = dtypes.get_default_dtype()
        kind = kind.to_complex() if is_complex else kind
    elif is_complex and not kind.is_complex:
        raise errors.runtime(f"{name}: complex bounds need a complex dtype, got {kind}")
    return _made(source.spaced, TensorType((steps,), kind), start=start, end=end, size=steps, dtype=kind, base=base)


def linspace(
    start: Any,
    end: Any,
    steps: Any,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:
    """``steps`` equally spaced numbers from ``start`` to ``end``, both included. Source: torch.linspace."""
    check_options(device, layout)
    kind = as_dtype_argument(dtype, "linspace") or (out.dtype if out is not None else None)
    return finished(_spaced("linspace", start, end, steps, kind, None), requires_grad, out, "linspace")


def logspace(
    start: Any,
    end: Any,
    steps: Any,
    base: float = 10.0,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:
    """``base`` to the power of ``steps`` equally spaced exponents. Source: torch.logspace."""
    check_options(device, layout)
    kind = as_dtype_argument(dtype, "logspace") or (out.dtype if out is not None else None)
    return finished(_spaced("logspace", start, end, steps, kind, float(base)), requires_grad, out, "logspace")


def eye(
    n: Any,
    m: Any = None,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:
    """Ones on the diagonal of an ``n`` x ``m`` matrix, zeros elsewhere. Source: torch.eye."""
    check_options(device, layout)
    kind = as_dtype_argument(dtype, "eye") or (out.dtype if out is not None else dtypes.get_default_dtype())
    n = integer(n, "n")
    m = n if m is None else integer(m, "m")
    if n < 0 or m < 0:
        raise errors.runtime(f"eye: numbers of rows and columns must not be negative, got {n} and {m}")
    return finished(
        _made(source.diagonal_ones, TensorType((n, m), kind), shape=(n, m), dtype=kind), requires_grad, out, "eye"
    )


def _triangle_indices(name: str, row: int, col: int, offset: int, dtype: Any, device: Any, *, upper: bool) -> Any:
    check_options(device)
    if row < 0 or col < 0:
        raise errors.runtime(f"{name}: a matrix cannot have {row} rows and {col} columns")
    kind = as_dtype_argument(dtype, name) or dtypes.int64
    find = np.triu_indices if upper else np.tril_indices
    array = np.stack(find(row, offset, col)).astype(kind.numpy)
    return TensorBase.of_array(array, TensorType(array.shape, kind))


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, layout: Any = None
) -> Any:
    """Rows and columns of the elements on and below a diagonal, (2, n). Source: torch.tril_indices."""
    return _triangle_indices("tril_indices", row, col, offset, dtype, device, upper=False)


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, layout: Any = None
) -> Any:
    """Rows and columns of the elements on and above a diagonal, (2, n). Source: torch.triu_indices."""
    return _triangle_indices("triu_indices", row, col, offset, dtype, device, upper=True)


METHODS: dict[str, Any] = {}
IN_PLACE = ()
