"""MultiheadAttention."""

from __future__ import annotations

from typing import Any

from zerograd.nn import init
from zerograd.nn.functional import attention
from zerograd.nn.modules.linear import NonDynamicallyQuantizableLinear
from zerograd.nn.modules.module import Module
from zerograd.nn.parameter import Parameter
from zerograd.tensor.functions.creation import empty, zeros
from zerograd.tensor.tensor import Tensor


class MultiheadAttention(Module):
    """Attention with ``num_heads`` heads between projections of its inputs and of its output.

    Shapes: query (L, N, E), key (S, N, kdim), value (S, N, vdim), with N first if ``batch_first``, without N
    if
    unbatched; output as the query.

    Args:
        embed_dim: E, divided among the heads.
        dropout: of the attention weights.
        bias: of the projections.
        add_bias_kv: learn one more key and value.
        add_zero_attn: add a key and value of zeros.
        kdim, vdim: features of key and value; E if None.
    Initial values: input projections Xavier-uniform, biases 0, the output projection as in Linear.
    Source: torch.nn.MultiheadAttention.

    Raises:
        ValueError: a size that is not positive.
        AssertionError: the heads do not divide E.
    """

    __module__ = "zerograd.nn.modules.activation"  # where PyTorch has it, and so pickles
    __constants__ = ["batch_first"]
    bias_k: Tensor | None
    bias_v: Tensor | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(f"attention needs features and heads: embed_dim = {embed_dim}, num_heads = {num_heads}")
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = kdim if kdim is not None else embed_dim
        self.vdim = vdim if vdim is not None else embed_dim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError(
                f"{embed_dim} features (embed_dim) cannot be shared out equally among {num_heads} heads"
            )

        shapes = {
            "q_proj_weight": (embed_dim, embed_dim),
            "k_proj_weight": (embed_dim, self.kdim),
            "v_proj_weight": (embed_dim, self.vdim),
            "in_proj_weight": (3 * embed_dim, embed_dim),
        }
        separate, together = list(shapes)[:3], list(shapes)[3:]
        used, unused = (together, separate) if self._qkv_same_embed_dim else (separate, together)
        for name in used:
            self.register_parameter(name, Parameter(empty(shapes[name], device=device, dtype=dtype)))
        for name in unused:
            self.register_parameter(name, None)
        in_bias = Parameter(empty(3 * embed_dim, device=device, dtype=dtype)) if bias else None
        self.register_parameter("in_proj_bias", in_bias)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        if add_bias_kv:
            self.bias_k = Parameter(empty((1, 1, embed_dim), device=device, dtype=dtype))
            self.bias_v = Parameter(empty((1, 1, embed_dim), device=device, dtype=dtype))
        else:
            self.bias_k = self.bias_v = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def __setstate__(self, state: dict[str, Any]) -> None:
        state.setdefault("_qkv_same_embed_dim", True)
        super().__setstate__(state)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The output and, if ``need_weights``, the attention weights; see `multi_head_attention_forward`."""
        other = None if attn_mask is None else attn_mask.dtype
        key_padding_mask = attention.canonical_mask(
            key_padding_mask, "key_padding_mask", other, "attn_mask", query.dtype
        )
        attn_mask = attention.canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, check_other=False)
        swap = self.batch_first and query.dim() == 3
        if swap:
            # The same tensor must stay the same tensor: its three projections are then one product.
            turned = {id(x): x.transpose(0, 1) for x in (query, key, value)}
            query, key, value = turned[id(query)], turned[id(key)], turned[id(value)]
        output, weights = attention.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (output.transpose(0, 1) if swap else output), weights

    def merge_masks(
        self, attn_mask: Tensor | None, key_padding_mask: Tensor | None, query: Tensor
    ) -> tuple[Tensor | None, int | None]:
        """Both masks as one, and its kind: 0 attention, 1 padding, 2 both.

        Source: torch.nn.MultiheadAttention.
        """
        merged, kind = key_padding_mask, None if key_padding_mask is None else 1
        if attn_mask is not None:
            batch, length = query.shape[:2]
            kind = 2
            spread = attn_mask.view(batch, -1, length, length) if attn_mask.dim() == 3 else attn_mask
            merged = zeros((batch, self.num_heads, length, length), dtype=attn_mask.dtype) + spread
            if key_padding_mask is not None:
                merged = merged + key_padding_mask.view(batch, 1, 1, length)
        return merged, kind
