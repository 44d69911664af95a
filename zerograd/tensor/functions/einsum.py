"""Einstein summation: ``torch.einsum``.

The operands are contracted in pairs from left to right, each pair by one batched matrix product.
"""

from __future__ import annotations

import string
from typing import Any

from zerograd import errors
from zerograd.ir.graph import Node
from zerograd.ops import contraction, reduction
from zerograd.ops.elementwise import where
from zerograd.ops.movement import broadcast_to, permute, reshape
from zerograd.ops.source import diagonal_ones, zeros_like
from zerograd.shapes import count
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import apply, labelled
from zerograd.tensor.functions.products import same_dtype


def _parse(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """One letter per dimension for each operand, and for the result; an ellipsis becomes digits."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise errors.runtime(
            f"einsum(): the equation names {len(terms)} operands, but {len(ranks)} were given", equation=equation
        )
    for character in left.replace(",", "").replace("...", ""):
        if character not in string.ascii_letters:
            raise errors.runtime(
                f"einsum(): {character!r} is no subscript; letters, ',', '...' and '->' are", equation=equation
            )
    spans = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    for term, rank, span in zip(terms, ranks, spans, strict=True):
        if span < 0 or ("..." not in term and span):
            raise errors.runtime(
                f"einsum(): {term!r} names {len(term.replace('...', ''))} dimensions of an operand that has {rank}",
                equation=equation,
            )
    width = max((span for term, span in zip(terms, spans, strict=True) if "..." in term), default=0)
    dots = "0123456789"[:width]
    inputs = [term.replace("...", dots[width - span :]) for term, span in zip(terms, spans, strict=True)]
    if arrow:
        return inputs, right.replace("...", dots)
    letters = sorted(set("".join(inputs)) - set(dots))
    return inputs, dots + "".join(one for one in letters if "".join(inputs).count(one) == 1)


def _take_diagonals(x: Node, term: str) -> tuple[Node, str]:
    """A repeated letter in one operand means a diagonal."""
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            first = term.index(letter)
            second = term.index(letter, first + 1)
            if x.shape[first] != x.shape[second]:
                raise errors.runtime(
                    f"einsum(): subscript {letter!r} repeats with sizes {x.shape[first]} and {x.shape[second]}"
                )
            shape = tuple(n if i in (first, second) else 1 for i, n in enumerate(x.shape))
            from zerograd.dtypes import bool_

            eye = reshape(diagonal_ones(shape=(x.shape[first],) * 2, dtype=bool_), shape=shape)
            x = where(broadcast_to(eye, x.shape), x, zeros_like(x))
            x = reduction.sum(x, axes=(second,))
            x = reshape(x, shape=tuple(n for i, n in enumerate(x.shape) if i != second))
            term = term[:second] + term[second + 1 :]
    return x, term


def _sum_out(x: Node, term: str, kept: set[str]) -> tuple[Node, str]:
    axes = tuple(i for i, letter in enumerate(term) if letter not in kept)
    if not axes:
        return x, term
    x = reduction.sum(x, axes=axes)
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    return reshape(x, shape=shape), "".join(letter for letter in term if letter in kept)


def _contract(x: Node, a: str, y: Node, b: str, kept: set[str]) -> tuple[Node, str]:
    """The product of two operands, summed over the letters that nothing after it needs."""
    x, a = _sum_out(x, a, kept | set(b))
    y, b = _sum_out(y, b, kept | set(a))
    sizes = dict(zip(a, x.shape, strict=True))
    for letter, n in zip(b, y.shape, strict=True):
        m = sizes.setdefault(letter, n)
        if m != n and 1 not in (m, n):
            raise errors.runtime(f"einsum(): subscript {letter!r} has size {m} in one operand and {n} in another")
        sizes[letter] = max(m, n) if 0 not in (m, n) else 0
    batch = [letter for letter in a if letter in b and letter in kept]
    summed = [letter for letter in a if letter in b and letter not in kept]
    rows = [letter for letter in a if letter not in b]
    columns = [letter for letter in b if letter not in a]
    left = _arranged(x, a, [batch, rows, summed], sizes)
    right = _arranged(y, b, [batch, summed, columns], sizes)
    out = contraction.matmul(left, right)
    term = [*batch, *rows, *columns]
    return reshape(out, shape=tuple(sizes[letter] for letter in term)), "".join(term)


def _arranged(x: Node, term: str, groups: list[list[str]], sizes: dict[str, int]) -> Node:
    order = [letter for group in groups for letter in group]
    x = permute(x, order=tuple(term.index(letter) for letter in order))
    x = broadcast_to(x, tuple(sizes[letter] for letter in order))
    return reshape(x, shape=tuple(count([sizes[letter] for letter in group]) for group in groups))


def _einsum_label(xs: tuple[Node, ...], equation: str) -> str:
    """PyTorch's last step."""
    inputs, output = _parse(equation, [x.rank for x in xs])
    summed = set("".join(inputs)) - set(output)
    if len(xs) == 1:
        return "SumBackward1" if summed else "PermuteBackward0"
    return "ViewBackward0" if summed else "MulBackward0"


@labelled(_einsum_label)
def _einsum(xs: tuple[Node, ...], equation: str) -> Node:
    same_dtype("einsum", *xs)
    inputs, output = _parse(equation, [x.rank for x in xs])
    unknown = set(output) - set("".join(inputs))
    if unknown or len(set(output)) != len(output):
        raise errors.runtime(
            "einsum(): each subscript of the result must occur once there, and in an operand", equation=equation
        )
    operands = [_take_diagonals(x, term) for x, term in zip(xs, inputs, strict=True)]
    x, term = operands[0]
    for i, (y, other) in enumerate(operands[1:], 1):
        later = set(output).union(*(set(one) for _, one in operands[i + 1 :]))
        x, term = _contract(x, term, y, other, later)
    x, term = _sum_out(x, term, set(output))
    order = tuple(term.index(letter) for letter in output)
    return permute(x, order=order)


def einsum(equation: Any, *operands: Any) -> Any:
    """Sums of products of the operands' elements, as the equation's subscripts say.

    Args:
        equation: e.g. ``"bij,bjk->bik"``; or the sublist format ``einsum(x, [0, 1], y, [1, 2], [0, 2])``.
    Raises:
        RuntimeError: subscripts and operands do not fit.
    Source: torch.einsum.
    """
    if isinstance(equation, TensorBase):
        equation, operands = _from_sublists((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    if not operands:
        raise errors.runtime("einsum() needs at least one operand")
    return apply(_einsum, (list(operands),), (equation,))


def _from_sublists(arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    letters = string.ascii_uppercase + string.ascii_lowercase

    def term(sublist: Any) -> str:
        return "".join("..." if one is Ellipsis else letters[one] for one in sublist)

    operands = arguments[0 : len(arguments) // 2 * 2 : 2]
    equation = ",".join(map(term, arguments[1 : len(operands) * 2 : 2]))
    if len(arguments) % 2:
        equation += "->" + term(arguments[-1])
    return equation, operands
