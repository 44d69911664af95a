"""Products of vectors and matrices."""

from __future__ import annotations

from typing import Any

from zerograd import errors
from zerograd.dtypes import BOOL, INTEGER
from zerograd.ir.graph import Node
from zerograd.ops import contraction, elementwise, reduction
from zerograd.ops.contraction import turn
from zerograd.ops.elementwise import conj
from zerograd.ops.movement import broadcast_to, permute, reshape
from zerograd.ops.source import filled
from zerograd.shapes import axes as all_axes
from zerograd.shapes import broadcast, count
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import accepts_out, apply, as_dtype, binary, labelled, weighted


def same_dtype(name: str, *xs: Node) -> None:
    """Products do not promote.

    Raises:
        RuntimeError: the dtypes differ.
    """
    kinds = {x.dtype for x in xs}
    if len(kinds) > 1:
        raise errors.runtime(
            f"{name} needs operands of one dtype, got {' and '.join(x.dtype.name for x in xs)}",
            operands=", ".join(str(x.type) for x in xs),
            hint=f"convert one of them, e.g. with .to(torch.{xs[0].dtype.name})",
        )


def ranked(name: str, x: Node, rank: int, what: str) -> None:
    if x.rank != rank:
        kind = {1: "a vector (1 dimension)", 2: "a matrix (2 dimensions)", 3: "a batch of matrices (3 dimensions)"}[
            rank
        ]
        raise errors.runtime(f"{name}: {what} must be {kind}, got {x.rank} dimensions", **{what: x.type})


def matmul_nodes(x: Node, y: Node) -> Node:
    """The product with PyTorch's rules for vectors and batches."""
    if not x.rank or not y.rank:
        raise errors.runtime(
            "matmul needs vectors or matrices, not single numbers", left=x.type, right=y.type, hint="use * for numbers"
        )
    same_dtype("matmul", x, y)
    left = reshape(x, shape=(1, *x.shape)) if x.rank == 1 else x
    right = reshape(y, shape=(*y.shape, 1)) if y.rank == 1 else y
    if right.rank == 2 and left.rank > 2 and 0 not in left.shape:  # one tall product instead of many
        out = contraction.matmul(reshape(left, shape=(count(left.shape[:-1]), left.shape[-1])), right)
        batch, rows = left.shape[:-2], left.shape[-2]
    else:
        batch, rows = broadcast("matmul", left.shape[:-2], right.shape[:-2]), left.shape[-2]
        out = contraction.matmul(
            broadcast_to(left, (*batch, *left.shape[-2:])), broadcast_to(right, (*batch, *right.shape[-2:]))
        )
    shape = (*batch, *(() if x.rank == 1 else (rows,)), *(() if y.rank == 1 else (right.shape[-1],)))
    return out if out.shape == shape else reshape(out, shape=shape)


def _matmul(x: Node, y: Node) -> Node:
    """The matrix product, batched and with vectors. Source: torch.matmul."""
    return matmul_nodes(x, y)


_PRODUCTS = {(1, 1): "DotBackward0", (1, 2): "SqueezeBackward4", (2, 1): "MvBackward0", (2, 2): "MmBackward0"}


def _product_label(x: Node, y: Node) -> str:
    """PyTorch's last step for operands of these ranks."""
    if x.rank == 2 and y.rank > 2 and x.tracked:
        return "CloneBackward0"
    return _PRODUCTS.get((x.rank, y.rank), "UnsafeViewBackward0")


def _linear_label(x: Node, weight: Node, bias: Node | None) -> str:
    if bias is not None and weight.rank == 2:
        return "AddmmBackward0" if x.rank == 2 else "ViewBackward0"
    return _product_label(x, weight) if bias is None else "AddBackward0"


_matmul.label = _product_label  # pyright: ignore[reportFunctionMemberAccess]


@labelled(_linear_label)
def _linear(x: Node, weight: Node, bias: Node | None) -> Node:
    """``input @ weight.T + bias``.

    Args:
        input: shape (*, in_features). weight: (out_features, in_features). bias: (out_features,).
    Source: torch.nn.functional.linear.
    """
    if weight.rank not in (1, 2):
        raise errors.runtime("linear: weight must have one or two dimensions", weight=weight.type)
    same_dtype("linear", *(one for one in (x, weight, bias) if one is not None))
    if not x.rank or x.shape[-1] != weight.shape[-1]:
        raise errors.runtime(
            f"linear: the input's last size must be the layer's in_features, {weight.shape[-1]}",
            input=x.type,
            weight=weight.type,
        )
    out = matmul_nodes(x, turn(weight) if weight.rank == 2 else weight)
    return out if bias is None else elementwise.add(out, broadcast_to(bias, out.shape))


def _as_addmm(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """The operands in the order of ``addmm(bias, input, weight.t())``, which PyTorch makes of matrices."""
    x, weight, bias = operands
    return (bias, x, weight) if bias is not None and x.rank == weight.rank == 2 else operands


_linear.shows = _as_addmm  # pyright: ignore[reportFunctionMemberAccess]


def _mm(x: Node, y: Node) -> Node:
    """The product of two matrices. Source: torch.mm."""
    ranked("mm", x, 2, "input")
    ranked("mm", y, 2, "mat2")
    return matmul_nodes(x, y)


def _bmm(x: Node, y: Node) -> Node:
    """The products of two batches of matrices. Source: torch.bmm."""
    ranked("bmm", x, 3, "input")
    ranked("bmm", y, 3, "mat2")
    if x.shape[0] != y.shape[0]:
        raise errors.runtime(f"bmm: the batches differ, {x.shape[0]} and {y.shape[0]}", input=x.type, mat2=y.type)
    same_dtype("bmm", x, y)
    return contraction.matmul(x, y)


def _mv(x: Node, y: Node) -> Node:
    """A matrix times a vector. Source: torch.mv."""
    ranked("mv", x, 2, "input")
    ranked("mv", y, 1, "vec")
    return matmul_nodes(x, y)


def _dot(x: Node, y: Node) -> Node:
    """The sum of the products of two vectors' elements. Source: torch.dot."""
    ranked("dot", x, 1, "input")
    ranked("dot", y, 1, "tensor")
    if x.shape != y.shape:
        raise errors.runtime(
            f"dot: the vectors have {x.shape[0]} and {y.shape[0]} elements", input=x.type, tensor=y.type
        )
    return matmul_nodes(x, y)


def _vdot(x: Node, y: Node) -> Node:
    """The dot product with the first vector conjugated. Source: torch.vdot."""
    return _dot(conj(x), y)


def _outer(x: Node, y: Node) -> Node:
    """All products of an element of each vector. Source: torch.outer."""
    ranked("outer", x, 1, "input")
    ranked("outer", y, 1, "vec2")
    from zerograd.tensor.door import promote

    x, y = promote(x, y)
    shape = (x.shape[0], y.shape[0])
    return elementwise.mul(
        broadcast_to(reshape(x, shape=(shape[0], 1)), shape), broadcast_to(reshape(y, shape=(1, shape[1])), shape)
    )


def _inner(x: Node, y: Node) -> Node:
    """Dot products of the last dimensions. Source: torch.inner."""
    if not x.rank or not y.rank:
        same_dtype("inner", x, y)
        shape = x.shape or y.shape
        return elementwise.mul(broadcast_to(x, shape), broadcast_to(y, shape))
    if x.shape[-1] != y.shape[-1]:
        raise errors.runtime(
            f"inner: the last sizes differ, {x.shape[-1]} and {y.shape[-1]}", input=x.type, other=y.type
        )
    return tensordot_nodes(x, y, (x.rank - 1,), (y.rank - 1,))


def tensordot_nodes(x: Node, y: Node, left: tuple[int, ...], right: tuple[int, ...]) -> Node:
    """The sum over pairs of axes."""
    same_dtype("tensordot", x, y)
    for a, b in zip(left, right, strict=True):
        if x.shape[a] != y.shape[b] and 1 not in (x.shape[a], y.shape[b]):
            raise errors.runtime(
                f"tensordot: dimension {a} of a has size {x.shape[a]}, dimension {b} of b has {y.shape[b]}",
                a=x.type,
                b=y.type,
            )
        if x.shape[a] != y.shape[b]:
            x = reduction.sum(x, axes=(a,)) if y.shape[b] == 1 else x
            y = reduction.sum(y, axes=(b,)) if x.shape[a] == 1 and y.shape[b] != 1 else y
    free_x = tuple(i for i in range(x.rank) if i not in left)
    free_y = tuple(i for i in range(y.rank) if i not in right)
    shape = tuple(x.shape[i] for i in free_x) + tuple(y.shape[i] for i in free_y)
    inner = count([x.shape[i] for i in left])
    rows, columns = count([x.shape[i] for i in free_x]), count([y.shape[i] for i in free_y])
    flat_x = reshape(permute(x, order=free_x + left), shape=(rows, inner))
    flat_y = reshape(permute(y, order=right + free_y), shape=(inner, columns))
    return reshape(contraction.matmul(flat_x, flat_y), shape=shape)


def _tensordot(x: Node, y: Node, left: tuple[int, ...], right: tuple[int, ...]) -> Node:
    return tensordot_nodes(x, y, all_axes(left, x.rank), all_axes(right, y.rank))


def _scaled_sum(name: str, start: Node, out: Node, beta: Any, alpha: Any) -> Node:
    """beta * start + alpha * out, where beta = 0 ignores ``start``, infinities and all."""
    same_dtype(name, start, out)
    if broadcast(name, start.shape, out.shape) != out.shape:
        raise errors.runtime(
            f"{name}: input does not expand to the product's shape", input=start.type, product=out.type
        )
    if out.dtype.category <= INTEGER and any(isinstance(one, float) for one in (alpha, beta)):
        raise errors.runtime(f"{name}: alpha and beta must be integers for integer tensors", alpha=alpha, beta=beta)
    if alpha != 1:
        out = elementwise.mul(out, filled(alpha, out.type))
    if beta == 0:
        return out if alpha != 1 else elementwise.add(out, filled(0, out.type))
    start = broadcast_to(start, out.shape)
    return elementwise.add(start if beta == 1 else elementwise.mul(start, filled(beta, start.type)), out)


def _addmm(start: Node, x: Node, y: Node, beta: Any, alpha: Any) -> Node:
    return _scaled_sum("addmm", start, _mm(x, y), beta, alpha)


def _addmv(start: Node, x: Node, y: Node, beta: Any, alpha: Any) -> Node:
    return _scaled_sum("addmv", start, _mv(x, y), beta, alpha)


def _addr(start: Node, x: Node, y: Node, beta: Any, alpha: Any) -> Node:
    ranked("addr", x, 1, "vec1")
    ranked("addr", y, 1, "vec2")
    if start.dtype.category == BOOL:
        beta, alpha = bool(beta), bool(alpha)
    out = _outer(x, y)
    return _scaled_sum("addr", as_dtype(start, out.dtype), out, beta, alpha)


def _baddbmm(start: Node, x: Node, y: Node, beta: Any, alpha: Any) -> Node:
    return _scaled_sum("baddbmm", start, _bmm(x, y), beta, alpha)


def _addbmm(start: Node, x: Node, y: Node, beta: Any, alpha: Any) -> Node:
    total = reshape(reduction.sum(_bmm(x, y), axes=(0,)), shape=(x.shape[1], y.shape[2]))
    return _scaled_sum("addbmm", start, total, beta, alpha)


matmul = binary(_matmul, left=False, right=False)
_matmul_method = binary(_matmul, left=False, right=False, operator=True)
mm, bmm, mv, dot, vdot, inner = (accepts_out(binary(body)) for body in (_mm, _bmm, _mv, _dot, _vdot, _inner))
outer = accepts_out(binary(_outer))


linear = weighted(_linear)


def _with_sum(body: Any, name: str) -> Any:
    def function(input: Any, first: Any, second: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        return apply(body, (input, first, second), (beta, alpha, type(beta).__name__, type(alpha).__name__)[:2])

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``beta * input + alpha * product``. Source: torch.{name}."
    return accepts_out(function)


addmm, addmv, addr = _with_sum(_addmm, "addmm"), _with_sum(_addmv, "addmv"), _with_sum(_addr, "addr")
baddbmm, addbmm = _with_sum(_baddbmm, "baddbmm"), _with_sum(_addbmm, "addbmm")


def _rmatmul(x: Node, y: Node) -> Node:
    return _matmul(y, x)


_rmatmul_method = binary(labelled("MmBackward0")(_rmatmul), left=False, right=False, operator=True)


@accepts_out
def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """Sums of products over pairs of dimensions.

    Args:
        dims: how many of the last of ``a`` meet the first of ``b``, or two lists of dimensions.
    Source: torch.tensordot.
    """
    if isinstance(dims, TensorBase):
        dims = dims.item() if dims._type.count == 1 else dims.tolist()
    if isinstance(dims, int):
        if dims < 0 or dims > min(len(a._shape), len(b._shape)):
            raise errors.runtime(f"tensordot: dims must lie between 0 and the operands' dimensions, got {dims}")
        left, right = tuple(range(len(a._shape) - dims, len(a._shape))), tuple(range(dims))
    else:
        left, right = (tuple(one) if isinstance(one, list | tuple) else (one,) for one in dims)
    if len(left) != len(right):
        raise errors.runtime(f"tensordot: {len(left)} dimensions of a meet {len(right)} of b; they must be as many")
    return apply(_tensordot, (a, b), (left, right))


def _chain(name: str, matrices: Any) -> Any:
    if len(matrices) < 2:
        raise errors.runtime(f"{name} needs at least two matrices, got {len(matrices)}")
    result = matrices[0]
    for one in matrices[1:]:
        result = matmul(result, one)
    return result


def chain_matmul(*matrices: Any) -> Any:
    """The product of several matrices. Source: torch.chain_matmul."""
    return matrices[0] if len(matrices) == 1 else _chain("chain_matmul", matrices)


def multi_dot(tensors: Any) -> Any:
    """The product of several matrices, the first and last of which may be vectors. Source: torch.linalg.multi_dot."""
    return _chain("multi_dot", tensors)


def _kron(x: Node, y: Node) -> Node:
    """The Kronecker product. Source: torch.kron."""
    from zerograd.tensor.door import promote

    x, y = promote(x, y)
    rank = max(x.rank, y.rank)
    a = (1,) * (rank - x.rank) + x.shape
    b = (1,) * (rank - y.rank) + y.shape
    both = tuple(n for pair in zip(a, b, strict=True) for n in pair)
    left = reshape(x, shape=tuple(n for size in a for n in (size, 1)))
    right = reshape(y, shape=tuple(n for size in b for n in (1, size)))
    out = elementwise.mul(broadcast_to(left, both), broadcast_to(right, both))
    return reshape(out, shape=tuple(m * n for m, n in zip(a, b, strict=True)))


kron = accepts_out(binary(_kron))

METHODS = {
    "matmul": matmul, "mm": mm, "bmm": bmm, "mv": mv, "dot": dot, "vdot": vdot, "inner": inner, "outer": outer,
    "ger": outer, "addmm": addmm, "addmv": addmv, "addr": addr, "baddbmm": baddbmm, "addbmm": addbmm, "kron": kron,
    "__matmul__": _matmul_method, "__rmatmul__": _rmatmul_method,
}  # fmt: skip
IN_PLACE = ("addmm", "addmv", "addr", "baddbmm", "addbmm")
