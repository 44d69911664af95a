"""`zerograd demo`: train on handwritten digits, then show what zero_grad is for."""

from __future__ import annotations

import time
from pathlib import Path

from zerograd.cli.demo.comparison import compare
from zerograd.cli.demo.picture import draw
from zerograd.cli.demo.training import count_parameters, count_right, epochs_for, network, train
from zerograd.cli.demo.words import sentences, table
from zerograd.data import Digits

COMPARED_STEPS = 200

__all__ = ["demo"]


def demo(digits: Digits, epochs: int | None, folder: Path) -> None:
    """Train, test, compare the three ways to treat an old gradient, and write a picture.

    Args:
        digits: what to learn.
        epochs: passes over the training images; None for as many as a set of its size needs.
        folder: where the picture goes; it is made if it is missing.
    """
    height, width = digits.train_images.shape[2:]
    print(
        f"{digits.name}: {len(digits.train_labels):,} images to train on and {len(digits.test_labels):,} "
        f"to test, of {height}x{width} pixels"
    )
    epochs = epochs or epochs_for(digits)
    model = network(height, width)
    print(f"\nTraining a convolutional network of {count_parameters(model):,} parameters, {epochs} epochs")
    start = time.perf_counter()
    train(model, digits, epochs)
    seconds = time.perf_counter() - start
    right, total = count_right(model, digits), len(digits.test_labels)
    print(f"test accuracy {100 * right / total:.2f} % ({right:,} of {total:,}) after {seconds:.1f} s")

    print(f"\nThe first {COMPARED_STEPS} steps again, with three ways to treat the gradient of the step before")
    runs = compare(digits, COMPARED_STEPS)
    print(table(runs))
    print("\nWhat one sees:")
    print("\n".join(sentences(runs)))
    print(f"\n{draw(runs, folder)}")
