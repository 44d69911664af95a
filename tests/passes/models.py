"""Small trainings of the usual kinds. Each is a function that makes a step of training, a function of no arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import zerograd as torch
from zerograd import nn
from zerograd.nn import functional as F

Step = Callable[[], Any]
KIND = torch.float64


def numbers(*shape: int) -> Any:
    return torch.tensor(np.random.default_rng(0).standard_normal(shape), dtype=KIND)


def classes(high: int, *shape: int) -> Any:
    return torch.tensor(np.random.default_rng(1).integers(0, high, shape))


def training(model: Any, loss: Callable[[], Any], optimizer: Callable[..., Any] = torch.optim.Adam) -> Step:
    rule = optimizer(model.parameters(), lr=1e-2)

    def step() -> Any:
        rule.zero_grad()
        value = loss()
        value.backward()
        rule.step()
        return value

    return step


def perceptron() -> Step:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).to(KIND)
    x, y = numbers(6, 4), classes(3, 6)
    return training(model, lambda: F.cross_entropy(model(x), y), torch.optim.SGD)


def layer_norm() -> Step:
    model = nn.LayerNorm(8).to(KIND)
    x, y = numbers(2, 3, 8), numbers(2, 3, 8)
    return training(model, lambda: F.mse_loss(model(x), y), torch.optim.SGD)


class Attention(nn.Module):
    """Causal attention with two heads, its queries, keys and values from one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24, bias=False), nn.Linear(8, 8, bias=False)

    def forward(self, x: Any) -> Any:
        batch, length, width = x.shape
        parts = self.qkv(x).split(width, 2)
        q, k, v = (one.view(batch, length, 2, width // 2).transpose(1, 2) for one in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(batch, length, width))


def attention() -> Step:
    model = Attention().to(KIND)
    x, y = numbers(3, 4, 8), numbers(3, 4, 8)
    return training(model, lambda: F.mse_loss(model(x), y), torch.optim.SGD)


def classification() -> Step:
    logits = nn.Parameter(numbers(5, 3))
    y = classes(3, 5)
    weights = torch.tensor([1.0, 2.0, 0.5], dtype=KIND)
    model = nn.ParameterList([logits])
    return training(model, lambda: F.cross_entropy(logits, y, weight=weights, label_smoothing=0.1), torch.optim.SGD)


def adam() -> Step:
    w = nn.Parameter(numbers(4, 3))
    return training(nn.ParameterList([w]), lambda: (w * w).sum(), torch.optim.Adam)


def recurrent() -> Step:
    model = nn.LSTMCell(3, 4).to(KIND)
    xs, y = numbers(3, 2, 3), numbers(3, 2, 4)

    def loss() -> Any:
        h, c, hs = torch.zeros(2, 4, dtype=KIND), torch.zeros(2, 4, dtype=KIND), []
        for x in xs.unbind(0):
            h, c = model(x, (h, c))
            hs.append(h)
        return F.mse_loss(torch.stack(hs), y)

    return training(model, loss, torch.optim.SGD)


def convolutional() -> Step:
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(27, 4), nn.LogSoftmax(1),
    ).to(KIND)  # fmt: skip
    x, y = numbers(2, 1, 8, 8), classes(4, 2)
    return training(model, lambda: F.nll_loss(model(x), y))


def gated() -> Step:
    model = nn.ModuleList([nn.Embedding(7, 4), nn.GRU(4, 5, bidirectional=True), nn.Linear(10, 7)]).to(KIND)
    tokens, y = classes(7, 6, 2), classes(7, 12)
    return training(
        model, lambda: F.cross_entropy(model[2](model[1](model[0](tokens))[0]).flatten(0, 1), y), torch.optim.RMSprop
    )


def transformer() -> Step:
    model = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True).to(KIND)
    x, y = numbers(2, 5, 8), numbers(2, 5, 8)
    return training(model, lambda: F.smooth_l1_loss(model(x), y), torch.optim.AdamW)


def second_derivatives() -> Step:
    model = nn.Sequential(nn.Linear(3, 6), nn.Softplus(), nn.Linear(6, 1)).to(KIND)
    x = numbers(4, 3).requires_grad_()

    def loss() -> Any:
        y = model(x)
        (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        return (slope.norm(dim=1) - 1).square().mean() + y.logsumexp(0).sum()

    return training(model, loss)


def bookkeeping() -> Step:
    """Running means in place, padding, cumulative sums, sorted rows, a variance: all that is not a layer."""
    w = nn.Parameter(numbers(4, 6))
    mean = torch.zeros(6, dtype=KIND)

    def loss() -> Any:
        x = F.pad(w, (1, 1)).roll(1, 0)
        x[:, 0] = x[:, 1] * 2
        mean.lerp_(w.detach().mean(0), 0.1)
        rows = torch.cat([x.cumsum(1).flip(1), x.sort(1)[0]], 1)
        best, place = rows.max(1)
        return (w - mean).var(0).sum() + best.clamp(-1, 1).sum() + rows.gather(1, place[:, None] // 2).sum()

    return training(nn.ParameterList([w]), loss)


GOLDEN = {one.__name__: one for one in (perceptron, layer_norm, attention, classification, adam, recurrent)}
MODELS = GOLDEN | {one.__name__: one for one in (convolutional, gated, transformer, second_derivatives, bookkeeping)}
