"""A line fitted by Adam, one sample at a time: W and b are plain tensors that require gradients.

Each sample gives a gradient of its own, so each begins with zero_grad(): without it, Adam would be handed the
sum over all samples seen so far.
"""

import torch

torch.manual_seed(0)
samples = torch.linspace(-1, 1, 21)
targets = 3 * samples + 0.5 + 0.05 * torch.randn(21)

W = torch.randn(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
optimizer = torch.optim.Adam([W, b], lr=0.05)

for epoch in range(10):
    total = 0.0
    for x, y in zip(samples, targets):
        optimizer.zero_grad()
        loss = (W * x + b - y).pow(2).sum()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch}  mean loss {total / len(samples):.6f}  W {W.item():.6f}  b {b.item():.6f}")
