"""Deep Q-learning: an action for one state, a batch from the memory, a target network that follows slowly."""

from __future__ import annotations

from typing import Any

from workloads.training import Program, floats, initialized, integers


def build(torch: Any, rng: Any) -> Program:
    nn = torch.nn

    def network() -> Any:
        return nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))

    model, target = initialized(torch, network(), rng), network()
    target.load_state_dict(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, amsgrad=True)
    states, following = floats(torch, rng, 5000, 4), floats(torch, rng, 5000, 4)
    actions, rewards = integers(torch, rng, 2, 5000), floats(torch, rng, 5000)
    batches = [integers(torch, rng, 5000, 64) for _ in range(50)]
    turn = 0

    def step() -> Any:
        nonlocal turn
        with torch.no_grad():
            model(states[turn % 5000].unsqueeze(0)).max(1).indices.item()
        rows = batches[turn % 50]
        turn += 1
        values = model(states[rows]).gather(1, actions[rows].unsqueeze(1))
        with torch.no_grad():
            best = target(following[rows]).max(1).values
        loss = nn.functional.smooth_l1_loss(values, (best * 0.99 + rewards[rows]).unsqueeze(1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 100)
        optimizer.step()
        with torch.no_grad():
            for old, new in zip(target.parameters(), model.parameters(), strict=True):
                old.mul_(0.995).add_(new, alpha=0.005)
        return loss

    return Program(model, optimizer, step)
