"""Instance normalization and its lazy forms."""

from __future__ import annotations

import warnings
from typing import Any

from zerograd import errors
from zerograd.nn import functional as F
from zerograd.nn.modules.batchnorm import _LazyNormBase, _NormBase
from zerograd.tensor.tensor import Tensor


class _InstanceNorm(_NormBase):
    """What the instance normalizations share: each channel of each image is normalized by itself."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _get_no_batch_dim(self) -> int:
        """The number of dimensions of an input without a batch."""
        return min(self._dimensions)

    def _apply_instance_norm(self, input: Tensor) -> Tensor:
        return F.instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )

    def _handle_no_batch_input(self, input: Tensor) -> Tensor:
        return self._apply_instance_norm(input.unsqueeze(0)).squeeze(0)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        # Before version 1 statistics were tracked by default, so old state dicts may hold some that are not
        # used.
        if local_metadata.get("version") is None and not self.track_running_stats:
            unused = [name for name in ("running_mean", "running_var") if prefix + name in state_dict]
            if unused:
                error_msgs.append(
                    f"{prefix}{', '.join(unused)}: not expected, since {type(self).__name__} does not"
                    " track running statistics; remove them, or set track_running_stats=True"
                )
            for name in unused:
                del state_dict[prefix + name]
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        batchless = self._get_no_batch_dim()
        channel_dim = input.dim() - batchless
        channels = input.shape[channel_dim]
        if channels != self.num_features:
            problem = f"num_features is {self.num_features}, but the input has {channels} channels"
            if self.affine:
                raise errors.value(problem, input=list(input.shape))
            warnings.warn(f"{problem}; without affine num_features has no effect", stacklevel=2)
        if input.dim() == batchless:
            return self._handle_no_batch_input(input)
        return self._apply_instance_norm(input)


class InstanceNorm1d(_InstanceNorm):
    """Normalizes each channel of (N, C, L) or (C, L) over its length. Source: torch.nn.InstanceNorm1d."""

    _dimensions = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Normalizes each channel of (N, C, H, W) or (C, H, W) over its image.

    Source: torch.nn.InstanceNorm2d.
    """

    _dimensions = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Normalizes each channel of (N, C, D, H, W) or (C, D, H, W). Source: torch.nn.InstanceNorm3d."""

    _dimensions = (4, 5)


class LazyInstanceNorm1d(_LazyNormBase, _InstanceNorm):
    """InstanceNorm1d without ``num_features``. Source: torch.nn.LazyInstanceNorm1d."""

    cls_to_become = InstanceNorm1d
    _dimensions = InstanceNorm1d._dimensions


class LazyInstanceNorm2d(_LazyNormBase, _InstanceNorm):
    """InstanceNorm2d without ``num_features``. Source: torch.nn.LazyInstanceNorm2d."""

    cls_to_become = InstanceNorm2d
    _dimensions = InstanceNorm2d._dimensions


class LazyInstanceNorm3d(_LazyNormBase, _InstanceNorm):
    """InstanceNorm3d without ``num_features``. Source: torch.nn.LazyInstanceNorm3d."""

    cls_to_become = InstanceNorm3d
    _dimensions = InstanceNorm3d._dimensions
