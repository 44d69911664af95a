"""One operation on lists of tensors: ``torch._foreach_add`` and its kin, which optimizers of other packages use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zerograd import errors
from zerograd.tensor.functions.norms import vector_norm
from zerograd.tensor.tensor import Tensor

UNARY = (
    "abs", "acos", "asin", "atan", "ceil", "cos", "cosh", "erf", "erfc", "exp", "expm1", "floor", "frac", "lgamma",
    "log", "log10", "log1p", "log2", "neg", "reciprocal", "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt",
    "tan", "tanh", "trunc",
)  # fmt: skip
BINARY = ("add", "clamp_max", "clamp_min", "div", "lerp", "maximum", "minimum", "mul", "pow", "sub")
TERNARY = ("addcdiv", "addcmul", "lerp")


def _spread(name: str, other: Any, count: int) -> list[Any]:
    """An operand for each tensor: one of a list, or the same for all."""
    if not isinstance(other, list | tuple):
        return [other] * count
    if len(other) != count:
        raise errors.runtime(f"{name} got lists of {count} and {len(other)} items")
    return list(other)


def _limit(method: str) -> str:
    """Numbers and tensors are both bounds here; ``clamp`` takes either."""
    return {"maximum": "clamp_min", "minimum": "clamp_max"}.get(method, method)


def _for_each(name: str, method: str, in_place: bool) -> Callable[..., Any]:
    """``_foreach_<method>``: a new list, or the tensors themselves changed."""
    suffix = "_" if in_place else ""

    def function(self: Sequence[Any], *operands: Any, **options: Any) -> Any:
        if not isinstance(self, list | tuple):
            raise errors.type_(f"{name} takes a list or tuple of tensors, not a {type(self).__name__}")
        values = operands[2:] if method in ("addcmul", "addcdiv") else ()
        given = [_spread(name, one, len(self)) for one in (operands[:2] if values else operands)]
        if values:  # the factor: for all, a list, or a tensor of them
            factors = values[0].tolist() if isinstance(values[0], Tensor) else values[0]
            options["value"] = _spread(name, factors, len(self))
        elif isinstance(options.get("value"), list | tuple):
            options["value"] = list(options["value"])
        found = []
        for place, tensor in enumerate(self):
            own = {key: one[place] if isinstance(one, list) else one for key, one in options.items()}
            found.append(getattr(tensor, _limit(method) + suffix)(*[one[place] for one in given], **own))
        return None if in_place else tuple(found)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``{method}{suffix}`` of every tensor in a list. Source: torch.{name}."
    return function


def _foreach_zero_(self: Sequence[Any]) -> None:
    """Zeros in every tensor of a list. Source: torch._foreach_zero_."""
    for tensor in self:
        tensor.zero_()


def _foreach_copy_(self: Sequence[Any], src: Sequence[Any], non_blocking: bool = False) -> None:
    """The values of one list of tensors in another. Source: torch._foreach_copy_."""
    for tensor, source in zip(self, _spread("_foreach_copy_", list(src), len(self)), strict=True):
        tensor.copy_(source, non_blocking)


def _foreach_norm(self: Sequence[Any], ord: Any = 2, dtype: Any = None) -> tuple[Any, ...]:
    """The norm of every tensor in a list. Source: torch._foreach_norm."""
    return tuple(vector_norm(tensor, ord, dtype=dtype) for tensor in self)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "_foreach_zero_": _foreach_zero_, "_foreach_copy_": _foreach_copy_, "_foreach_norm": _foreach_norm,
}  # fmt: skip
for _method in {*UNARY, *BINARY, *TERNARY}:
    for _suffix in ("", "_"):
        _name = f"_foreach_{_method}{_suffix}"
        FUNCTIONS[_name] = _for_each(_name, _method, bool(_suffix))


def __getattr__(name: str) -> Any:
    try:
        return FUNCTIONS[name]
    except KeyError:
        raise AttributeError(f"zerograd has no torch.{name}") from None
