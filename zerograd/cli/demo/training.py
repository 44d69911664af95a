"""The network of the demo and its training, written as a PyTorch program."""

from __future__ import annotations

from collections.abc import Iterator

import zerograd as torch
from zerograd import nn
from zerograd.cli.demo.progress import progress
from zerograd.data import Digits

SEED = 0
BATCH = 32
LEARNING_RATE = 3e-3
IMAGES_TO_SEE = 30_000
"""Training ends after about so many images, or after one pass over a larger set."""


def network(height: int, width: int) -> nn.Sequential:
    """Two convolutions, each followed by halving the picture, and a linear layer; always the same weights."""
    torch.manual_seed(SEED)
    return nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * (height // 4) * (width // 4), 10),
    )


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of all trainings in the demo."""
    return torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)


def batches(digits: Digits, epochs: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Images and labels of shuffled batches, epoch after epoch."""
    images, labels = torch.from_numpy(digits.train_images), torch.from_numpy(digits.train_labels)
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels)).split(BATCH):
            yield images[chosen], labels[chosen]


def epochs_for(digits: Digits) -> int:
    """How many passes over the training images show IMAGES_TO_SEE images."""
    return max(1, round(IMAGES_TO_SEE / len(digits.train_labels)))


def train(model: nn.Module, digits: Digits, epochs: int) -> None:
    """The training loop."""
    optimizer = optimizer_of(model)
    model.train()
    steps = epochs * -(-len(digits.train_labels) // BATCH)
    with progress(steps, "training") as bar:
        for images, labels in batches(digits, epochs):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            bar.set_postfix_str(f"loss {loss.item():.4f}", refresh=False)
            bar.update()


@torch.no_grad()
def count_right(model: nn.Module, digits: Digits) -> int:
    """How many test images the network takes for what they are."""
    model.eval()
    images, labels = torch.from_numpy(digits.test_images), torch.from_numpy(digits.test_labels)
    pieces = zip(images.split(1000), labels.split(1000), strict=True)
    return sum(int((model(part).argmax(dim=1) == truth).sum().item()) for part, truth in pieces)


def count_parameters(model: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(p.numel() for p in model.parameters())
