"""Attention and the Transformer: outputs, weights, gradients, masks, in both libraries."""

from __future__ import annotations

import math
from typing import Any

import pytest
from nn.scenarios import agree, numbers, raised


def attend(library: Any, *shapes: tuple[int, ...], **options: Any) -> Any:
    q, k, v = (numbers(library, *shape, end=i + 1).requires_grad_() for i, shape in enumerate(shapes))
    output = library.nn.functional.scaled_dot_product_attention(q, k, v, **options)
    (output * output).sum().backward()
    return output, q.grad, k.grad, v.grad


SQUARE = ((2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 7))


def allowed(library: Any) -> Any:
    """A mask for 4 queries and 6 keys, whose second query has no key left."""
    return library.tensor([[(i + j) % 3 != 0 and i != 1 for j in range(6)] for i in range(4)])


OPTIONS: dict[str, Any] = {
    "plain": lambda library: {},
    "scale": lambda library: {"scale": 0.3},
    "causal": lambda library: {"is_causal": True},
    "float mask": lambda library: {"attn_mask": numbers(library, 4, 6)},
    "boolean mask": lambda library: {"attn_mask": allowed(library)},
    "batched mask": lambda library: {"attn_mask": numbers(library, 2, 1, 4, 6)},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
def test_scaled_dot_product_attention(options: Any) -> None:
    agree(lambda library: attend(library, *SQUARE, **options(library)), tolerance=1e-4)


def test_grouped_queries_share_heads() -> None:
    shapes = ((2, 6, 4, 5), (2, 2, 3, 5), (2, 2, 3, 5))
    agree(lambda library: attend(library, *shapes, enable_gqa=True))


def test_dropout_of_attention_keeps_the_mean() -> None:
    def scenario(library: Any) -> Any:
        q = library.zeros(1, 200, 2)
        output = library.nn.functional.scaled_dot_product_attention(q, q, library.ones(1, 200, 2), dropout_p=0.5)
        return abs(output.mean().item() - 1) < 0.1, (output != 1).any().item()

    agree(scenario)


WRONG = {
    "both masks": lambda library: attend(library, *SQUARE, attn_mask=allowed(library), is_causal=True),
    "vectors": lambda library: attend(library, (3,), (3,), (3,)),
    "integer mask": lambda library: attend(library, *SQUARE, attn_mask=library.ones(4, 6, dtype=library.int64)),
    "dtypes": lambda library: library.nn.functional.scaled_dot_product_attention(
        library.ones(2, 3), library.ones(2, 3, dtype=library.float64), library.ones(2, 3)
    ),
    "heads": lambda library: library.nn.MultiheadAttention(5, 2),
    "embed_dim": lambda library: library.nn.MultiheadAttention(0, 2),
    "query dimensions": lambda library: library.nn.MultiheadAttention(4, 2)(*[library.ones(1, 2, 3, 4)] * 3),
    "query size": lambda library: library.nn.MultiheadAttention(4, 2)(*[library.ones(2, 3, 5)] * 3),
    "mask shape": lambda library: library.nn.MultiheadAttention(4, 2)(
        *[library.ones(2, 3, 4)] * 3, attn_mask=library.zeros(3, 3)
    ),
    "padding shape": lambda library: library.nn.MultiheadAttention(4, 2)(
        *[library.ones(2, 3, 4)] * 3, key_padding_mask=library.zeros(2, 2)
    ),
    "causal without mask": lambda library: library.nn.MultiheadAttention(4, 2)(
        *[library.ones(2, 3, 4)] * 3, is_causal=True
    ),
    "d_model": lambda library: library.nn.Transformer(4, 2, 1, 1, 8)(library.ones(3, 1, 5), library.ones(3, 1, 5)),
    "batches": lambda library: library.nn.Transformer(4, 2, 1, 1, 8)(library.ones(3, 1, 4), library.ones(3, 2, 4)),
    "activation": lambda library: library.nn.TransformerEncoderLayer(4, 2, activation="sine"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_wrong_calls_raise_pytorchs_errors(wrong: Any) -> None:
    agree(lambda library: raised(lambda: wrong(library)))


CONSTRUCTORS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch first": {"batch_first": True},
    "no bias": {"bias": False},
    "extra keys": {"add_bias_kv": True, "add_zero_attn": True},
    "own sizes": {"kdim": 3, "vdim": 6, "batch_first": True},
}
CALLS: dict[str, Any] = {
    "weights": lambda library: {},
    "weights per head": lambda library: {"average_attn_weights": False},
    "no weights": lambda library: {"need_weights": False},
    "mask": lambda library: {"attn_mask": library.tensor([[j > i for j in range(3)] for i in range(3)])},
    "mask per head": lambda library: {"attn_mask": numbers(library, 3 * 2, 3, 3), "need_weights": False},
    "padding": lambda library: {"key_padding_mask": library.tensor([[j > n for j in range(3)] for n in range(3)])},
    "both": lambda library: {
        "attn_mask": numbers(library, 3, 3),
        "key_padding_mask": numbers(library, 3, 3),
        "need_weights": False,
    },
}


@pytest.mark.parametrize("constructor", CONSTRUCTORS.values(), ids=list(CONSTRUCTORS))
@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_multihead_attention(constructor: dict[str, Any], call: Any) -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.MultiheadAttention(4, 2, **constructor)
        query = numbers(library, 3, 3, 4).requires_grad_()
        key = numbers(library, 3, 3, constructor.get("kdim", 4))
        value = numbers(library, 3, 3, constructor.get("vdim", 4))
        output, weights = module(query, key, value, **call(library))
        (output * output).sum().backward()
        return output, weights, query.grad, [one.grad for one in module.parameters()]

    agree(scenario)


def test_self_attention_without_a_batch() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.MultiheadAttention(4, 2, batch_first=True)
        x = numbers(library, 3, 4)
        return module(x, x, x), module(x, x, x, need_weights=False)[0]

    agree(scenario)


def test_a_causal_hint_replaces_the_mask() -> None:
    def scenario(library: Any) -> Any:
        module = library.nn.MultiheadAttention(4, 2)
        x = numbers(library, 3, 2, 4)
        mask = library.nn.Transformer.generate_square_subsequent_mask(3)
        hinted = module(x, x, x, attn_mask=mask, is_causal=True, need_weights=False)[0]
        return mask, hinted, module(x, x, x, attn_mask=mask)[0]

    agree(scenario)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_transformer_with_masks(norm_first: bool, batch_first: bool) -> None:
    def scenario(library: Any) -> Any:
        model = library.nn.Transformer(4, 2, 2, 2, 8, dropout=0.0, norm_first=norm_first, batch_first=batch_first)
        src, tgt = numbers(library, 3, 3, 4).requires_grad_(), numbers(library, 3, 3, 4, end=2)
        mask = model.generate_square_subsequent_mask(3)
        padding = library.tensor([[False, False, n == 1] for n in range(3)])
        output = model(
            src,
            tgt,
            tgt_mask=mask,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
            tgt_is_causal=True,
        )
        (output * output).sum().backward()
        return output, src.grad, {name: one.grad for name, one in model.named_parameters()}

    agree(scenario, tolerance=1e-4)


@pytest.mark.parametrize("left_aligned", [True, False])
def test_outputs_at_the_padding_in_evaluation(left_aligned: bool) -> None:
    def scenario(library: Any) -> Any:
        layer = library.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        model = library.nn.TransformerEncoder(layer, 2).eval()
        padding = library.tensor([[False, not left_aligned, True], [False, False, left_aligned]])
        with library.no_grad():
            return model(numbers(library, 2, 3, 4), src_key_padding_mask=padding)

    agree(scenario)


def test_dropout_in_a_layer_draws_pytorchs_numbers() -> None:
    def scenario(library: Any) -> Any:
        layer = library.nn.TransformerEncoderLayer(8, 2, 16)
        return layer(numbers(library, 3, 2, 8)), library.rand(1)

    agree(scenario)


def test_attention_backends_are_accepted() -> None:
    def scenario(library: Any) -> Any:
        attention = library.nn.attention
        q = numbers(library, 2, 3, 4)
        with attention.sdpa_kernel([attention.SDPBackend.MATH, attention.SDPBackend.FLASH_ATTENTION]):
            return library.nn.functional.scaled_dot_product_attention(q, q, q)

    agree(scenario)


def test_a_query_without_keys_attends_to_nothing() -> None:
    def scenario(library: Any) -> Any:
        x = numbers(library, 2, 3)
        mask = library.full((2, 2), -math.inf)
        return library.nn.functional.scaled_dot_product_attention(x, x, x, attn_mask=mask)

    agree(scenario)
