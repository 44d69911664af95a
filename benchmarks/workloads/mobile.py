"""Depthwise separable convolutions on 32 images of 48 x 48, SGD with Nesterov's momentum."""

from __future__ import annotations

from typing import Any

from workloads.training import Training, floats, initialized, integers


def build(torch: Any, rng: Any) -> Training:
    nn = torch.nn

    def separable(before: int, after: int, stride: int) -> list[Any]:
        apart = nn.Conv2d(before, before, 3, stride, 1, groups=before, bias=False)
        across = nn.Conv2d(before, after, 1, bias=False)
        return [apart, nn.BatchNorm2d(before), nn.ReLU6(), across, nn.BatchNorm2d(after), nn.ReLU6()]

    first = [nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6()]
    blocks = [*separable(16, 32, 1), *separable(32, 64, 2), *separable(64, 64, 1)]
    model = nn.Sequential(*first, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    initialized(torch, model, rng)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    data = floats(torch, rng, 32, 3, 48, 48), integers(torch, rng, 10, 32)
    return Training(model, optimizer, nn.functional.cross_entropy, *data)
