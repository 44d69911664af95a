"""What computes, as PyTorch names it. zerograd has one engine, on the CPU; settings of others are kept and unused.

Source: torch.backends.
"""

from zerograd.backends import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp, opt_einsum, quantized

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum", "quantized"]
