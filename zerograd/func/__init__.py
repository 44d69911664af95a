"""Transforms of functions: gradients, Jacobians, products with them, loops over a batch. Source: torch.func.

Each calls the function on tensors of its own and asks ``torch.autograd`` for gradients. ``vmap`` calls it once for
every element of the batch, and forward-mode transforms compute by two backward passes: the results are PyTorch's.
"""

from zerograd.func.batching import vmap
from zerograd.func.derivatives import (
    grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, vjp,
)  # fmt: skip
from zerograd.func.modules import functional_call, replace_all_batch_norm_modules_, stack_module_state

__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
    "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap",
]  # fmt: skip
