"""The types of arguments that are one number or one per dimension. Source: torch.nn.common_types."""

from __future__ import annotations

from typing import TypeAlias

from zerograd.tensor.tensor import Tensor

SizeAny: TypeAlias = int | tuple[int, ...]
Size1: TypeAlias = int | tuple[int]
Size2: TypeAlias = int | tuple[int, int]
Size3: TypeAlias = int | tuple[int, int, int]
Size4: TypeAlias = int | tuple[int, int, int, int]
Size6: TypeAlias = int | tuple[int, int, int, int, int, int]
OptionalSize: TypeAlias = int | tuple[int | None, ...] | None
RatioAny: TypeAlias = float | tuple[float, ...]
Ratio2: TypeAlias = float | tuple[float, float]
Ratio3: TypeAlias = float | tuple[float, float, float]

# The names under which programs import them.
_size_any_t = SizeAny
_size_1_t = Size1
_size_2_t = Size2
_size_3_t = Size3
_size_4_t = Size4
_size_5_t: TypeAlias = int | tuple[int, int, int, int, int]
_size_6_t = Size6
_size_any_opt_t = OptionalSize
_size_2_opt_t: TypeAlias = int | tuple[int | None, int | None] | None
_size_3_opt_t: TypeAlias = int | tuple[int | None, int | None, int | None] | None
_ratio_any_t = RatioAny
_ratio_2_t = Ratio2
_ratio_3_t = Ratio3
_tensor_list_t: TypeAlias = Tensor | list[Tensor]
_maybe_indices_t: TypeAlias = Tensor | tuple[Tensor, Tensor]
