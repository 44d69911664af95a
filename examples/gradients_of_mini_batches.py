"""Why gradients accumulate: the gradient of a sum is the sum of the gradients.

Four backward() calls over mini-batches leave in .grad what one call over the whole batch leaves there, so a
batch that does not fit in memory can be cut into pieces: zero_grad() once, backward() for each piece, step()
once.
"""

import torch
from torch import nn

torch.manual_seed(7)
model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 3))
loss_fn = nn.CrossEntropyLoss(reduction="sum")
inputs, labels = torch.randn(32, 5), torch.randint(0, 3, (32,))

model.zero_grad()
loss_fn(model(inputs), labels).backward()
whole = [p.grad.clone() for p in model.parameters()]

model.zero_grad()
for part, target in zip(inputs.split(8), labels.split(8)):
    loss_fn(model(part), target).backward()
pieces = [p.grad.clone() for p in model.parameters()]

for (name, _), one, sum_of_four in zip(model.named_parameters(), whole, pieces):
    same = torch.allclose(one, sum_of_four, rtol=1e-4, atol=1e-5)
    print(f"{name:9} whole {one.norm().item():.5f}  pieces {sum_of_four.norm().item():.5f}  equal {same}")

print("means need a factor: each piece's mean loss divided by the number of pieces")
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for step in range(5):
    optimizer.zero_grad()
    total = 0.0
    for part, target in zip(inputs.split(8), labels.split(8)):
        loss = loss_fn(model(part), target) / 4
        loss.backward()
        total += loss.item()
    optimizer.step()
    print(f"step {step}  loss of the whole batch {total:.6f}")
