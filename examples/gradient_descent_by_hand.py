"""Gradient descent without an optimizer: W moves against W.grad.

The move goes through .data, so that autograd does not record it. backward() adds into W.grad; what an
optimizer's zero_grad() does for every parameter is one line here: W.grad.data.zero_().
"""

import torch

torch.manual_seed(1)
X = torch.randn(64, 3)
truth = torch.tensor([[1.5], [-2.0], [0.7]])
Y = X @ truth + 0.01 * torch.randn(64, 1)

W = torch.zeros(3, 1, requires_grad=True)
learning_rate = 0.1

for step in range(30):
    loss = ((X @ W - Y) ** 2).mean()
    loss.backward()
    W.data -= learning_rate * W.grad.data
    W.grad.data.zero_()
    if step % 5 == 4:
        weights = [round(w, 5) for w in W.data.flatten().tolist()]
        print(f"step {step + 1}  loss {loss.item():.6f}  W {weights}")

print("gradient after the last zero_:", W.grad.abs().sum().item())
