"""Every elementwise op in machine code gives what its NumPy reference gives."""

from __future__ import annotations

import ctypes
import functools
import itertools
from typing import Any

import numpy as np
import pytest

import zerograd  # noqa: F401  all ops are registered
from zerograd import dtypes
from zerograd.engines.native import elementwise, jit
from zerograd.engines.native.emit import Function, Value
from zerograd.ir.graph import Op, TensorType, registry
from zerograd.ops import special_functions  # noqa: F401  so are these

KINDS = [one for one in dtypes.ALL if not one.is_complex]
WIDELY = (dtypes.bool_, dtypes.int32, dtypes.int64, dtypes.float32)  # tested with every number of lanes
HALVES = (dtypes.float16, dtypes.bfloat16)
LANES = [(kind, lanes) for kind in KINDS for lanes in ((1, 4, 8, 16) if kind in WIDELY else (4, 16))]

# Ops that do not compute exactly the reference's rounded result, and how many units in the last place they may be from
# the truth: in float32 the reference's in float64. Half types may differ by one.
ULPS = {
    "exp": 1.1, "exp2": 1.1, "expm1": 1.5, "log": 1.1, "log1p": 1.5, "sigmoid": 2.5, "tanh": 2.5, "softplus": 2.5,
    "sin": 2, "cos": 2, "sinc": 2.5, "erf": 2, "erfc": 1, "ndtr": 1, "logit": 2.5, "entr": 2,
    "xlogy": 2, "xlog1py": 2.5, "lgamma": 1, "digamma": 1, "erfinv": 0.6, "ndtri": 1,
    **dict.fromkeys(("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cosh", "sinh", "tan", "hypot"), 0.6),
    **dict.fromkeys(("log2", "log10", "pow"), 0.6),
    **dict.fromkeys(("logaddexp", "logaddexp2"), 2.5),
}  # fmt: skip
DOUBLE_ULPS = 6.0  # of those ops in float64, the references' own errors included

# Where zeros of both signs are equal, NumPy's choice between them changes with the array's length.
SIGN_OF_ZERO_IS_OPEN = {"maximum", "minimum", "clamp", "clamp_min", "clamp_max", "fmax", "fmin", "relu", "sign",
                         "nextafter"}  # fmt: skip

# Whose operands may cancel, so that their last place counts.
OF_OPERANDS = {"logaddexp", "logaddexp2"}
OF_ONE = {"logit", "sinc", "lgamma", "digamma", "ndtri"}  # rounded arguments, as in the reference; zeros of sums

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, -7.0, 100.0, np.inf, -np.inf, np.nan, 1e-45, -1e-40,
           1e-38, 1e-320, 3e38, -3e38, 255.0, 256.5, -129.0, 65504.0, 70000.0, 2.0**31, -(2.0**31), 2.0**31 - 128,
           3e9, 5e9, -3e9, 2.0**63, -(2.0**63), 1e19, 1e300]  # fmt: skip


def specials(kind: dtypes.dtype) -> np.ndarray:
    if kind is dtypes.bool_:
        return np.array([False, True])
    if kind.is_floating_point:
        with np.errstate(all="ignore"):
            return np.array(SPECIAL).astype(kind.numpy)
    limits = np.iinfo(kind.numpy)
    numbers = [0, 1, 2, 3, 5, 7, 8, 15, 31, 63, 64, 100, limits.max, limits.max - 1, limits.min, limits.min + 1]
    return np.array(numbers + ([-1, -2, -3, -7, -8] if limits.min else [200]), kind.numpy)


@functools.cache
def operands(kind: dtypes.dtype, count: int) -> tuple[np.ndarray, ...]:
    """All combinations of special values (of three operands, those of a few), then random ones, and an odd length."""
    random = np.random.default_rng(7)
    few = specials(kind) if count < 3 else specials(kind)[:16]
    grid = [np.array(column, kind.numpy) for column in zip(*itertools.product(few, repeat=count), strict=True)]
    n = 200 + (1 - len(grid[0])) % 16
    if kind.is_floating_point:
        with np.errstate(all="ignore"):
            more = [(random.normal(size=n) * 2.0 ** random.integers(-8, 8, n)).astype(kind.numpy) for _ in grid]
    elif kind is dtypes.bool_:
        more = [random.integers(0, 2, n).astype(bool) for _ in grid]
    else:
        limits = np.iinfo(kind.numpy)
        more = [random.integers(limits.min, limits.max, n, kind.numpy) >> random.integers(0, 7, n, kind.numpy)
                for _ in grid]  # fmt: skip
    return tuple(np.concatenate(pair) for pair in zip(grid, more, strict=True))


Case = tuple[Op, tuple[dtypes.dtype, ...], dict[str, Any]]


def cases(kind: dtypes.dtype, lanes: int) -> list[Case]:
    """Half types' functions are those of float32, and tested with one number of lanes."""
    found: list[Case] = []
    for op in sorted(registry.values(), key=lambda op: op.name):
        if op.name == "cast":
            found += [(op, (kind,), {"dtype": to}) for to in KINDS]
        elif op.elementwise and not op.attributes:
            kinds = (dtypes.bool_, kind, kind) if op.name == "where" else (kind,) * len(op.inputs)
            once = kind in HALVES and op.name in ULPS and lanes != 4
            if elementwise.supported(op.name, kinds) and not once:
                found.append((op, kinds, {}))
    return found


def inputs(case: Case) -> tuple[np.ndarray, ...]:
    _, kinds, _ = case
    values = operands(kinds[-1], len(kinds))
    return tuple(x if x.dtype == kind.numpy else x != 0 for x, kind in zip(values, kinds, strict=True))


def result_kind(case: Case) -> dtypes.dtype:
    op, kinds, attributes = case
    return op.infer(*[TensorType((3,), kind) for kind in kinds], **attributes).dtype


@functools.cache
def compiled(kind: dtypes.dtype, lanes: int) -> Any:
    """A function (pointers, lengths) that runs all cases of a dtype: one loop each, in one text, which is quick."""
    f = Function("all", (("ptr", "pointers"), ("ptr", "lengths")))
    pointers, lengths = f.arguments
    place = 0
    for number, case in enumerate(cases(kind, lanes)):
        bases = [f.load("ptr", pointers, place + i) for i in range(len(case[1]) + 1)]
        place += len(bases)
        n = f.load("i64", lengths, number)
        whole = f.mul(f.value("i64", f"sdiv i64 {n.name}, {lanes}"), lanes)

        def step(
            i: Value, count: int = lanes, mask: Value | None = None, case: Case = case, bases: list[Value] = bases
        ) -> None:
            op, kinds, attributes = case
            xs = [elementwise.load(f, k, count, base, i, mask, 1) for k, base in zip(kinds, bases, strict=False)]
            y = elementwise.emit(f, op.name, attributes, kinds, xs)
            elementwise.store(f, result_kind(case), y, bases[-1], i, mask)

        f.loop(0, whole, lanes, step)
        if lanes == 4 or (lanes == 8 and kind.itemsize >= 4):
            step(whole, lanes, f.first(f.sub(n, whole), lanes))
        else:  # masked access to less than 32 bits is many instructions, which take long to compile
            f.loop(whole, n, 1, lambda i, step=step: step(i, 1))
    text = f.finish()
    name = jit.symbol("all", text)
    address = jit.load({name: text.replace("@all(", f"@{name}(")})[name]
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(address)


def run(kind: dtypes.dtype, lanes: int) -> list[np.ndarray]:
    arrays, results, lengths = [], [], []
    for case in cases(kind, lanes):
        xs = [np.ascontiguousarray(x) for x in inputs(case)]
        results.append(np.zeros(len(xs[0]) + 1, result_kind(case).numpy))
        arrays += [*xs, results[-1]]
        lengths.append(len(xs[0]))
    pointers = np.array([one.ctypes.data for one in arrays])
    compiled(kind, lanes)(pointers.ctypes.data, np.array(lengths).ctypes.data)
    assert all(one[-1] == 0 for one in results), "written behind the end"
    return [one[:-1] for one in results]


def ulps(y: np.ndarray, exact: np.ndarray, kind: dtypes.dtype, scale: np.ndarray | float = 0) -> np.ndarray:
    """The distance of results from the truth, in units in the last place of the truth (or of something larger)."""
    limits = kind.limits
    with np.errstate(all="ignore"):
        y, exact = y.astype(np.float64), exact.astype(np.float64)
        rounded = exact.astype(kind.numpy).astype(np.float64)
        exponent = np.floor(np.log2(np.maximum(np.maximum(np.abs(exact), scale), float(limits.smallest_normal))))
        distance = np.abs(y - exact) / np.maximum(2.0 ** (exponent - limits.nmant), 5e-324)
    same = (y == rounded) | (np.isnan(y) & np.isnan(rounded))
    return np.where(same, np.where(np.isfinite(rounded), np.nan_to_num(distance), 0), np.nan_to_num(distance, nan=1e9))


def check(case: Case, y: np.ndarray) -> str:
    """Nothing, or what is wrong."""
    op, kinds, attributes = case
    kind, xs = kinds[-1], inputs(case)
    with np.errstate(all="ignore"):
        expected = np.asarray(op.reference(*xs, **attributes))
    if op.name in ULPS and kind.is_floating_point:
        truth = expected
        with np.errstate(all="ignore"):
            scale = np.maximum(*map(np.abs, xs)) if op.name in OF_OPERANDS else float(op.name in OF_ONE)
            if kind is dtypes.float32 and op.name not in OF_ONE:
                truth = np.asarray(op.reference(*[x.astype(np.float64) for x in xs]))
        bound = {dtypes.float32: ULPS[op.name], dtypes.float64: DOUBLE_ULPS}.get(kind, 1.0)
        wrong = ulps(y, truth, kind, scale) > bound
    else:
        wrong = (y != expected) & ~((y != y) & (expected != expected))
        if kind.is_floating_point and y.dtype == kind.numpy and op.name not in SIGN_OF_ZERO_IS_OPEN:
            wrong |= (np.signbit(y) != np.signbit(expected)) & (y == y)
    if y.dtype != expected.dtype:
        return f"{op.name}: {y.dtype} instead of {expected.dtype}"
    if not wrong.any():
        return ""
    i = np.flatnonzero(wrong)[:3]
    given = ", ".join(str(x[i]) for x in xs)
    return f"{op.name} {attributes or ''} of {given}: {y[i]} instead of {expected[i]} ({wrong.sum()} wrong)"


@pytest.mark.parametrize(("kind", "lanes"), LANES, ids=lambda one: getattr(one, "name", one))
def test_as_the_reference(kind: dtypes.dtype, lanes: int) -> None:
    problems = [check(case, y) for case, y in zip(cases(kind, lanes), run(kind, lanes), strict=True)]
    assert not any(problems), "\n".join(filter(None, problems))
