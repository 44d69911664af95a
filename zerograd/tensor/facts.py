"""What a tensor is: shape, dtype, device, and the questions about them. Nothing here computes a value."""

from __future__ import annotations

import warnings
from typing import Any

from zerograd import errors, shapes
from zerograd.dtypes import dtype
from zerograd.runtime import devices
from zerograd.tensor.base import TensorBase
from zerograd.tensor.size import Size, size_of


class FactMethods(TensorBase):
    """The part of Tensor that tells what it is."""

    is_cuda = is_mps = is_xpu = is_sparse = is_sparse_csr = is_quantized = is_meta = is_mkldnn = is_nested = False
    is_vulkan = is_xla = is_ipu = is_maia = is_mtia = False
    is_cpu = True

    # --- sizes -----------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The sizes of the dimensions."""
        return size_of((self._view_type or self._storage.type).shape)

    def size(self, dim: int | None = None) -> Any:
        """The sizes of the dimensions, or of one. Source: torch.Tensor.size."""
        if dim is None:
            return self.shape
        shape = self._shape
        if not shape:
            raise errors.index("size() of one dimension of a tensor that has none", dim=dim)
        return shape[shapes.axis(dim, len(shape))]

    def dim(self) -> int:
        """The number of dimensions."""
        return len(self._shape)

    ndimension = dim

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self._shape)

    def numel(self) -> int:
        """The number of elements."""
        return self._type.count

    nelement = numel

    def element_size(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._type.nbytes

    def is_same_size(self, other: TensorBase) -> bool:
        """Whether the shapes are equal."""
        return self._shape == other._shape

    # --- place -----------------------------------------------------------------------------------

    @property
    def device(self) -> devices.device:
        """Where the tensor is: the CPU."""
        return devices.CPU

    def get_device(self) -> int:
        """The number of the accelerator; -1 for the CPU."""
        return -1

    # --- kind ------------------------------------------------------------------------------------

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        return self.dtype.is_complex

    def is_signed(self) -> bool:
        return self.dtype.is_signed

    def is_inference(self) -> bool:
        """Whether the tensor was made in inference mode."""
        return self._is_inference

    def is_distributed(self) -> bool:
        return False

    @property
    def name(self) -> None:
        """Tensors have no names."""
        return

    @property
    def output_nr(self) -> int:
        """Which result of the call that made it the tensor is."""
        return 0

    @property
    def volatile(self) -> bool:
        warnings.warn(
            "volatile has no meaning any more and is always False; use torch.no_grad()", UserWarning, stacklevel=2
        )
        return False

    @property
    def grad_dtype(self) -> dtype:
        """The dtype of the gradient."""
        return self.dtype

    # --- tensors with few elements stored: not here ------------------------------------------------

    def to_dense(self, dtype: dtype | None = None, *, masked_grad: bool | None = None) -> Any:
        """The tensor itself, all of whose elements are stored."""
        return self if dtype is None else self.to(dtype)

    def sparse_dim(self) -> int:
        return 0

    def dense_dim(self) -> int:
        return len(self._shape)

    def is_coalesced(self) -> bool:
        raise errors.runtime("is_coalesced is a question about sparse tensors, and this one is dense")

    def to_sparse(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("zerograd has no sparse tensors (Tensor.to_sparse)")

    @property
    def __cuda_array_interface__(self) -> Any:
        raise AttributeError(f"__cuda_array_interface__ is of tensors on CUDA, and this is a {self.type()} on the CPU")

    def module_load(self, other: Any, assign: bool = False) -> Any:
        """What a module's ``load_state_dict`` puts in the place of this tensor."""
        return other.detach() if assign else self.detach().copy_(other)

    def __delitem__(self, index: Any) -> None:
        raise errors.type_("elements of a tensor cannot be deleted; torch.cat the parts to keep")
