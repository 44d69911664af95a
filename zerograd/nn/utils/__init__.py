"""Tools for modules: clipping, parametrizations, pruning, padding of sequences. Source: torch.nn.utils."""

from typing import TYPE_CHECKING

from zerograd import lazily
from zerograd.nn.utils.clip_grad import (
    clip_grad_norm,
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from zerograd.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters
from zerograd.nn.utils.fusion import (
    fuse_conv_bn_eval,
    fuse_conv_bn_weights,
    fuse_linear_bn_eval,
    fuse_linear_bn_weights,
)
from zerograd.nn.utils.init import skip_init
from zerograd.nn.utils.memory_format import (
    convert_conv2d_weight_memory_format,
    convert_conv3d_weight_memory_format,
)
from zerograd.nn.utils.spectral_norm import remove_spectral_norm, spectral_norm
from zerograd.nn.utils.weight_norm import remove_weight_norm, weight_norm

if TYPE_CHECKING:
    from zerograd.nn.utils import parametrizations, parametrize, rnn, stateless

__getattr__, __dir__ = lazily.names(__name__, {}, modules="parametrizations parametrize rnn stateless")

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "convert_conv2d_weight_memory_format",
    "convert_conv3d_weight_memory_format",
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "skip_init",
    "spectral_norm",
    "stateless",
    "vector_to_parameters",
    "weight_norm",
]
