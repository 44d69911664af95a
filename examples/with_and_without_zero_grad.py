"""The same training twice, with zero_grad() and without.

Without it, every step applies the sum of all gradients so far. For plain gradient descent that is momentum 1:
the parameters pass the minimum at full speed and swing about it for ever, while with zero_grad() they come to
rest in it.
"""

import torch
from torch import nn


def train(clear_gradients):
    torch.manual_seed(3)
    X = torch.randn(50, 2)
    Y = X @ torch.tensor([[2.0], [-1.0]]) + 0.3
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(40):
        if clear_gradients:
            optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(X), Y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


with_clearing = train(clear_gradients=True)
without_clearing = train(clear_gradients=False)
print("step   with zero_grad   without")
for step in range(0, 40, 3):
    print(f"{step:4}   {with_clearing[step]:14.6f}   {without_clearing[step]:.6f}")
print(f"least loss: {min(with_clearing):.6f} with, {min(without_clearing):.6f} without")
