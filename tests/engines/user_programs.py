"""Training programs as users write them, small: their graphs are what engines have to compute."""

from __future__ import annotations

from collections.abc import Callable

import zerograd as torch
from zerograd import nn
from zerograd.nn import functional as F

STEPS = 3


def _train(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[[], torch.Tensor]) -> None:
    for _ in range(STEPS):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        value.item()


def perceptron() -> None:
    model = nn.Sequential(nn.Linear(13, 33), nn.ReLU(), nn.Dropout(0.2), nn.Linear(33, 5))
    x, y = torch.randn(17, 13), torch.randint(0, 5, (17,))
    _train(model, torch.optim.Adam(model.parameters(), lr=0.01), lambda: F.cross_entropy(model(x), y))


def images() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2), nn.GELU(), nn.Flatten(), nn.Linear(24, 3),
    )  # fmt: skip
    x, y = torch.randn(5, 1, 10, 10), torch.randint(0, 3, (5,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3, nesterov=True)
    _train(model, optimizer, lambda: F.cross_entropy(model(x), y, label_smoothing=0.1))


def sequences() -> None:
    embedding, cell, head = nn.Embedding(11, 8), nn.LSTM(8, 9, batch_first=True), nn.Linear(9, 11)
    model = nn.ModuleList([embedding, cell, head])
    x = torch.randint(0, 11, (3, 7))

    def loss() -> torch.Tensor:
        states, _ = cell(embedding(x[:, :-1]))
        return F.cross_entropy(head(states).reshape(-1, 11), x[:, 1:].reshape(-1))

    _train(model, torch.optim.RMSprop(model.parameters(), lr=0.01), loss)


def transformer() -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 24, dropout=0.0, batch_first=True, activation="gelu", norm_first=True)
    model = nn.ModuleList([layer, nn.Embedding(13, 16)])
    x = torch.randint(0, 13, (2, 9))
    mask = nn.Transformer.generate_square_subsequent_mask(8)

    def loss() -> torch.Tensor:
        hidden = layer(model[1](x[:, :-1]), src_mask=mask)
        return F.cross_entropy((hidden @ model[1].weight.T).reshape(-1, 13), x[:, 1:].reshape(-1))

    _train(model, torch.optim.AdamW(model.parameters(), lr=0.01), loss)


def regression() -> None:
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 1))
    x = torch.linspace(-1, 1, 31).reshape(-1, 1) ** torch.tensor([1.0, 2.0, 3.0])
    _train(model, torch.optim.Adagrad(model.parameters()), lambda: F.smooth_l1_loss(model(x)[:, 0], x.sum(1).sin()))


def in_place() -> None:
    x = torch.arange(24, dtype=torch.float32).reshape(4, 6).t()
    x[1:4, ::2] += 0.5
    x[0] = x[5].flip(0)
    x.clamp_(max=19.0)
    half = x.to(torch.bfloat16).mul(1.7).to(torch.float64)
    (half.softmax(0).sum() + x.sort(dim=1).values[:, -1].cumsum(0).prod()).item()
    (x > 3).sum(dim=0).tolist(), x.argmax(1).tolist()


PROGRAMS: dict[str, Callable[[], None]] = {
    one.__name__: one for one in (perceptron, images, sequences, transformer, regression, in_place)
}
