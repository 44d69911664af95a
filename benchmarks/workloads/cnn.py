"""Three convolutions with batch normalisation on 32 images of 3 x 32 x 32, SGD with momentum."""

from __future__ import annotations

from typing import Any

from workloads.training import Training, floats, initialized, integers


def build(torch: Any, rng: Any) -> Training:
    nn = torch.nn
    layers: list[Any] = []
    for before, after in ((3, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 4 * 4, 10))
    optimizer = torch.optim.SGD(initialized(torch, model, rng).parameters(), lr=0.01, momentum=0.9)
    data = floats(torch, rng, 32, 3, 32, 32), integers(torch, rng, 10, 32)
    return Training(model, optimizer, nn.functional.cross_entropy, *data)
