"""Recurrent networks use each weight at every time step, so one backward() adds a gradient per time step.

The first part sums these contributions by hand and compares. The second trains on a long sequence by
truncated backpropagation through time: the hidden state goes on from piece to piece, detach() cuts its
history, and zero_grad() ends the gradient of the piece before.
"""

import torch
from torch import nn

torch.manual_seed(11)

print("one weight, used at every time step")
W = (0.5 * torch.randn(4, 4)).requires_grad_()
inputs = torch.randn(6, 4)


def run(weights):
    hidden = torch.zeros(4)
    for x, weight in zip(inputs, weights):
        hidden = torch.tanh(hidden @ weight + x)
    return hidden.sum()


run([W] * 6).backward()
copies = [W.detach().clone().requires_grad_() for _ in range(6)]
run(copies).backward()
print("  gradient of the shared weight ", f"{W.grad.norm().item():.5f}")
print("  sum over the six time steps   ", f"{sum(c.grad for c in copies).norm().item():.5f}")
print("  each time step's contribution ", [round(c.grad.norm().item(), 5) for c in copies])

print("truncated backpropagation through time")
time = torch.arange(0, 401) * 0.1
wave = torch.sin(time).reshape(1, -1, 1)
rnn = nn.RNN(input_size=1, hidden_size=16, batch_first=True)
readout = nn.Linear(16, 1)
optimizer = torch.optim.Adam([*rnn.parameters(), *readout.parameters()], lr=0.01)

for epoch in range(4):
    hidden = torch.zeros(1, 1, 16)
    total = 0.0
    for start in range(0, 400, 20):
        piece, following = wave[:, start : start + 20], wave[:, start + 1 : start + 21]
        hidden = hidden.detach()
        optimizer.zero_grad()
        outputs, hidden = rnn(piece, hidden)
        loss = nn.functional.mse_loss(readout(outputs), following)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"  epoch {epoch}  mean loss {total / 20:.6f}")
