"""The UCI optical digits, packaged with zerograd (README.md in this folder: source and licence)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import numpy as np

TEST_SHARE = 0.2
BRIGHTEST = 16


@dataclass(frozen=True)
class Digits:
    """Images of digits for training and for testing.

    Args:
        name: what to call the set in messages.
        train_images, test_images: float32 of shape (N, 1, height, width), 0 (paper) to 1 (ink).
        train_labels, test_labels: int64 of shape (N,), 0 to 9.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load_digits() -> Digits:
    """The 1,797 UCI digits, every fifth of them (in an order drawn once, seed 0) set aside for testing."""
    with (
        files("zerograd.data").joinpath("digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        images = arrays["images"].astype(np.float32)[:, None] / BRIGHTEST
        labels = arrays["labels"].astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    test, train = np.split(order, [round(TEST_SHARE * len(order))])
    return Digits("UCI digits", images[train], labels[train], images[test], labels[test])
