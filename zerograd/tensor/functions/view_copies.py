"""What views show, as copies (``permute_copy`` and its kin), and views under their old unsafe names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zerograd.ir.graph import Node
from zerograd.ops.movement import reshape
from zerograd.tensor.base import TensorBase
from zerograd.tensor.door import accepts_out, apply, labelled
from zerograd.tensor.functions import joining, shaping, viewing
from zerograd.tensor.view import alias


@labelled("CloneBackward0")
def _copy(x: Node) -> Node:
    return reshape(x, shape=x.shape)


def _alias(input: TensorBase) -> Any:
    return input._see(alias(len(input._shape)))


def _copying(name: str, view: Callable[..., Any]) -> Callable[..., Any]:
    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        seen = view(input, *args, **kwargs)
        if isinstance(seen, tuple):
            return tuple(apply(_copy, (one,)) for one in seen)
        return apply(_copy, (seen,))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"A copy of what the view shows. Source: torch.{name}."
    return accepts_out(function)


alias_copy = _copying("alias_copy", _alias)
as_strided_copy = _copying("as_strided_copy", viewing.as_strided)
detach_copy = _copying("detach_copy", lambda input: input.detach())
diagonal_copy = _copying("diagonal_copy", viewing.diagonal)
expand_copy = _copying("expand_copy", shaping.expand)
narrow_copy = _copying("narrow_copy", shaping.narrow)
permute_copy = _copying("permute_copy", shaping.permute)
select_copy = _copying("select_copy", shaping.select)
slice_copy = _copying("slice_copy", viewing.slice_)
split_copy = _copying("split_copy", joining.split)
split_with_sizes_copy = _copying("split_with_sizes_copy", joining.split_with_sizes)
squeeze_copy = _copying("squeeze_copy", shaping.squeeze)
t_copy = _copying("t_copy", shaping.t)
transpose_copy = _copying("transpose_copy", shaping.transpose)
unbind_copy = _copying("unbind_copy", joining.unbind)
unfold_copy = _copying("unfold_copy", viewing.unfold)
unsqueeze_copy = _copying("unsqueeze_copy", shaping.unsqueeze)
view_copy = _copying("view_copy", viewing.view)


def unsafe_split(input: TensorBase, split_size: int, dim: int = 0) -> tuple[Any, ...]:
    """Like ``split``, for parts that nobody changes in place. Source: torch.unsafe_split."""
    return joining.split(input, split_size, dim)


def unsafe_split_with_sizes(input: TensorBase, split_sizes: Any, dim: int = 0) -> tuple[Any, ...]:
    """Like ``split_with_sizes``. Source: torch.unsafe_split_with_sizes."""
    return joining.split_with_sizes(input, split_sizes, dim)


def unsafe_chunk(input: TensorBase, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """Like ``chunk``. Source: torch.unsafe_chunk."""
    return joining.chunk(input, chunks, dim)


METHODS = {
    "narrow_copy": narrow_copy, "unsafe_split": unsafe_split, "unsafe_split_with_sizes": unsafe_split_with_sizes,
    "unsafe_chunk": unsafe_chunk,
}  # fmt: skip
IN_PLACE = ()
