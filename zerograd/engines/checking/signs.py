"""Values that cannot be negative, whatever their rounding: squares, exponentials, and what is made of these alone."""

from __future__ import annotations

from zerograd.engines.checking.tolerances import words
from zerograd.ir.graph import Node

BY_THEMSELVES = frozenset(words("square abs exp exp2 sigmoid relu softmax var norm sqrt root cosh softplus"))
BY_OPERANDS = frozenset(
    words("""add mul div sum reshape expand permute slice cat flip maximum minimum max min cast copy variable matmul
             index gather stop""")
)
DEPTH = 60  # operands are followed so far


def never_negative(node: Node, depth: int = DEPTH) -> bool:
    """Whether no engine can compute a negative number here; NaN is possible."""
    name = node.op.name
    if isinstance(node.type, tuple) or node.dtype.is_complex:
        return False
    if name in BY_THEMSELVES or (name == "mul" and node.inputs[0] is node.inputs[1]):
        return True
    if name == "full":
        return bool(node.attributes["fill"] >= 0)
    if name == "maximum" and depth:
        return any(never_negative(one, depth - 1) for one in node.inputs)
    followed = [one for one in node.inputs if one.dtype.is_inexact] if depth and name in BY_OPERANDS else []
    return bool(followed) and all(never_negative(one, depth - 1) for one in followed)
