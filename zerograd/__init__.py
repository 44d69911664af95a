"""zerograd: PyTorch programs on an engine of their own.

``import zerograd as torch``: the names of ``torch``. What most programs can do without loads when it is first used.
"""

from __future__ import annotations

import importlib
from math import e, inf, nan, pi
from typing import TYPE_CHECKING, Any

# First, and not at the end of a chain of imports: CPython keeps the frames of nested calls in chunks of memory, and
# where one is just full, each call allocates and frees the next. There, NumPy's import takes a fifth longer.
import numpy as _numpy  # noqa: F401

from zerograd import lazily
from zerograd.dtypes import (
    bfloat16, bool_ as bool, complex128, complex64, dtype, float16, float32, float64, get_default_dtype,
    int16, int32, int64, int8, promote_types, set_default_dtype, uint8,
)  # fmt: skip
from zerograd.runtime.devices import device, get_default_device, set_default_device
from zerograd.tensor.formats import (
    channels_last, channels_last_3d, contiguous_format, contiguous_format as legacy_contiguous_format, layout,
    memory_format, preserve_format, sparse_bsc, sparse_bsr, sparse_coo, sparse_csc, sparse_csr, strided,
)  # fmt: skip
from zerograd.tensor.functions.arithmetic import (
    abs, absolute, add, addcdiv, addcmul, div, divide, floor_divide, fmod, lerp, mul, multiply, neg, negative,
    positive, reciprocal, remainder, rsub, sgn, sign, square, sub, subtract, true_divide,
)  # fmt: skip
from zerograd.tensor.functions.comparison import (
    allclose, eq, equal, ge, greater, greater_equal, gt, is_nonzero, isclose, isfinite, isinf, isnan,
    isneginf, isposinf, isreal, le, less, less_equal, logical_and, logical_not, logical_or, logical_xor, lt,
    ne, not_equal, signbit, where,
)  # fmt: skip
from zerograd.tensor.functions.complex_numbers import (
    angle, complex, conj, conj_physical, imag, is_conj, is_neg, polar, real, resolve_conj, resolve_neg,
    view_as_complex, view_as_real,
)  # fmt: skip
from zerograd.tensor.functions.conversion import clone, fill
from zerograd.tensor.functions.creation import (
    empty, empty_like, empty_permuted, empty_strided, full, full_like, ones, ones_like, scalar_tensor, zeros,
    zeros_like,
)  # fmt: skip
from zerograd.tensor.functions.data import (
    as_tensor, asarray, from_dlpack, from_numpy, frombuffer, tensor, to_dlpack,
)  # fmt: skip
from zerograd.tensor.functions.joining import (
    atleast_1d, atleast_2d, atleast_3d, cat, cat as concat, cat as concatenate, chunk, column_stack, dsplit,
    dstack, hsplit, hstack, split, split_with_sizes, stack, tensor_split, unbind, vsplit, vstack as row_stack,
    vstack,
)  # fmt: skip
from zerograd.tensor.functions.pointwise import (
    acos, acosh, arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, asin, asinh, atan, atan2, atanh,
    ceil, clamp, clamp_max, clamp_min, clip, copysign, cos, cosh, deg2rad, exp, exp2, expm1, fix, floor, fmax,
    fmin, frac, frexp, heaviside, hypot, ldexp, log, log10, log1p, log2, logaddexp, logaddexp2, logit,
    maximum, minimum, nan_to_num, nextafter, rad2deg, relu, round, rsqrt, sigmoid, sin, sinh, sqrt, tan, tanh,
    trunc,
)  # fmt: skip
from zerograd.tensor.functions.powers import float_power, pow
from zerograd.tensor.functions.products import (
    addbmm, addmm, addmv, addr, baddbmm, bmm, chain_matmul, dot, inner, kron, matmul, mm, mv, outer,
    tensordot, vdot,
)  # fmt: skip
from zerograd.tensor.functions.reductions import (
    all, amax, amin, aminmax, any, argmax, argmin, count_nonzero, log_softmax, logsumexp, max, mean, min,
    nanmean, nansum, prod, softmax, sum,
)  # fmt: skip
from zerograd.tensor.functions.shaping import (
    adjoint, broadcast_shapes, broadcast_tensors, broadcast_to, flatten, movedim as moveaxis, movedim, narrow,
    permute, ravel, reshape, select, squeeze, t, transpose as swapaxes, transpose as swapdims, transpose,
    unflatten, unsqueeze,
)  # fmt: skip
from zerograd.tensor.functions.viewing import (
    as_strided, as_strided_scatter, diagonal, diagonal_scatter, select_scatter, slice_scatter,
)  # fmt: skip
from zerograd.tensor.memory import TypedStorage, UntypedStorage, is_storage, resize_as_
from zerograd.tensor.size import Size
from zerograd.tensor.tensor import Tensor

if TYPE_CHECKING:  # what _LATER has, for readers and type checkers
    from zerograd.amp import GradScaler
    from zerograd.amp.autocast_mode import (
        autocast, clear_autocast_cache, get_autocast_cpu_dtype, get_autocast_dtype, get_autocast_gpu_dtype,
        is_autocast_cache_enabled, is_autocast_cpu_enabled, is_autocast_enabled, set_autocast_cache_enabled,
        set_autocast_cpu_dtype, set_autocast_dtype, set_autocast_enabled,
    )  # fmt: skip
    from zerograd.autograd.anomaly import (
        is_anomaly_check_nan_enabled, is_anomaly_enabled, set_anomaly_enabled,
    )  # fmt: skip
    from zerograd.autograd.grad_mode import (
        enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad, set_grad_enabled,
    )  # fmt: skip
    from zerograd.compiler import compile
    from zerograd.cuda import OutOfMemoryError
    from zerograd.func import vmap
    from zerograd.nn.functional import (
        adaptive_avg_pool1d, avg_pool1d, bilinear, celu_, channel_shuffle, conv1d, conv2d, conv3d, conv_tbc,
        conv_transpose1d, conv_transpose2d, conv_transpose3d, cosine_similarity, native_channel_shuffle,
        pairwise_distance, pdist, pixel_shuffle, pixel_unshuffle, rms_norm, rrelu_, selu_, threshold_,
    )  # fmt: skip
    from zerograd.nn.functional.distance import cdist
    from zerograd.nn.functional.native import (
        adaptive_max_pool1d, affine_grid_generator, alpha_dropout, alpha_dropout_, batch_norm,
        binary_cross_entropy_with_logits, celu, constant_pad_nd, convolution, cosine_embedding_loss, ctc_loss,
        dropout, dropout_, embedding, embedding_renorm_, feature_alpha_dropout, feature_alpha_dropout_,
        feature_dropout, feature_dropout_, grid_sampler, grid_sampler_2d, grid_sampler_3d, group_norm,
        hinge_embedding_loss, instance_norm, kl_div, layer_norm, margin_ranking_loss, max_pool1d,
        max_pool1d_with_indices, max_pool2d, max_pool3d, native_batch_norm, native_dropout, native_group_norm,
        native_layer_norm, poisson_nll_loss, rrelu, selu, threshold, triplet_margin_loss,
    )  # fmt: skip
    from zerograd.nn.functional.recurrent import (
        gru, gru_cell, lstm, lstm_cell, rnn_relu, rnn_relu_cell, rnn_tanh, rnn_tanh_cell,
    )  # fmt: skip
    from zerograd.random import get_rng_state, initial_seed, manual_seed, seed, set_rng_state
    from zerograd.runtime.process import (
        are_deterministic_algorithms_enabled, get_deterministic_debug_mode, get_float32_matmul_precision,
        get_num_interop_threads, get_num_threads, is_deterministic_algorithms_warn_only_enabled,
        is_warn_always_enabled, set_deterministic_debug_mode, set_float32_matmul_precision,
        set_flush_denormal, set_num_interop_threads, set_num_threads, set_warn_always,
        use_deterministic_algorithms,
    )  # fmt: skip
    from zerograd.serialization import load, save
    from zerograd.tensor.functions.activation import hardshrink, prelu
    from zerograd.tensor.functions.assertions import (
        _assert as _assert, _check as _check, _check_index as _check_index,
        _check_not_implemented as _check_not_implemented, _check_type as _check_type, _check_value as _check_value,
    )  # fmt: skip
    from zerograd.tensor.functions.bitwise import (
        bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, gcd, lcm,
    )  # fmt: skip
    from zerograd.tensor.functions.changing import (
        abs_, acos_, acosh_, arccos_, arccosh_, arcsin_, arcsinh_, arctan_, arctanh_, asin_, asinh_, atan_,
        atanh_, ceil_, clamp_, clamp_max_, clamp_min_, clip_, conj_physical_, cos_, cosh_, deg2rad_, detach_,
        erf_, erfc_, exp2_, exp_, expm1_, fill_, fix_, floor_, frac_, gcd_, i0_, lcm_, ldexp_, log10_, log1p_,
        log2_, log_, logit_, nan_to_num_, neg_, negative_, rad2deg_, reciprocal_, relu_, round_, rsqrt_,
        sigmoid_, sin_, sinc_, sinh_, sqrt_, square_, tan_, tanh_, trunc_, xlogy_, zero_,
    )  # fmt: skip
    from zerograd.tensor.functions.counting import (
        bincount, histc, histogram, histogramdd, unique, unique_consecutive,
    )  # fmt: skip
    from zerograd.tensor.functions.differences import cumulative_trapezoid, diff, gradient, trapezoid, trapz
    from zerograd.tensor.functions.einsum import einsum
    from zerograd.tensor.functions.factorization import (
        lu_unpack, old_cholesky as cholesky, old_qr as qr, old_svd as svd,
    )  # fmt: skip
    from zerograd.tensor.functions.gathering import (
        gather, index_add, index_copy, index_fill, index_reduce, index_select, masked_fill, scatter,
        scatter_add, scatter_reduce,
    )  # fmt: skip
    from zerograd.tensor.functions.matrices import (
        matrix_exp, matrix_power, old_cross as cross, pinv as pinverse,
    )  # fmt: skip
    from zerograd.tensor.functions.norms import (
        dist, frobenius_norm, norm, norm_except_dim, nuclear_norm, renorm,
    )  # fmt: skip
    from zerograd.tensor.functions.questions import (
        can_cast, is_complex, is_floating_point, is_same_size, is_signed, is_tensor, numel, result_type,
    )  # fmt: skip
    from zerograd.tensor.functions.random import (
        bernoulli, binomial, multinomial, normal, poisson, rand, rand_like, randint, randint_like, randn,
        randn_like, randperm,
    )  # fmt: skip
    from zerograd.tensor.functions.ranges import (
        arange, eye, linspace, logspace, range_ as range, tril_indices, triu_indices,
    )  # fmt: skip
    from zerograd.tensor.functions.rearranging import (
        block_diag, cartesian_prod, combinations, flip, fliplr, flipud, meshgrid, repeat_interleave, roll,
        rot90, tile, unravel_index, vander,
    )  # fmt: skip
    from zerograd.tensor.functions.reshaping_in_place import as_strided_
    from zerograd.tensor.functions.scans import cummax, cummin, cumprod, cumsum, logcumsumexp
    from zerograd.tensor.functions.searching import bucketize, isin, searchsorted
    from zerograd.tensor.functions.selecting import (
        argwhere, index_put, index_put_, masked_scatter, masked_select, nonzero, nonzero_static, put, take,
        take_along_dim,
    )  # fmt: skip
    from zerograd.tensor.functions.solving import (
        cholesky_inverse, cholesky_solve, det, inverse, logdet, slogdet, triangular_solve,
    )  # fmt: skip
    from zerograd.tensor.functions.sorting import (
        argsort, kthvalue, median, mode, msort, nanmedian, sort, topk,
    )  # fmt: skip
    from zerograd.tensor.functions.special import (
        digamma, erf, erfc, erfinv, i0, igamma, igammac, lgamma, mvlgamma, polygamma, sinc, xlogy,
    )  # fmt: skip
    from zerograd.tensor.functions.statistics import (
        corrcoef, cov, nanquantile, quantile, std, std_mean, var, var_mean,
    )  # fmt: skip
    from zerograd.tensor.functions.triangles import diag, diag_embed, diagflat, trace, tril, triu
    from zerograd.tensor.functions.view_copies import (
        alias_copy, as_strided_copy, detach_copy, diagonal_copy, expand_copy, narrow_copy, permute_copy,
        select_copy, slice_copy, split_copy, split_with_sizes_copy, squeeze_copy, t_copy, transpose_copy,
        unbind_copy, unfold_copy, unsafe_chunk, unsafe_split, unsafe_split_with_sizes, unsqueeze_copy,
        view_copy,
    )  # fmt: skip
    from zerograd.tensor.generator import Generator, default_generator
    from zerograd.tensor.number_limits import finfo, iinfo
    from zerograd.tensor.printing import set_printoptions
    from zerograd.tensor.tensor_types import (
        BFloat16Tensor, BoolTensor, ByteTensor, CharTensor, DoubleTensor, FloatTensor, HalfTensor, IntTensor,
        LongTensor, ShortTensor, detach, get_device, is_inference, set_default_tensor_type, typename,
    )  # fmt: skip
    from zerograd.torch_version import __version__

half, double, short, int, long, cfloat, cdouble = float16, float64, int16, int32, int64, complex64, complex128

float = float32

newaxis = None

_MODULES = """
    accelerator amp autograd backends compiler cpu cuda distributed fft func hub jit linalg masked mps
    multiprocessing nn onnx optim random return_types serialization special testing torch_version utils version xpu
"""
_LATER = {
    "amp": "GradScaler",
    "amp.autocast_mode": """
        autocast clear_autocast_cache get_autocast_cpu_dtype get_autocast_dtype get_autocast_gpu_dtype
        is_autocast_cache_enabled is_autocast_cpu_enabled is_autocast_enabled set_autocast_cache_enabled
        set_autocast_cpu_dtype set_autocast_dtype set_autocast_enabled
    """,
    "autograd.anomaly": "is_anomaly_check_nan_enabled is_anomaly_enabled set_anomaly_enabled",
    "autograd.grad_mode": """
        enable_grad inference_mode is_grad_enabled is_inference_mode_enabled no_grad set_grad_enabled
    """,
    "compiler": "compile",
    "cuda": "OutOfMemoryError",
    "func": "vmap",
    "nn.functional": """
        adaptive_avg_pool1d avg_pool1d bilinear celu_ channel_shuffle conv1d conv2d conv3d conv_tbc
        conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity native_channel_shuffle
        pairwise_distance pdist pixel_shuffle pixel_unshuffle rms_norm rrelu_ selu_ threshold_
    """,
    "nn.functional.distance": "cdist",
    "nn.functional.native": """
        adaptive_max_pool1d affine_grid_generator alpha_dropout alpha_dropout_ batch_norm
        binary_cross_entropy_with_logits celu constant_pad_nd convolution cosine_embedding_loss ctc_loss
        dropout dropout_ embedding embedding_renorm_ feature_alpha_dropout feature_alpha_dropout_
        feature_dropout feature_dropout_ grid_sampler grid_sampler_2d grid_sampler_3d group_norm
        hinge_embedding_loss instance_norm kl_div layer_norm margin_ranking_loss max_pool1d
        max_pool1d_with_indices max_pool2d max_pool3d native_batch_norm native_dropout native_group_norm
        native_layer_norm poisson_nll_loss rrelu selu threshold triplet_margin_loss
    """,
    "nn.functional.recurrent": "gru gru_cell lstm lstm_cell rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell",
    "random": "get_rng_state initial_seed manual_seed seed set_rng_state",
    "runtime.process": """
        are_deterministic_algorithms_enabled get_deterministic_debug_mode get_float32_matmul_precision
        get_num_interop_threads get_num_threads is_deterministic_algorithms_warn_only_enabled
        is_warn_always_enabled set_deterministic_debug_mode set_float32_matmul_precision set_flush_denormal
        set_num_interop_threads set_num_threads set_warn_always use_deterministic_algorithms
    """,
    "serialization": "load save",
    "tensor.functions.activation": "hardshrink prelu",
    "tensor.functions.assertions": """
        _assert _check _check_index _check_not_implemented _check_type _check_value
    """,
    "tensor.functions.bitwise": """
        bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor gcd lcm
    """,
    "tensor.functions.changing": """
        abs_ acos_ acosh_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ asin_ asinh_ atan_ atanh_ ceil_
        clamp_ clamp_max_ clamp_min_ clip_ conj_physical_ cos_ cosh_ deg2rad_ detach_ erf_ erfc_ exp2_ exp_
        expm1_ fill_ fix_ floor_ frac_ gcd_ i0_ lcm_ ldexp_ log10_ log1p_ log2_ log_ logit_ nan_to_num_ neg_
        negative_ rad2deg_ reciprocal_ relu_ round_ rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_
        trunc_ xlogy_ zero_
    """,
    "tensor.functions.counting": "bincount histc histogram histogramdd unique unique_consecutive",
    "tensor.functions.differences": "cumulative_trapezoid diff gradient trapezoid trapz",
    "tensor.functions.einsum": "einsum",
    "tensor.functions.factorization": "lu_unpack cholesky=old_cholesky qr=old_qr svd=old_svd",
    "tensor.functions.gathering": """
        gather index_add index_copy index_fill index_reduce index_select masked_fill scatter scatter_add
        scatter_reduce
    """,
    "tensor.functions.matrices": "matrix_exp matrix_power cross=old_cross pinverse=pinv",
    "tensor.functions.norms": "dist frobenius_norm norm norm_except_dim nuclear_norm renorm",
    "tensor.functions.questions": """
        can_cast is_complex is_floating_point is_same_size is_signed is_tensor numel result_type
    """,
    "tensor.functions.random": """
        bernoulli binomial multinomial normal poisson rand rand_like randint randint_like randn randn_like
        randperm
    """,
    "tensor.functions.ranges": "arange eye linspace logspace range=range_ tril_indices triu_indices",
    "tensor.functions.rearranging": """
        block_diag cartesian_prod combinations flip fliplr flipud meshgrid repeat_interleave roll rot90 tile
        unravel_index vander
    """,
    "tensor.functions.reshaping_in_place": "as_strided_",
    "tensor.functions.scans": "cummax cummin cumprod cumsum logcumsumexp",
    "tensor.functions.searching": "bucketize isin searchsorted",
    "tensor.functions.selecting": """
        argwhere index_put index_put_ masked_scatter masked_select nonzero nonzero_static put take
        take_along_dim
    """,
    "tensor.functions.solving": "cholesky_inverse cholesky_solve det inverse logdet slogdet triangular_solve",
    "tensor.functions.sorting": "argsort kthvalue median mode msort nanmedian sort topk",
    "tensor.functions.special": """
        digamma erf erfc erfinv i0 igamma igammac lgamma mvlgamma polygamma sinc xlogy
    """,
    "tensor.functions.statistics": "corrcoef cov nanquantile quantile std std_mean var var_mean",
    "tensor.functions.triangles": "diag diag_embed diagflat trace tril triu",
    "tensor.functions.view_copies": """
        alias_copy as_strided_copy detach_copy diagonal_copy expand_copy narrow_copy permute_copy select_copy
        slice_copy split_copy split_with_sizes_copy squeeze_copy t_copy transpose_copy unbind_copy unfold_copy
        unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze_copy view_copy
    """,
    "tensor.generator": "Generator default_generator",
    "tensor.number_limits": "finfo iinfo",
    "tensor.printing": "set_printoptions",
    "tensor.tensor_types": """
        BFloat16Tensor BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor HalfTensor IntTensor
        LongTensor ShortTensor detach get_device is_inference set_default_tensor_type typename
    """,
    "torch_version": "__version__",
}
_load, __dir__ = lazily.names(__name__, _LATER, _MODULES)


def __getattr__(name: str) -> Any:
    if name.startswith("_foreach_"):
        return getattr(importlib.import_module(f"{__name__}.tensor.functions.lists"), name)
    return _load(name)


__all__ = [
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "Generator",
    "GradScaler", "HalfTensor", "IntTensor", "LongTensor", "OutOfMemoryError", "ShortTensor", "Size",
    "Tensor", "TypedStorage", "UntypedStorage", "__version__", "abs", "abs_", "absolute", "acos", "acos_",
    "acosh", "acosh_", "adaptive_avg_pool1d", "adaptive_max_pool1d", "add", "addbmm", "addcdiv", "addcmul",
    "addmm", "addmv", "addr", "adjoint", "affine_grid_generator", "alias_copy", "all", "allclose",
    "alpha_dropout", "alpha_dropout_", "amax", "amin", "aminmax", "angle", "any", "arange", "arccos",
    "arccos_", "arccosh", "arccosh_", "arcsin", "arcsin_", "arcsinh", "arcsinh_", "arctan", "arctan2",
    "arctan_", "arctanh", "arctanh_", "are_deterministic_algorithms_enabled", "argmax", "argmin", "argsort",
    "argwhere", "as_strided", "as_strided_", "as_strided_copy", "as_strided_scatter", "as_tensor", "asarray",
    "asin", "asin_", "asinh", "asinh_", "atan", "atan2", "atan_", "atanh", "atanh_", "atleast_1d",
    "atleast_2d", "atleast_3d", "autocast", "avg_pool1d", "baddbmm", "batch_norm", "bernoulli", "bfloat16",
    "bilinear", "binary_cross_entropy_with_logits", "bincount", "binomial", "bitwise_and",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "block_diag",
    "bmm", "bool", "broadcast_shapes", "broadcast_tensors", "broadcast_to", "bucketize", "can_cast",
    "cartesian_prod", "cat", "cdist", "cdouble", "ceil", "ceil_", "celu", "celu_", "cfloat", "chain_matmul",
    "channel_shuffle", "channels_last", "channels_last_3d", "cholesky", "cholesky_inverse", "cholesky_solve",
    "chunk", "clamp", "clamp_", "clamp_max", "clamp_max_", "clamp_min", "clamp_min_", "clear_autocast_cache",
    "clip", "clip_", "clone", "column_stack", "combinations", "compile", "complex", "complex64", "complex128",
    "concat", "concatenate", "conj", "conj_physical", "conj_physical_", "constant_pad_nd",
    "contiguous_format", "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "convolution", "copysign", "corrcoef", "cos", "cos_", "cosh", "cosh_",
    "cosine_embedding_loss", "cosine_similarity", "count_nonzero", "cov", "cross", "ctc_loss", "cummax",
    "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "default_generator", "deg2rad", "deg2rad_", "det",
    "detach", "detach_", "detach_copy", "device", "diag", "diag_embed", "diagflat", "diagonal",
    "diagonal_copy", "diagonal_scatter", "diff", "digamma", "dist", "div", "divide", "dot", "double",
    "dropout", "dropout_", "dsplit", "dstack", "dtype", "e", "einsum", "embedding", "embedding_renorm_",
    "empty", "empty_like", "empty_permuted", "empty_strided", "enable_grad", "eq", "equal", "erf", "erf_",
    "erfc", "erfc_", "erfinv", "exp", "exp2", "exp2_", "exp_", "expand_copy", "expm1", "expm1_", "eye",
    "feature_alpha_dropout", "feature_alpha_dropout_", "feature_dropout", "feature_dropout_", "fill", "fill_",
    "finfo", "fix", "fix_", "flatten", "flip", "fliplr", "flipud", "float", "float16", "float32", "float64",
    "float_power", "floor", "floor_", "floor_divide", "fmax", "fmin", "fmod", "frac", "frac_", "frexp",
    "frobenius_norm", "from_dlpack", "from_numpy", "frombuffer", "full", "full_like", "gather", "gcd", "gcd_",
    "ge", "get_autocast_cpu_dtype", "get_autocast_dtype", "get_autocast_gpu_dtype", "get_default_device",
    "get_default_dtype", "get_deterministic_debug_mode", "get_device", "get_float32_matmul_precision",
    "get_num_interop_threads", "get_num_threads", "get_rng_state", "gradient", "greater", "greater_equal",
    "grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "group_norm", "gru", "gru_cell", "gt", "half",
    "hardshrink", "heaviside", "hinge_embedding_loss", "histc", "histogram", "histogramdd", "hsplit",
    "hstack", "hypot", "i0", "i0_", "igamma", "igammac", "iinfo", "imag", "index_add", "index_copy",
    "index_fill", "index_put", "index_put_", "index_reduce", "index_select", "inf", "inference_mode",
    "initial_seed", "inner", "instance_norm", "int", "int8", "int16", "int32", "int64", "inverse",
    "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "is_autocast_cache_enabled",
    "is_autocast_cpu_enabled", "is_autocast_enabled", "is_complex", "is_conj",
    "is_deterministic_algorithms_warn_only_enabled", "is_floating_point", "is_grad_enabled", "is_inference",
    "is_inference_mode_enabled", "is_neg", "is_nonzero", "is_same_size", "is_signed", "is_storage",
    "is_tensor", "is_warn_always_enabled", "isclose", "isfinite", "isin", "isinf", "isnan", "isneginf",
    "isposinf", "isreal", "kl_div", "kron", "kthvalue", "layer_norm", "layout", "lcm", "lcm_", "ldexp",
    "ldexp_", "le", "legacy_contiguous_format", "lerp", "less", "less_equal", "lgamma", "linspace", "load",
    "log", "log1p", "log1p_", "log2", "log2_", "log10", "log10_", "log_", "log_softmax", "logaddexp",
    "logaddexp2", "logcumsumexp", "logdet", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logit", "logit_", "logspace", "logsumexp", "long", "lstm", "lstm_cell", "lt", "lu_unpack", "manual_seed",
    "margin_ranking_loss", "masked_fill", "masked_scatter", "masked_select", "matmul", "matrix_exp",
    "matrix_power", "max", "max_pool1d", "max_pool1d_with_indices", "max_pool2d", "max_pool3d", "maximum",
    "mean", "median", "memory_format", "meshgrid", "min", "minimum", "mm", "mode", "moveaxis", "movedim",
    "msort", "mul", "multinomial", "multiply", "mv", "mvlgamma", "nan", "nan_to_num", "nan_to_num_",
    "nanmean", "nanmedian", "nanquantile", "nansum", "narrow", "narrow_copy", "native_batch_norm",
    "native_channel_shuffle", "native_dropout", "native_group_norm", "native_layer_norm", "ne", "neg", "neg_",
    "negative", "negative_", "newaxis", "nextafter", "no_grad", "nonzero", "nonzero_static", "norm",
    "norm_except_dim", "normal", "not_equal", "nuclear_norm", "numel", "ones", "ones_like", "outer",
    "pairwise_distance", "pdist", "permute", "permute_copy", "pi", "pinverse", "pixel_shuffle",
    "pixel_unshuffle", "poisson", "poisson_nll_loss", "polar", "polygamma", "positive", "pow", "prelu",
    "preserve_format", "prod", "promote_types", "put", "qr", "quantile", "rad2deg", "rad2deg_", "rand",
    "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "range", "ravel", "real",
    "reciprocal", "reciprocal_", "relu", "relu_", "remainder", "renorm", "repeat_interleave", "reshape",
    "resize_as_", "resolve_conj", "resolve_neg", "result_type", "rms_norm", "rnn_relu", "rnn_relu_cell",
    "rnn_tanh", "rnn_tanh_cell", "roll", "rot90", "round", "round_", "row_stack", "rrelu", "rrelu_", "rsqrt",
    "rsqrt_", "rsub", "save", "scalar_tensor", "scatter", "scatter_add", "scatter_reduce", "searchsorted",
    "seed", "select", "select_copy", "select_scatter", "selu", "selu_", "set_anomaly_enabled",
    "set_autocast_cache_enabled", "set_autocast_cpu_dtype", "set_autocast_dtype", "set_autocast_enabled",
    "set_default_device", "set_default_dtype", "set_default_tensor_type", "set_deterministic_debug_mode",
    "set_float32_matmul_precision", "set_flush_denormal", "set_grad_enabled", "set_num_interop_threads",
    "set_num_threads", "set_printoptions", "set_rng_state", "set_warn_always", "sgn", "short", "sigmoid",
    "sigmoid_", "sign", "signbit", "sin", "sin_", "sinc", "sinc_", "sinh", "sinh_", "slice_copy",
    "slice_scatter", "slogdet", "softmax", "sort", "sparse_bsc", "sparse_bsr", "sparse_coo", "sparse_csc",
    "sparse_csr", "split", "split_copy", "split_with_sizes", "split_with_sizes_copy", "sqrt", "sqrt_",
    "square", "square_", "squeeze", "squeeze_copy", "stack", "std", "std_mean", "strided", "sub", "subtract",
    "sum", "svd", "swapaxes", "swapdims", "t", "t_copy", "take", "take_along_dim", "tan", "tan_", "tanh",
    "tanh_", "tensor", "tensor_split", "tensordot", "threshold", "threshold_", "tile", "to_dlpack", "topk",
    "trace", "transpose", "transpose_copy", "trapezoid", "trapz", "triangular_solve", "tril", "tril_indices",
    "triplet_margin_loss", "triu", "triu_indices", "true_divide", "trunc", "trunc_", "typename", "uint8",
    "unbind", "unbind_copy", "unflatten", "unfold_copy", "unique", "unique_consecutive", "unravel_index",
    "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes", "unsqueeze", "unsqueeze_copy",
    "use_deterministic_algorithms", "vander", "var", "var_mean", "vdot", "view_as_complex", "view_as_real",
    "view_copy", "vmap", "vsplit", "vstack", "where", "xlogy", "xlogy_", "zero_", "zeros", "zeros_like",
]  # fmt: skip
