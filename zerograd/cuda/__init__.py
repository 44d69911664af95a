"""CUDA on a machine without it: questions are answered (no GPU), commands to a GPU raise as on a CPU build.

Seeds and cached memory concern no GPU, so setting or freeing them does nothing. Source: torch.cuda.
"""

from zerograd.cuda import amp, memory, nccl, nvtx, random
from zerograd.cuda.absent import (
    CUDAGraph, Event, ExternalStream, OutOfMemoryError, Stream, StreamContext, can_device_access_peer,
    current_blas_handle, current_device, current_stream, default_stream, device, device_count, device_of,
    get_arch_list, get_device_capability, get_device_name, get_device_properties, get_gencode_flags,
    get_sync_debug_mode, has_half, init, ipc_collect, is_available, is_bf16_supported, is_current_stream_capturing,
    is_initialized, is_tf32_supported, set_device, set_stream, set_sync_debug_mode, stream, synchronize, utilization,
)  # fmt: skip
from zerograd.cuda.legacy import (
    BFloat16Tensor, BoolTensor, ByteTensor, CharTensor, DoubleTensor, FloatTensor, HalfTensor, IntTensor,
    LongTensor, ShortTensor,
)  # fmt: skip
from zerograd.cuda.memory import (
    empty_cache, max_memory_allocated, max_memory_cached, max_memory_reserved, mem_get_info, memory_allocated,
    memory_cached, memory_reserved, memory_snapshot, memory_stats, memory_summary, reset_accumulated_memory_stats,
    reset_max_memory_allocated, reset_max_memory_cached, reset_peak_memory_stats, set_per_process_memory_fraction,
)  # fmt: skip
from zerograd.cuda.random import (
    get_rng_state, get_rng_state_all, initial_seed, manual_seed, manual_seed_all, seed, seed_all, set_rng_state,
    set_rng_state_all,
)  # fmt: skip

default_generators: tuple[()] = ()

__all__ = [
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CUDAGraph", "CharTensor", "DoubleTensor", "Event",
    "ExternalStream", "FloatTensor", "HalfTensor", "IntTensor", "LongTensor", "OutOfMemoryError", "ShortTensor",
    "Stream", "StreamContext", "amp", "can_device_access_peer", "current_blas_handle", "current_device",
    "current_stream", "default_generators", "default_stream", "device", "device_count", "device_of", "empty_cache",
    "get_arch_list", "get_device_capability", "get_device_name", "get_device_properties", "get_gencode_flags",
    "get_rng_state", "get_rng_state_all", "get_sync_debug_mode", "has_half", "init", "initial_seed", "ipc_collect",
    "is_available", "is_bf16_supported", "is_current_stream_capturing", "is_initialized", "is_tf32_supported",
    "manual_seed", "manual_seed_all", "max_memory_allocated", "max_memory_cached", "max_memory_reserved",
    "mem_get_info", "memory", "memory_allocated", "memory_cached", "memory_reserved", "memory_snapshot",
    "memory_stats", "memory_summary", "nccl", "nvtx", "random", "reset_accumulated_memory_stats",
    "reset_max_memory_allocated", "reset_max_memory_cached", "reset_peak_memory_stats", "seed", "seed_all",
    "set_device", "set_per_process_memory_fraction", "set_rng_state", "set_rng_state_all", "set_stream",
    "set_sync_debug_mode", "stream", "synchronize", "utilization",
]  # fmt: skip
