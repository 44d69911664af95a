"""zero_grad(set_to_none=True), the default, against set_to_none=False.

None gives the memory back until the next backward(), and an optimizer skips a parameter whose gradient is
None. A gradient of zeros is a gradient: momentum keeps moving its parameter, weight decay keeps shrinking it.
"""

import torch
from torch import nn


def gradient_bytes(model):
    return sum(p.grad.numel() * p.grad.element_size() for p in model.parameters() if p.grad is not None)


def train(set_to_none):
    """Two heads on one body; from step 3 on the loss uses the first alone."""
    torch.manual_seed(5)
    body, first, second = nn.Linear(6, 8), nn.Linear(8, 1), nn.Linear(8, 1)
    model = nn.ModuleList([body, first, second])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.1)
    x = torch.randn(12, 6)
    for step in range(6):
        optimizer.zero_grad(set_to_none=set_to_none)
        held = gradient_bytes(model)
        hidden = torch.tanh(body(x))
        loss = (first(hidden) - 1).pow(2).mean()
        if step < 3:
            loss = loss + (second(hidden) + 1).pow(2).mean()
        loss.backward()
        optimizer.step()
        print(
            f"  step {step}  loss {loss.item():.6f}  gradients held after zero_grad {held:4} bytes"
            f"  |second.weight| {second.weight.norm().item():.6f}  second.bias {second.bias.item():.6f}"
        )
    return "None" if second.weight.grad is None else f"zeros of shape {tuple(second.weight.grad.shape)}"


for choice in (True, False):
    print(f"set_to_none={choice}")
    print("  at the end second.weight.grad is", train(choice))
