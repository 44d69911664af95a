"""How zerograd words its errors: what is wrong, the operands, and a hint where one is true."""

from __future__ import annotations


def message(problem: str, /, *, hint: str | None = None, **operands: object) -> str:
    """One sentence, a line per operand, then the hint.

    >>> print(message("matmul needs left columns = right rows, but 3 != 2", left="float32[2, 3]"))
    matmul needs left columns = right rows, but 3 != 2
      left   float32[2, 3]
    """
    rows = dict(operands)
    if hint is not None:
        rows["hint"] = hint
    width = max((len(name) for name in rows), default=0) + 2
    lines = [f"  {name:<{max(width, 7)}}{value}" for name, value in rows.items()]
    return "\n".join([problem, *lines])


def runtime(problem: str, /, *, hint: str | None = None, **operands: object) -> RuntimeError:
    return RuntimeError(message(problem, hint=hint, **operands))


def index(problem: str, /, *, hint: str | None = None, **operands: object) -> IndexError:
    return IndexError(message(problem, hint=hint, **operands))


def value(problem: str, /, *, hint: str | None = None, **operands: object) -> ValueError:
    return ValueError(message(problem, hint=hint, **operands))


def type_(problem: str, /, *, hint: str | None = None, **operands: object) -> TypeError:
    return TypeError(message(problem, hint=hint, **operands))
