"""Not clearing gradients but fading them: halving each .grad before backward() is momentum 0.5.

The gradients are reached through the optimizer's param_groups. Next to it stands zero_grad() as PyTorch once
wrote it, which still works: a gradient that has a history of its own (create_graph) is detached, any other
stops requiring gradients.
"""

import torch
from torch import nn


def old_zero_grad(optimizer):
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p.grad is not None:
                if p.grad.grad_fn is not None:
                    p.grad.detach_()
                else:
                    p.grad.requires_grad_(False)
                p.grad.zero_()


def halve(optimizer):
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p.grad is not None:
                p.grad /= 2


def train(prepare, momentum=0.0):
    torch.manual_seed(13)
    X = torch.randn(40, 3)
    Y = torch.sin(X).sum(dim=1, keepdim=True)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(
        [{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.05}],
        lr=0.1,
        momentum=momentum,
    )
    losses = []
    for _ in range(25):
        prepare(optimizer)
        loss = nn.functional.mse_loss(model(X), Y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


cleared = train(old_zero_grad)
halved = train(halve)
momentum = train(lambda optimizer: optimizer.zero_grad(), momentum=0.5)
print("step   cleared    halved     momentum 0.5")
for step in range(0, 25, 4):
    print(f"{step:4}   {cleared[step]:.6f}   {halved[step]:.6f}   {momentum[step]:.6f}")

p = torch.tensor([2.0, -1.0], requires_grad=True)
optimizer = torch.optim.SGD([p], lr=0.1)
p.grad = torch.autograd.grad((p**3).sum(), p, create_graph=True)[0]
print("with create_graph the gradient has a history:", p.grad.grad_fn is not None, p.grad.tolist())
old_zero_grad(optimizer)
print("after the old zero_grad it has none:", p.grad.grad_fn is None, p.grad.requires_grad, p.grad.tolist())
