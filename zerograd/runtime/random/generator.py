"""The source of all random numbers: a Mersenne twister whose state is PyTorch's, byte for byte.

The twister itself is NumPy's (same recurrence, same seeding by ``init_genrand``), so its words come at C
speed; this file adds what PyTorch keeps beside it: the seed, the second number of a Box-Muller pair, and the
layout of the saved state.
"""

from __future__ import annotations

import operator
import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zerograd import errors
from zerograd.ir.graph import Array

if TYPE_CHECKING:
    from numpy.random import MT19937

WORDS: Final = 624  # of 32 bits in the twister's state
DEFAULT_SEED: Final = 67280421310721  # of a Generator() that nobody seeded; PyTorch's

# PyTorch's CPU state as get_rng_state() returns it. `left` counts the words until the next twist (from 1,
# when the twist is due), `next` is the word to hand out; `normal_x` and `normal_rho` are no longer used.
LAYOUT: Final = np.dtype(
    {
        "names": ["seed", "left", "seeded", "next", "words", "normal_x", "normal_y", "normal_rho",
                  "normal_is_valid", "float_normal", "float_normal_is_valid"],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", WORDS), "<f8", "<f8", "<f8", "<i4", "<f4", "?"],
        "offsets": [0, 8, 12, 16, 24, 5016, 5024, 5032, 5040, 5048, 5052],
        "itemsize": 5056,
    }
)  # fmt: skip

_LOW_24_BITS: Final = np.uint32(2**24 - 1)
_LOW_53_BITS: Final = np.uint64(2**53 - 1)
_32_BITS: Final = np.uint64(32)
_CHUNK: Final = 2**14  # numbers made at a time, so that they stay in the cache


class Generator:
    """A stream of random numbers, reproducible from its seed.

    Equal seeds, and equal states, give PyTorch's numbers; states can be exchanged with PyTorch both ways.
    """

    def __init__(self) -> None:
        self._seed = DEFAULT_SEED
        self._twister: MT19937 | None = None  # made at first use: importing numpy.random takes 20 ms
        self._untouched = True  # nothing drawn yet: the state tells that from "all words used"
        self.next_normal: float | None = None  # what Box-Muller made and nobody took yet
        self._next_float_normal: float | None = None  # kept for PyTorch's sake, whose CPU draws never use it

    # --- seeds and states ------------------------------------------------------------------------

    def manual_seed(self, seed: int) -> Generator:
        """Start again from ``seed``, an integer in [-2**63, 2**64); a negative one counts from 2**64 down.

        Raises:
            RuntimeError: the seed is no integer.
            ValueError: it needs more than 64 bits.
        """
        if isinstance(seed, bool | np.bool_):
            raise errors.runtime("manual_seed expected an integer, but got bool", seed=seed)
        try:
            seed = operator.index(seed)
        except TypeError:
            raise errors.runtime(f"manual_seed expected an integer, but got {type(seed).__name__}") from None
        if not -(2**63) <= seed < 2**64:
            raise errors.value("a seed must fit 64 bits: [-2**63, 2**64)", seed=seed)
        self._seed = seed % 2**64
        if self._twister is not None:
            _start(self._twister, self._seed)
        self._untouched = True
        self.next_normal = self._next_float_normal = None
        return self

    def seed(self) -> int:
        """Seed from the operating system's entropy; returns the 64-bit seed."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed this stream began with."""
        return self._seed

    def get_state(self) -> Array:
        """The state in PyTorch's layout: uint8[5056]."""
        state = np.zeros((), LAYOUT)
        twister: Any = self._bits().state["state"]
        position = int(twister["pos"])
        state["seed"] = self._seed
        state["seeded"] = 1
        state["words"] = twister["key"]
        state["left"] = 1 if position == WORDS else WORDS + 1 - position
        state["next"] = 0 if self._untouched else position
        if self.next_normal is not None:
            state["normal_is_valid"], state["normal_y"] = 1, self.next_normal
        if self._next_float_normal is not None:
            state["float_normal_is_valid"], state["float_normal"] = True, self._next_float_normal
        return np.frombuffer(state.tobytes(), np.uint8).copy()

    def set_state(self, new_state: Array) -> Generator:
        """Continue from a state that ``get_state`` (or PyTorch's) returned.

        Raises:
            TypeError: not an array of uint8.
            RuntimeError: wrong size, or no state of a Mersenne twister.
        """
        if new_state.dtype != np.uint8:
            raise errors.type_("a generator state is an array of uint8", got=new_state.dtype)
        if new_state.size != LAYOUT.itemsize:
            raise errors.runtime(f"a generator state has {LAYOUT.itemsize} bytes", got=new_state.size)
        state = np.frombuffer(new_state.tobytes(), LAYOUT)[0]
        left, following = int(state["left"]), int(state["next"])
        consistent = following == WORDS + 1 - left or (left == 1 and following == 0)
        if not state["seeded"] or not 0 < left <= WORDS or not consistent:
            raise errors.runtime("Invalid mt19937 state", left=left, next=following)
        self._seed = int(state["seed"])
        self._untouched = following == 0
        self.next_normal = float(state["normal_y"]) if state["normal_is_valid"] else None
        self._next_float_normal = float(state["float_normal"]) if state["float_normal_is_valid"] else None
        twister = {"key": state["words"].astype(np.uint32), "pos": WORDS if left == 1 else following}
        bits: Any = self._bits()
        bits.state = {"bit_generator": "MT19937", "state": twister}
        return self

    def clone_state(self) -> Generator:
        """Another generator that will draw what this one would."""
        return type(self)().set_state(self.get_state())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (), self.get_state()

    def __setstate__(self, state: Array) -> None:
        Generator.set_state(self, state)

    # --- draws -----------------------------------------------------------------------------------

    def words(self, count: int) -> Array:
        """The next ``count`` words of the stream, uint32."""
        self._untouched &= count == 0
        return self._bits().random_raw(count).astype(np.uint32)

    def double_words(self, count: int) -> Array:
        """The next ``count`` pairs of words, the first one high, uint64."""
        self._untouched &= count == 0
        raw = self._bits().random_raw(2 * count)
        high = raw[0::2] << _32_BITS
        high |= raw[1::2]
        return high

    def unit_float32(self, count: int) -> Array:
        """Uniform numbers in [0, 1), multiples of 2**-24, one word each."""
        low = self.words(count)
        low &= _LOW_24_BITS
        unit = low.view(np.int32).astype(np.float32)  # from int32 the conversion is vectorised
        unit *= np.float32(2**-24)
        return unit

    def unit_float64(self, count: int) -> Array:
        """Uniform numbers in [0, 1), multiples of 2**-53, two words each."""
        unit = np.empty(count, np.float64)
        for start in range(0, count, _CHUNK):
            part = unit[start : start + _CHUNK]
            pairs = self.double_words(len(part))
            pairs &= _LOW_53_BITS
            np.multiply(pairs.view(np.int64), 2.0**-53, out=part)
        return unit

    def position(self) -> Any:
        """Where the stream is, for ``rewind``."""
        return self._bits().state

    def rewind(self, position: Any) -> None:
        """Put the stream (not a waiting normal) back to an earlier ``position``."""
        self._bits().state = position

    def _bits(self) -> MT19937:
        if self._twister is None:
            from numpy.random import MT19937

            self._twister = MT19937(0)
            _start(self._twister, self._seed)
        return self._twister


def _start(twister: MT19937, seed: int) -> None:
    from numpy.random import RandomState

    RandomState(twister).seed(seed & 0xFFFFFFFF)  # init_genrand, as PyTorch seeds


default_generator: Final = Generator()
default_generator.seed()


def choose(generator: Generator | None) -> Generator:
    """The generator to draw from: the given one, or the default."""
    return default_generator if generator is None else generator
