"""Attention: scaled_dot_product_attention, and multi-head attention with its projections."""

from __future__ import annotations

import math
import warnings
from typing import Any

from zerograd import dtypes, errors
from zerograd.nn import functional as F
from zerograd.nn.functional import fused_attention as fused
from zerograd.tensor.door import remembered
from zerograd.tensor.functions.creation import ones, zeros
from zerograd.tensor.functions.joining import cat
from zerograd.tensor.tensor import Tensor


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(query @ key.mT * scale + mask) @ value``.

    Shapes: query (N, ..., L, E), key (N, ..., S, E), value (N, ..., S, Ev), output (N, ..., L, Ev).

    It is one op (``fused_attention``), unless weights are dropped, the mask has a gradient or the gradient needs few
    weights, all of them.

    Args:
        attn_mask: broadcasts to (N, ..., L, S). Boolean: True takes part; float: is added to the scores. A
            query to which no key is left gets zeros.
        dropout_p: the probability that a weight is dropped, in every mode.
        is_causal: query i sees the keys up to i.
        scale: 1/sqrt(E) if None.
        enable_gqa: each head of key and value serves several heads (dimension -3) of the query.
    Raises:
        RuntimeError: less than 2 dimensions, dtypes that differ, a mask besides ``is_causal``, or head counts
            that do not divide.
    Source: torch.nn.functional.scaled_dot_product_attention.
    """
    _check_attention(query, key, value, attn_mask, is_causal, enable_gqa)
    scale = 1.0 / math.sqrt(query.shape[-1] or 1) if scale is None else scale
    key, value = (_shared_heads(one, query, enable_gqa) for one in (key, value))
    learnt = attn_mask is not None and attn_mask.requires_grad
    mask = None if attn_mask is None else tuple(attn_mask.shape)
    if dropout_p == 0.0 and not learnt and fused.fits(query.dtype, query.shape, key.shape, value.shape, mask):
        return fused.attend(query, key, value, attn_mask, is_causal, scale)
    weights = _attention_weights(query, key, attn_mask, is_causal=is_causal, scale=scale)
    if dropout_p > 0.0:
        weights = F.dropout(weights, dropout_p)
    return weights @ value


@remembered
def _attention_weights(query: Tensor, key: Tensor, mask: Tensor | None, *, is_causal: bool, scale: float) -> Tensor:
    scores = (query * scale) @ key.transpose(-2, -1)
    if is_causal:  # the first key is left to every query
        future = ones((query.shape[-2], key.shape[-2]), dtype=dtypes.bool_).triu(1)
        return F.softmax(scores.masked_fill(future, -math.inf), dim=-1)
    if mask is None:
        return F.softmax(scores, dim=-1)
    scores = scores.masked_fill(mask.logical_not(), -math.inf) if mask.dtype is dtypes.bool_ else scores + mask
    # Where nothing is left, softmax is 0/0 and so are its gradients; they are kept out on both sides.
    nothing = (scores == -math.inf).all(-1, keepdim=True)
    return F.softmax(scores.masked_fill(nothing, 0.0), dim=-1).masked_fill(nothing, 0.0)


def _shared_heads(tensor: Tensor, query: Tensor, enable_gqa: bool) -> Tensor:
    """Key or value with each head as often as query heads share it."""
    if not enable_gqa or tensor.shape[-3] == query.shape[-3]:
        return tensor
    return tensor.repeat_interleave(query.shape[-3] // tensor.shape[-3], -3)


def _check_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool, enable_gqa: bool
) -> None:
    shapes: dict[str, Any] = {"query": list(query.shape), "key": list(key.shape), "value": list(value.shape)}
    if min(query.dim(), key.dim(), value.dim()) < 2:
        raise errors.runtime("attention needs query, key and value of at least 2 dimensions", **shapes)
    if not query.dtype is key.dtype is value.dtype:
        raise errors.runtime(
            "attention needs query, key and value of one dtype",
            query=query.dtype,
            key=key.dtype,
            value=value.dtype,
        )
    if mask is not None:
        if is_causal:
            raise errors.runtime("attention takes either attn_mask or is_causal=True, not both")
        if mask.dtype not in (dtypes.bool_, dtypes.float32, query.dtype):
            raise errors.runtime(
                f"attn_mask must be boolean or of the query's dtype, not {mask.dtype}", query=query.dtype
            )
    if enable_gqa and (query.shape[-3] % key.shape[-3] or query.shape[-3] % value.shape[-3]):
        raise errors.runtime(
            "each head of key and value serves equally many of the query's, but the numbers do not divide", **shapes
        )


def canonical_mask(
    mask: Tensor | None,
    mask_name: str,
    other_type: Any,
    other_name: str,
    target_type: Any,
    check_other: bool = True,
) -> Tensor | None:
    """A mask whose True entries forbid, as one to be added: minus infinity there, zero elsewhere.

    Raises:
        AssertionError: it is neither boolean nor floating-point.
    Source: torch.nn.functional._canonical_mask.
    """
    if mask is None:
        return None
    boolean = mask.dtype is dtypes.bool_
    if not boolean and not mask.is_floating_point():
        raise AssertionError(f"{mask_name} must be boolean or floating-point, not {mask.dtype}")
    if check_other and other_type is not None and mask.dtype is not other_type:
        warnings.warn(
            f"{mask_name} and {other_name} have different dtypes, which is deprecated: use the same",
            stacklevel=3,
        )
    return zeros(mask.shape, dtype=target_type).masked_fill(mask, -math.inf) if boolean else mask


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention with several heads, between projections of its inputs and of its output.

    Shapes: query (L, N, E), key and value (S, N, *), each without N if unbatched; output (L, N, E), weights
    (N, L, S)
    or (N, heads, L, S).

    Args:
        in_proj_weight: the three input projections, (3 E, E), unless ``use_separate_proj_weight``.
        bias_k, bias_v: one more key and value, (1, 1, E).
        add_zero_attn: one more key and value of zeros.
        key_padding_mask: (N, S), True (or minus infinity) for keys that are padding.
        attn_mask: (L, S) or (N heads, L, S), True (or minus infinity) for forbidden pairs.
        need_weights: return the attention weights, averaged over heads if ``average_attn_weights``.
        static_k, static_v: projected keys and values, (N heads, S, E / heads).
        is_causal: a hint that ``attn_mask`` is causal.
    Raises:
        AssertionError, RuntimeError: shapes that do not fit.
    Source: torch.nn.functional.multi_head_attention_forward.
    """
    batched = _check_heads(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = (x.unsqueeze(1) for x in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    _check_width(width, embed_dim_to_check, num_heads)
    if is_causal and attn_mask is None:
        raise errors.runtime(
            "is_causal is a hint about attn_mask, which is missing",
            hint="attn_mask=torch.nn.Transformer.generate_square_subsequent_mask(length)",
        )
    # The hint replaces the mask where nothing else has to be told.
    alone = key_padding_mask is None and not need_weights and not add_zero_attn and bias_k is None
    is_causal = is_causal and alone
    other = None if attn_mask is None else attn_mask.dtype
    key_padding_mask = canonical_mask(key_padding_mask, "key_padding_mask", other, "attn_mask", query.dtype)
    attn_mask = canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, check_other=False)
    attn_mask = _three_dimensional(attn_mask, (length, key.shape[0]), batch * num_heads)

    separate = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None
    q, k, v = _projected(query, key, value, in_proj_weight, separate, in_proj_bias)
    k, v, extra = _with_learnt_pair(k, v, bias_k, bias_v, static_k is not None or static_v is not None)
    q, k, v = (_per_head(x, batch * num_heads) for x in (q, k, v))
    k = k if static_k is None else _checked_static(static_k, "static_k", batch * num_heads, width // num_heads)
    v = v if static_v is None else _checked_static(static_v, "static_v", batch * num_heads, width // num_heads)
    if add_zero_attn:
        nothing = zeros((batch * num_heads, 1, width // num_heads), dtype=k.dtype)
        k, v = cat([k, nothing], dim=1), cat([v, nothing], dim=1)
        extra += 1
    mask = None
    if not is_causal:
        mask = _merged_mask(attn_mask, key_padding_mask, extra, batch, num_heads, k.shape[1])

    output, attention = _attend(q, k, v, mask, is_causal, dropout_p if training else 0.0, need_weights)
    output = output.transpose(0, 1).reshape(length * batch, width)
    output = F.linear(output, out_proj_weight, out_proj_bias).reshape(length, batch, -1)
    if attention is not None:
        attention = attention.reshape(batch, num_heads, length, k.shape[1])
        attention = attention.mean(dim=1) if average_attn_weights else attention
    if not batched:
        return output.squeeze(1), None if attention is None else attention.squeeze(0)
    return output, attention


def _attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    is_causal: bool,
    dropout_p: float,
    need_weights: bool,
) -> tuple[Tensor, Tensor | None]:
    """The heads' outputs and, if asked for, their weights.

    As in PyTorch, a query to which no key is left gets NaN with weights, and zeros without.
    """
    if not need_weights:
        return scaled_dot_product_attention(q, k, v, mask, dropout_p, is_causal), None
    scores = q * math.sqrt(1.0 / q.shape[-1]) @ k.transpose(-2, -1)
    attention = F.softmax(scores if mask is None else scores + mask, dim=-1)
    if dropout_p > 0.0:
        attention = F.dropout(attention, dropout_p)
    return attention @ v, attention


def _check_width(width: int, expected: int, num_heads: int) -> None:
    if width != expected:
        raise AssertionError(f"the query has {width} features, but the module {expected}")
    if width % num_heads:
        raise AssertionError(f"{width} features cannot be divided among {num_heads} heads")


def _with_learnt_pair(
    k: Tensor, v: Tensor, bias_k: Tensor | None, bias_v: Tensor | None, static: bool
) -> tuple[Tensor, Tensor, int]:
    """Keys and values with the learnt pair after them, and how many that adds."""
    if (bias_k is None) != (bias_v is None):
        raise AssertionError("bias_k and bias_v must be given together")
    if bias_k is None or bias_v is None:
        return k, v, 0
    if static:
        raise AssertionError("bias_k and bias_v cannot be added to static keys and values")
    batch = k.shape[1]
    return cat([k, bias_k.repeat(1, batch, 1)]), cat([v, bias_v.repeat(1, batch, 1)]), 1


def _check_heads(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None,
    attn_mask: Tensor | None,
    num_heads: int,
) -> bool:
    """Whether the inputs have a batch."""
    rank = query.dim()
    if rank not in (2, 3):
        raise AssertionError(f"attention needs a query of 2 or 3 dimensions, got {rank}")
    if key.dim() != rank or value.dim() != rank:
        raise AssertionError(
            f"a query of {rank} dimensions needs such a key and value, got {key.dim()} and {value.dim()}"
        )
    if key_padding_mask is not None and key_padding_mask.dim() != rank - 1:
        raise AssertionError(f"a {rank}D query needs a {rank - 1}D key_padding_mask, got {key_padding_mask.dim()}D")
    if attn_mask is not None:
        if attn_mask.dim() not in (2, 3):
            raise AssertionError(f"attn_mask needs 2 or 3 dimensions, got {attn_mask.dim()}")
        expected = (num_heads, query.shape[0], key.shape[0])
        if rank == 2 and attn_mask.dim() == 3 and tuple(attn_mask.shape) != expected:
            raise AssertionError(f"attn_mask needs shape {expected}, got {tuple(attn_mask.shape)}")
    return rank == 3


def _three_dimensional(mask: Tensor | None, pairs: tuple[int, int], count: int) -> Tensor | None:
    if mask is None:
        return None
    expected = pairs if mask.dim() == 2 else (count, *pairs)
    if tuple(mask.shape) != expected:
        raise errors.runtime(f"attn_mask needs shape {expected}, got {tuple(mask.shape)}")
    return mask.unsqueeze(0) if mask.dim() == 2 else mask


def _projected(
    query: Tensor, key: Tensor, value: Tensor, together: Tensor | None, separate: Any, bias: Tensor | None
) -> tuple[Tensor, ...]:
    """The three input projections, in one product where the inputs are the same tensor."""
    if separate is None:
        if key.shape != value.shape:
            raise AssertionError(f"key {list(key.shape)} and value {list(value.shape)} differ in shape")
        assert together is not None, "in_proj_weight is missing"
        if query is key and key is value:
            return F.linear(query, together, bias).chunk(3, dim=-1)
        separate = together.chunk(3)
    elif key.shape[:2] != value.shape[:2]:
        raise AssertionError(f"key {list(key.shape)} and value {list(value.shape)} differ in length or batch")
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    inputs = (query, key, value)
    return tuple(F.linear(x, weight, b) for x, weight, b in zip(inputs, separate, biases, strict=True))


def _per_head(x: Tensor, count: int) -> Tensor:
    """(length, batch, width) to (batch heads, length, width / heads)."""
    return x.reshape(x.shape[0], count, -1).transpose(0, 1)


def _checked_static(x: Tensor, name: str, count: int, width: int) -> Tensor:
    if x.shape[0] != count or x.shape[2] != width:
        raise AssertionError(f"{name} needs shape ({count}, *, {width}), got {tuple(x.shape)}")
    return x


def _merged_mask(
    attn_mask: Tensor | None, key_padding_mask: Tensor | None, extra: int, batch: int, heads: int, keys: int
) -> Tensor | None:
    """One mask to be added to (batch heads, length, keys), in which the ``extra`` keys are allowed."""
    if attn_mask is not None and extra:
        attn_mask = F.pad(attn_mask, (0, extra))
    if key_padding_mask is None:
        return attn_mask
    padding: Any = F.pad(key_padding_mask, (0, extra)) if extra else key_padding_mask
    if tuple(padding.shape) != (batch, keys):
        raise AssertionError(f"key_padding_mask needs shape {(batch, keys)}, got {tuple(padding.shape)}")
    spread = padding.reshape(batch, 1, 1, keys).expand(-1, heads, -1, -1).reshape(batch * heads, 1, keys)
    return spread if attn_mask is None else attn_mask + spread
