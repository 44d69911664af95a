"""The class Tensor: a table of contents. What it does stands in ``base``, ``gradients`` and ``functions``."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from zerograd import lazily
from zerograd.dtypes import get_default_dtype
from zerograd.tensor.base import TensorBase
from zerograd.tensor.copying import CopyingMethods
from zerograd.tensor.door import in_place
from zerograd.tensor.facts import FactMethods
from zerograd.tensor.functions import (
    arithmetic,
    comparison,
    complex_numbers,
    conversion,
    creation,
    indexing,
    joining,
    pointwise,
    powers,
    products,
    reductions,
    shaping,
    viewing,
)
from zerograd.tensor.gradients import GradientMethods
from zerograd.tensor.memory import MemoryMethods
from zerograd.tensor.reading import ReadingMethods


class Tensor(CopyingMethods, MemoryMethods, GradientMethods, ReadingMethods, FactMethods, TensorBase):
    """An array of numbers of one dtype, with the history that gradients flow back through.

    Source: torch.Tensor.
    """

    __module__ = "zerograd"  # where PyTorch has it, and so prints and pickles

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """The legacy constructor: sizes, or data, in the default float dtype."""
        from zerograd.tensor import tensor_types

        made = tensor_types.construct(get_default_dtype(), args, kwargs)
        return made if cls is Tensor else made.as_subclass(cls)

    _printed_as = "tensor"  # subclasses print by their own name
    __array_priority__ = 1000  # NumPy operators leave mixed operations to Tensor
    __hash__ = object.__hash__


LATER = {
    "tensor_types": "type new",
    "functions.activation": "hardshrink prelu",
    "functions.bitwise": """
        bitwise_and bitwise_and_ bitwise_left_shift bitwise_left_shift_ bitwise_not bitwise_not_ bitwise_or
        bitwise_or_ bitwise_right_shift bitwise_right_shift_ bitwise_xor bitwise_xor_ gcd gcd_ lcm lcm_
        __and__ __iand__ __ilshift__ __invert__ __ior__ __irshift__ __ixor__ __lshift__ __or__ __rand__
        __rlshift__ __ror__ __rrshift__ __rshift__ __rxor__ __xor__
    """,
    "functions.changing": "apply_ map2_ map_",
    "functions.counting": "bincount histc histogram unique unique_consecutive",
    "functions.differences": "diff",
    "functions.factorization": "cholesky qr svd",
    "functions.gathering": """
        gather index_add index_add_ index_copy index_copy_ index_fill index_fill_ index_reduce index_reduce_
        index_select masked_fill masked_fill_ scatter scatter_ scatter_add scatter_add_ scatter_reduce
        scatter_reduce_
    """,
    "functions.matrices": "cross matrix_exp matrix_power pinverse",
    "functions.norms": "dist norm renorm renorm_",
    "functions.random": "bernoulli multinomial",
    "functions.random_in_place": """
        bernoulli_ cauchy_ exponential_ geometric_ log_normal_ normal_ random_ uniform_
    """,
    "functions.rearranging": "flip fliplr flipud repeat_interleave roll rot90 tile",
    "functions.reshaping_in_place": "as_strided_ squeeze_ swapaxes_ swapdims_ t_ transpose_ unsqueeze_",
    "functions.scans": "cummax cummin cumprod cumprod_ cumsum cumsum_ logcumsumexp",
    "functions.selecting": """
        argwhere index_put index_put_ masked_scatter masked_scatter_ masked_select nonzero nonzero_static put
        put_ take take_along_dim
    """,
    "functions.solving": "cholesky_inverse cholesky_solve det inverse logdet slogdet triangular_solve",
    "functions.sorting": "argsort kthvalue median mode msort nanmedian sort topk",
    "functions.special": """
        digamma digamma_ erf erf_ erfc erfc_ erfinv erfinv_ i0 i0_ igamma igamma_ igammac igammac_ lgamma
        lgamma_ mvlgamma mvlgamma_ polygamma polygamma_ sinc sinc_ xlogy xlogy_
    """,
    "functions.statistics": "corrcoef cov nanquantile quantile std var",
    "functions.triangles": "diag diag_embed diagflat fill_diagonal_ trace tril tril_ triu triu_",
    "functions.view_copies": "narrow_copy unsafe_chunk unsafe_split unsafe_split_with_sizes",
}
"""Methods that are loaded when they are first used, by their modules in ``zerograd.tensor``."""


def _methods(kind: ModuleType) -> dict[str, Any]:
    """What a module has for Tensor."""
    found = {name: getattr(function, "__wrapped__", function) for name, function in kind.METHODS.items()}
    found |= {f"{name}_": in_place(found[name]) for name in kind.IN_PLACE}
    found |= {name: property(read) for name, read in getattr(kind, "PROPERTIES", {}).items()}
    return found | {name: found[method] for name, method in getattr(kind, "OPERATORS_IN_PLACE", {}).items()}


def _load(module: str) -> None:
    for name, method in _methods(import_module(f"zerograd.tensor.{module}")).items():
        if isinstance(vars(Tensor)[name], lazily.Method):  # and not what the program has put there
            setattr(Tensor, name, method)


for _kind in (
    arithmetic, comparison, complex_numbers, conversion, creation, indexing, joining, pointwise, powers, products,
    reductions, shaping, viewing,
):  # fmt: skip
    for _name, _method in _methods(_kind).items():
        setattr(Tensor, _name, _method)
for _module, _names in LATER.items():
    _loader = partial(_load, _module)
    for _name in _names.split():
        setattr(Tensor, _name, lazily.Method(Tensor, _name, _loader))

TensorBase.result_class = Tensor
