"""Reading MNIST and the sets that share its file format, idx.

An idx file is a header and raw bytes: two zero bytes, the element type, the number of dimensions, then each
dimension as a big-endian 32-bit number. Source: the format description at yann.lecun.com/exdb/mnist.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from zerograd.data.digits import Digits

UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"
BRIGHTEST = 255
TRAINING = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TESTING = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
NEEDED = f"an MNIST folder holds {', '.join(TRAINING + TESTING)}, each plain or with .gz"


def load_mnist(folder: str | Path) -> Digits:
    """The four MNIST files of a folder, each plain or with `.gz`.

    Raises:
        FileNotFoundError: the folder or one of the files is missing.
        ValueError: a file is damaged, or images and labels do not belong together.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder; {NEEDED}")
    train, test = (read_pair(*(find(folder, name) for name in pair)) for pair in (TRAINING, TESTING))
    if train[0].shape[1:] != test[0].shape[1:]:
        raise ValueError(f"training images are {size(train[0])} pixels, but test images {size(test[0])}, in {folder}")
    return Digits(f"MNIST files in {folder}", *train, *test)


def find(folder: Path, name: str) -> Path:
    """The file of that name, plain or compressed."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"{folder} has no {name}; {NEEDED}")


def read_pair(images_path: Path, labels_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images as float32 (N, 1, height, width) from 0 to 1, and their labels as int64 (N,)."""
    images = read_idx(images_path, dimensions=3)
    labels = read_idx(labels_path, dimensions=1)
    if len(images) != len(labels):
        raise ValueError(f"{images_path} holds {len(images)} images, but {labels_path} {len(labels)} labels")
    if images.size == 0:
        raise ValueError(f"{images_path} holds no image ({len(images)} of {size(images)} pixels)")
    if labels.max() > 9:
        raise ValueError(f"{labels_path} holds the label {labels.max()}; digits go from 0 to 9")
    return images.astype(np.float32)[:, None] / BRIGHTEST, labels.astype(np.int64)


def size(images: np.ndarray) -> str:
    """Height x width, for messages."""
    return "x".join(map(str, images.shape[-2:]))


def read_idx(path: str | Path, dimensions: int) -> np.ndarray:
    """The array of bytes in an idx file.

    Args:
        path: the file, plain or compressed with gzip (told by its first bytes, not by its name).
        dimensions: how many the array must have, 3 for images and 1 for labels.
    Raises:
        ValueError: the file is no idx file of bytes, has other dimensions, or is too short or long for them.
    """
    content = read_bytes(Path(path))
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise ValueError(f"{path} is no idx file: {len(content)} bytes, and the header alone takes {header}")
    zero, element_type, found = struct.unpack_from(">HBB", content)
    if zero != 0 or element_type != UNSIGNED_BYTE or found != dimensions:
        raise ValueError(
            f"{path} starts with 0x{content[:4].hex()}; an idx file of bytes with {dimensions} dimensions "
            f"starts with 0x0000{UNSIGNED_BYTE:02x}{dimensions:02x}"
        )
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    if len(content) - header != math.prod(shape):
        raise ValueError(
            f"{path} promises {' x '.join(map(str, shape))} = {math.prod(shape)} bytes after its header, "
            f"but {len(content) - header} follow"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def read_bytes(path: Path) -> bytes:
    """A file's content, decompressed if it is a gzip file."""
    content = path.read_bytes()
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is a damaged gzip file: {error}") from error
