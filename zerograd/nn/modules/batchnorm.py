"""Batch normalization, its lazy forms, and SyncBatchNorm."""

from __future__ import annotations

from typing import Any

from zerograd import dtypes, errors
from zerograd.nn import functional as F
from zerograd.nn import init
from zerograd.nn.modules.lazy import LazyModuleMixin
from zerograd.nn.modules.module import Module
from zerograd.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter
from zerograd.tensor.functions.creation import empty, ones, zeros
from zerograd.tensor.functions.data import tensor
from zerograd.tensor.tensor import Tensor


class _NormBase(Module):
    """What batch and instance normalization share: scale, shift and running statistics per channel.

    Args:
        num_features: channels C.
        eps: added to the variance.
        momentum: the weight of a new batch in the running statistics; None averages over all batches alike.
        affine: learn ``weight`` and, with ``bias``, ``bias``.
        track_running_stats: keep running statistics and normalize with them in evaluation mode.
    """

    _version = 2
    __constants__ = ["track_running_stats", "momentum", "eps", "num_features", "affine"]
    _dimensions: tuple[int, ...] = ()  # the numbers of dimensions that an input may have
    num_features: int
    eps: float
    momentum: float | None
    affine: bool
    track_running_stats: bool

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            parameter = Parameter(empty(num_features, device=device, dtype=dtype)) if wanted else None
            self.register_parameter(name, parameter)
        if track_running_stats:
            self.register_buffer("running_mean", zeros(num_features, device=device, dtype=dtype))
            self.register_buffer("running_var", ones(num_features, device=device, dtype=dtype))
            self.register_buffer("num_batches_tracked", tensor(0, dtype=dtypes.int64, device=device))
        else:
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                self.register_buffer(name, None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Running mean 0, variance 1, no batches seen."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Scale 1, shift 0, and fresh running statistics."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if not self._dimensions:
            raise NotImplementedError(f"{type(self).__name__} must define _check_input_dim")
        if input.dim() not in self._dimensions:
            expected = " or ".join(f"{count}D" for count in self._dimensions)
            raise errors.value(
                f"{type(self).__name__} expected {expected} input (got {input.dim()}D input)",
                input=list(input.shape),
            )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine},"
            f" bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

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
        # Version 2 added num_batches_tracked.
        if (local_metadata.get("version") or 1) < 2 and self.track_running_stats:
            known = self.num_batches_tracked
            state_dict.setdefault(
                prefix + "num_batches_tracked", tensor(0, dtype=dtypes.int64) if known is None else known
            )
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class _BatchNorm(_NormBase):
    """What the batch normalizations share."""

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
        # Statistics that are not tracked must not be updated; in evaluation they are used if they are there.
        use_running = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            self.running_mean if use_running else None,
            self.running_var if use_running else None,
            self.weight,
            self.bias,
            self.training or (self.running_mean is None and self.running_var is None),
            momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Normalizes each channel of (N, C) or (N, C, L) over the batch. Source: torch.nn.BatchNorm1d."""

    _dimensions = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalizes each channel of (N, C, H, W) over the batch. Source: torch.nn.BatchNorm2d."""

    _dimensions = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalizes each channel of (N, C, D, H, W) over the batch. Source: torch.nn.BatchNorm3d."""

    _dimensions = (5,)


class _LazyNormBase(LazyModuleMixin, _NormBase):
    """A normalization that takes ``num_features`` from its first input."""

    weight: UninitializedParameter
    bias: UninitializedParameter

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype, bias=False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = tensor(0, dtype=dtypes.int64, device=device)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        if not self.has_uninitialized_params():
            return
        self.num_features = input.shape[1]
        found = [self.weight, self.bias] if self.affine else []
        found += [self.running_mean, self.running_var] if self.track_running_stats else []
        for one in found:
            if one is not None:
                one.materialize((self.num_features,))
        self.reset_parameters()


class LazyBatchNorm1d(_LazyNormBase, _BatchNorm):
    """BatchNorm1d without ``num_features``. Source: torch.nn.LazyBatchNorm1d."""

    cls_to_become = BatchNorm1d
    _dimensions = BatchNorm1d._dimensions


class LazyBatchNorm2d(_LazyNormBase, _BatchNorm):
    """BatchNorm2d without ``num_features``. Source: torch.nn.LazyBatchNorm2d."""

    cls_to_become = BatchNorm2d
    _dimensions = BatchNorm2d._dimensions


class LazyBatchNorm3d(_LazyNormBase, _BatchNorm):
    """BatchNorm3d without ``num_features``. Source: torch.nn.LazyBatchNorm3d."""

    cls_to_become = BatchNorm3d
    _dimensions = BatchNorm3d._dimensions


class SyncBatchNorm(_BatchNorm):
    """Batch normalization whose statistics span the processes of a group; here they span one process.

    Source: torch.nn.SyncBatchNorm.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise errors.value(
                f"SyncBatchNorm takes (batch, channels, ...), but the input has {input.dim()} dimensions"
            )
        if input.shape[1] == 0:
            raise errors.value("SyncBatchNorm needs at least one channel", input=list(input.shape))

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """``module`` with every BatchNorm in it replaced by a SyncBatchNorm that holds the same tensors."""
        converted = module
        if isinstance(module, _BatchNorm):
            converted = SyncBatchNorm(
                module.num_features,
                module.eps,
                module.momentum,
                module.affine,
                module.track_running_stats,
                process_group,
                bias=module.bias is not None,
            )
            if module.affine:
                converted.weight = module.weight
                converted.bias = module.bias
            converted.running_mean = module.running_mean
            converted.running_var = module.running_var
            converted.num_batches_tracked = module.num_batches_tracked
            converted.training = module.training
        for name, child in list(module.named_children()):
            converted.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return converted
