"""A small generative adversarial network, batch 64: two models and two optimizers in one step."""

from __future__ import annotations

from typing import Any

from workloads.training import Program, floats, initialized


def build(torch: Any, rng: Any) -> Program:
    nn = torch.nn
    last, slope = nn.Linear(64, 1), 0.2
    generator = nn.Sequential(
        nn.Linear(16, 64), nn.LeakyReLU(slope), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.LeakyReLU(slope),
        nn.Linear(64, 2),
    )  # fmt: skip
    critic = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(slope), nn.Linear(64, 64), nn.LeakyReLU(slope), last)
    initialized(torch, generator, rng)
    initialized(torch, critic, rng)
    making, judging = (torch.optim.Adam(one.parameters(), lr=2e-4, betas=(0.5, 0.999)) for one in (generator, critic))
    loss = nn.BCEWithLogitsLoss()
    real, noise = floats(torch, rng, 64, 2), floats(torch, rng, 64, 16)
    ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)

    def step() -> Any:
        judging.zero_grad()
        made = generator(noise)
        judged = loss(critic(real), ones) + loss(critic(made.detach()), zeros)
        judged.backward()
        judging.step()
        making.zero_grad()
        deceived = loss(critic(made), ones)
        deceived.backward()
        making.step()
        return judged + deceived

    return Program(generator, making, step)
