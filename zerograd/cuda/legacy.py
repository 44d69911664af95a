"""The old names of tensors on a GPU, which cannot be made."""

from __future__ import annotations

from typing import Any

from zerograd import errors


class _CudaTensor:
    """Making one raises TypeError; no tensor is an instance."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        raise errors.type_(
            f"torch.cuda.{cls.__name__} cannot be made: zerograd computes on the CPU",
            hint=f"use torch.{cls.__name__} where torch.cuda.is_available() is False",
        )


class BFloat16Tensor(_CudaTensor):
    """bfloat16 on a GPU."""


class BoolTensor(_CudaTensor):
    """bool on a GPU."""


class ByteTensor(_CudaTensor):
    """uint8 on a GPU."""


class CharTensor(_CudaTensor):
    """int8 on a GPU."""


class DoubleTensor(_CudaTensor):
    """float64 on a GPU."""


class FloatTensor(_CudaTensor):
    """float32 on a GPU."""


class HalfTensor(_CudaTensor):
    """float16 on a GPU."""


class IntTensor(_CudaTensor):
    """int32 on a GPU."""


class LongTensor(_CudaTensor):
    """int64 on a GPU."""


class ShortTensor(_CudaTensor):
    """int16 on a GPU."""
