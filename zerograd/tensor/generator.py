"""The public Generator, whose state is a tensor."""

from __future__ import annotations

from typing import Any, Final, Self

import numpy as np

from zerograd import dtypes, errors
from zerograd.ir.graph import TensorType
from zerograd.runtime import random
from zerograd.runtime.devices import CPU, as_device, device
from zerograd.tensor.base import TensorBase


class Generator:
    """A stream of random numbers: pass it as ``generator=`` to draw from it instead of the default one.

    Source: torch.Generator.

    Raises:
        RuntimeError: a device other than the CPU.
    """

    def __init__(self, device: Any = "cpu") -> None:
        if as_device(device).type != "cpu":
            raise errors.runtime("a Generator lives on the CPU here", device=device)
        self.stream = random.Generator()

    @classmethod
    def of_stream(cls, stream: random.Generator) -> Self:
        made = cls()
        made.stream = stream
        return made

    @property
    def device(self) -> device:
        """Where its numbers are made."""
        return CPU

    def manual_seed(self, seed: int) -> Self:
        """Start again from ``seed``, in [-2**63, 2**64); a negative one counts from 2**64 down.

        Raises:
            RuntimeError: the seed is no integer.
            ValueError: it needs more than 64 bits.
        """
        self.stream.manual_seed(seed)
        return self

    def seed(self) -> int:
        """Seed from the operating system's entropy; returns the seed."""
        return self.stream.seed()

    def initial_seed(self) -> int:
        """The seed it began with."""
        return self.stream.initial_seed()

    def get_state(self) -> Any:
        """Its state, a uint8 tensor that PyTorch's CPU generators take too."""
        state = self.stream.get_state()
        return TensorBase.of_array(state, TensorType(state.shape, dtypes.uint8))

    def set_state(self, new_state: Any) -> Self:
        """Continue from a state that ``get_state`` gave.

        Raises:
            TypeError: no uint8 tensor.
            RuntimeError: no state of a Mersenne twister.
        """
        if not isinstance(new_state, TensorBase):
            raise errors.type_(f"a generator's state is a tensor of uint8, not a {type(new_state).__name__}")
        if new_state.dtype is not dtypes.uint8:
            raise errors.type_("a generator's state is a tensor of uint8", got=new_state.dtype)
        self.stream.set_state(np.ascontiguousarray(new_state._array()))
        return self

    def clone_state(self) -> Self:
        """Another generator that will draw what this one would."""
        return type(self).of_stream(self.stream.clone_state())

    def get_offset(self) -> int:
        """CPU generators have none."""
        raise errors.runtime("a CPU generator does not use an offset")

    def set_offset(self, offset: int) -> None:
        """CPU generators have none."""
        raise errors.runtime("a CPU generator does not use an offset")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).of_stream, (self.stream,)


default_generator: Final = Generator.of_stream(random.default_generator)


def stream_of(generator: Any) -> random.Generator:
    """What to draw from: the given generator, or the default one.

    Raises:
        TypeError: no generator.
    """
    if generator is None:
        return random.default_generator
    if not isinstance(generator, Generator):
        raise errors.type_(f"argument 'generator' must be torch.Generator, not {type(generator).__name__}")
    return generator.stream
