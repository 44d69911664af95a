"""A small U-Net on 8 images of 64 x 64: transposed convolutions, batch normalisation, joined channels; Adam."""

from __future__ import annotations

from typing import Any

from workloads.training import Training, floats, initialized


def build(torch: Any, rng: Any) -> Training:
    nn = torch.nn

    def twice(before: int, after: int) -> Any:
        layers: list[Any] = []
        for channels in (before, after):
            layers += [nn.Conv2d(channels, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers)

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.ModuleList([twice(1, 8), twice(8, 16)])
            self.middle = twice(16, 32)
            self.grow = nn.ModuleList([nn.ConvTranspose2d(32, 16, 2, 2), nn.ConvTranspose2d(16, 8, 2, 2)])
            self.up = nn.ModuleList([twice(32, 16), twice(16, 8)])
            self.head = nn.Conv2d(8, 1, 1)

        def forward(self, x: Any) -> Any:
            kept = []
            for block in self.down:
                x = block(x)
                kept.append(x)
                x = nn.functional.max_pool2d(x, 2)
            x = self.middle(x)
            for grow, block in zip(self.grow, self.up, strict=True):
                x = block(torch.cat([grow(x), kept.pop()], 1))
            return self.head(x)

    model = initialized(torch, UNet(), rng)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    data = floats(torch, rng, 8, 1, 64, 64), torch.sigmoid(floats(torch, rng, 8, 1, 64, 64))
    return Training(model, optimizer, nn.functional.binary_cross_entropy_with_logits, *data)
