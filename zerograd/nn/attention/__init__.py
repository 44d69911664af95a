"""Which implementation scaled_dot_product_attention uses; there is one here. Source: torch.nn.attention."""

from zerograd.nn.attention.backends import SDPBackend, sdpa_kernel

__all__ = ["SDPBackend", "sdpa_kernel"]
