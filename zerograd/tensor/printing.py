"""Tensors as text, character for character as PyTorch prints them.

Works on a NumPy array and the facts that the suffix tells; knows nothing of the tensor class.

    tensor([[1.0000, 2.5000],
            [0.0000,    nan]], dtype=torch.float64, grad_fn=<AddBackward0>)
           └ the body: cells of one width ┘          └ the suffixes ┘

All numbers of a tensor are written the same way (whole, fixed or scientific), chosen from the nonzero finite
values that are shown; zeros and non-finite values do not widen the cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from zerograd import dtypes

Nested = Any  # a Python number or a list of Nested, as ndarray.tolist() gives


class PrintOptions(NamedTuple):
    """How numbers and lines are laid out.

    Attributes:
        precision: digits after the decimal point.
        threshold: more elements than this are summarised with dots.
        edgeitems: elements shown at both ends of a summarised dimension.
        linewidth: characters per line at which vectors and suffixes wrap.
        sci_mode: scientific notation always (True), never (False), or by the values (None).
    """

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: float = 80
    sci_mode: bool | None = None


PROFILES = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}

_options = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: float | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change how tensors print from now on.

    What is left None stays, except ``sci_mode``, which every call sets (None: chosen by the values).

    Args:
        precision: digits after the decimal point.
        threshold: more elements than this are summarised.
        edgeitems: elements shown at both ends of a summarised dimension.
        linewidth: characters per line.
        profile: "default", "short" or "full"; sets all of the above first.
        sci_mode: scientific notation always, never, or by the values.
    Source: torch.set_printoptions.
    """
    global _options
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    start = PROFILES.get(profile, _options) if profile is not None else _options
    changes = {name: option for name, option in given.items() if option is not None}
    _options = start._replace(sci_mode=sci_mode, **changes)


def get_printoptions() -> dict[str, Any]:
    """The options in force, as arguments for :func:`set_printoptions`."""
    return _options._asdict()


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Within the block, tensors print with these options; arguments as :func:`set_printoptions`."""
    global _options
    before = _options
    set_printoptions(**options)
    try:
        yield
    finally:
        _options = before


# ------------------------------------------------------------------------------------------- one cell


class Cell(NamedTuple):
    """How every element of one tensor is written, and the width that lines are planned with."""

    width: int
    write: Callable[[Any], str]


def _cell(values: np.ndarray, options: PrintOptions) -> Cell:
    if values.dtype.kind == "c":
        return _complex_cell(values, options)
    if values.dtype.kind in "biu":
        return _padded(str, values.ravel().tolist())
    return _float_cell(values, options)


def _padded(text: Callable[[Any], str], measured: Sequence[Any]) -> Cell:
    """Right-aligned to the longest of the measured values; what is longer than those sticks out."""
    width = max((len(text(value)) for value in measured), default=1)
    return Cell(width, lambda value: text(value).rjust(width))


def _float_cell(values: np.ndarray, options: PrintOptions) -> Cell:
    wide = values.astype(np.float64).ravel()
    measured = wide[np.isfinite(wide) & (wide != 0)]
    if not measured.size:
        return _padded(_whole, ())
    return _padded(_notation(measured, options), measured.tolist())


def _notation(measured: np.ndarray, options: PrintOptions) -> Callable[[float], str]:
    """Whole ("3."), fixed ("3.1416") or scientific ("3.1416e+00"), for these nonzero finite values."""
    sizes = np.abs(measured)
    smallest, largest = float(sizes.min()), float(sizes.max())
    scientific = options.sci_mode
    if scientific is None:
        scientific = largest / smallest > 1000.0 or largest > 1.0e8 or smallest < 1.0e-4
    if scientific:
        return f"{{:.{options.precision}e}}".format
    if np.all(measured == np.ceil(measured)):
        return _whole
    return f"{{:.{options.precision}f}}".format


def _whole(value: float) -> str:
    return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"


def _complex_cell(values: np.ndarray, options: PrintOptions) -> Cell:
    real, imag = _float_cell(np.real(values), options), _float_cell(np.imag(values), options)

    def write(value: complex) -> str:
        second = imag.write(value.imag).lstrip()
        sign = "" if second.startswith("-") else "+"
        return f"{real.write(value.real)}{sign}{second}j"

    return Cell(real.width + imag.width + 1, write)


# ------------------------------------------------------------------------------------------- the body


class _Body(NamedTuple):
    """Brackets around rows of cells; ``cuts[d]``: dots after the first ``edge`` items of dimension d."""

    cell: Cell
    cuts: tuple[bool, ...]
    edge: int
    linewidth: float

    def text(self, values: Nested, indent: int, depth: int = 0) -> str:
        rank = len(self.cuts) - depth
        if rank == 0:
            return self.cell.write(values)
        if rank == 1:
            return self._row(values, indent)
        parts = [self.text(value, indent + 1, depth + 1) for value in values]
        if self.cuts[depth]:
            parts.insert(self.edge, "...")
        return "[" + ("," + "\n" * (rank - 1) + " " * (indent + 1)).join(parts) + "]"

    def _row(self, values: Sequence[Any], indent: int) -> str:
        cells = [self.cell.write(value) for value in values]
        if self.cuts[-1]:
            # PyTorch sets the dots off with one more space, unless they are alone.
            cells.insert(self.edge, " ..." if cells else "...")
        # Each cell is followed by a comma and a space.
        room = max(1, (self.linewidth - indent) / (self.cell.width + 2))
        per_line = int(min(room, len(cells)))
        lines = [", ".join(cells[start : start + per_line]) for start in range(0, len(cells), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _format_values(array: np.ndarray, indent: int, options: PrintOptions) -> str:
    if array.size == 0:
        return "[]"
    edge = options.edgeitems
    summarise = array.size > options.threshold
    cuts = tuple(summarise and length > 2 * edge for length in array.shape)
    if any(cuts):
        shown = [
            [*range(edge), *range(length - edge, length)] if cut else list(range(length))
            for length, cut in zip(array.shape, cuts, strict=True)
        ]
        array = array[np.ix_(*shown)]
    body = _Body(_cell(array, options), cuts, edge, options.linewidth)
    return body.text(array.tolist(), indent)


# ------------------------------------------------------------------------------------------- the whole


def format_tensor(
    array: np.ndarray | None,
    *,
    dtype: dtypes.dtype,
    shape: tuple[int, ...] | None = None,
    requires_grad: bool = False,
    grad_fn_name: str | None = None,
    device: str | None = None,
    class_name: str = "tensor",
    contents: str | None = None,
    default_dtype: dtypes.dtype | None = None,
    options: PrintOptions | None = None,
) -> str:
    """What ``repr`` of a tensor says.

    Args:
        array: the values; None when there are none to show (meta tensors), then ``shape`` is needed.
        dtype: the tensor's element type, told when it is not what its values suggest.
        requires_grad: told when there is no ``grad_fn``.
        grad_fn_name: such as "AddBackward0".
        device: told when given, such as "meta"; None for the default device.
        class_name: "tensor", or the name of a subclass.
        contents: text to show instead of the values.
        default_dtype: the float type that is not told; None: the one in force.
        options: None: those of :func:`set_printoptions`.
    Source: torch.Tensor.__repr__.
    """
    options = options or _options
    default_dtype = default_dtype or dtypes.get_default_dtype()
    shape = shape if array is None else array.shape
    assert shape is not None, "a tensor without values needs a shape"

    prefix = f"{class_name}("
    if contents is None:
        contents = "..." if array is None else _format_values(array, len(prefix), options)

    suffixes = [] if device is None else [f"device='{device}'"]
    if array is None:
        tells_size, suggested = True, {default_dtype}
    elif 0 in shape:
        tells_size, suggested = len(shape) != 1, {default_dtype}
    else:
        # Digits without a point suggest int64, True bool, and a j the default's complex partner.
        tells_size = options.edgeitems == 0
        suggested = {default_dtype, _complex_partner(default_dtype), dtypes.int64, dtypes.bool_}
    if tells_size:
        suffixes.append(f"size={tuple(shape)}")
    if dtype not in suggested:
        suffixes.append(f"dtype={dtype!r}")
    if grad_fn_name is not None:
        suffixes.append(f"grad_fn=<{grad_fn_name}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")

    return _with_suffixes(prefix + contents, suffixes, len(prefix), options.linewidth)


def _complex_partner(default_dtype: dtypes.dtype) -> dtypes.dtype:
    return dtypes.complex128 if default_dtype is dtypes.float64 else dtypes.complex64


def _with_suffixes(text: str, suffixes: Sequence[str], indent: int, linewidth: float) -> str:
    # PyTorch counts the line break, or the missing one, as two characters here.
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def format_scalar(value: Any, dtype: dtypes.dtype, format_spec: str) -> str:
    """What ``format`` of a tensor without dimensions says: that of the Python number it holds.

    Args:
        value: a 0-d array, NumPy scalar or Python number.
        dtype: the tensor's element type, which decides the kind of Python number.
        format_spec: what stands after the colon, such as ".2f".
    Raises:
        ValueError: the spec does not fit the number, from Python.
    Source: torch.Tensor.__format__.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.item()
    kinds: tuple[type, ...] = (bool, int, float, complex)
    return format(kinds[dtype.category](value), format_spec)


def refuse_format_spec(shape: tuple[int, ...], format_spec: str, class_name: str = "Tensor") -> TypeError:
    """The error for a tensor that is more than one number and a spec that is not empty."""
    return TypeError(
        f"the format {format_spec!r} fits one number, but this {class_name} has shape {tuple(shape)}\n"
        f"  hint   format one element, such as f'{{t.mean():{format_spec}}}', or print(t) after "
        "set_printoptions(precision=...)"
    )
