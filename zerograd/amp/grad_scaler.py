"""``torch.amp.GradScaler``: losses are multiplied so that small float16 gradients do not vanish."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from enum import Enum
from typing import Any

from zerograd import errors
from zerograd.autograd.grad_mode import no_grad
from zerograd.tensor.functions.comparison import isfinite
from zerograd.tensor.functions.data import tensor
from zerograd.tensor.tensor import Tensor


class OptState(Enum):
    """How far an optimizer is in the present step."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


class GradScaler:
    """Multiplies losses by a factor, divides gradients by it again, and leaves out steps with infinite gradients.

    The factor is halved after an infinite gradient and doubled after ``growth_interval`` steps without one.

    Args:
        device: "cpu"; for a GPU, which is not there, the scaler warns and does nothing.
        init_scale: the first factor.
        growth_factor, backoff_factor: what it is multiplied by when it grows, or shrinks.
        growth_interval: steps without infinite gradients after which it grows.
        enabled: False: the scaler does nothing; ``step`` calls the optimizer.
    Source: torch.amp.GradScaler.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device = device
        self._enabled = bool(enabled)
        if self._enabled and device != "cpu":
            warnings.warn(
                f"this GradScaler is for {device!r}, which is not available: it will do nothing", stacklevel=2
            )
            self._enabled = False
        if self._enabled and growth_factor <= 1.0:
            raise AssertionError(f"growth_factor must be above 1, got {growth_factor}")
        if self._enabled and backoff_factor >= 1.0:
            raise AssertionError(f"backoff_factor must be below 1, got {backoff_factor}")
        self._scale = float(init_scale)
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._growth_tracker = 0
        self._optimizers: dict[int, _Progress] = {}

    # --- a step ----------------------------------------------------------------------------------

    def scale(self, outputs: Any) -> Any:
        """The tensor, or each one in a list or tuple, times the factor."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, list | tuple) else scaled
        raise errors.value(f"scale() takes a Tensor or several of them, not {type(outputs).__name__}")

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of the optimizer's parameters by the factor, e.g. before clipping them.

        Raises:
            RuntimeError: this has been done since the last ``update``, or the optimizer has stepped.
        """
        if not self._enabled:
            return
        progress = self._progress(optimizer)
        if progress.state is not OptState.READY:
            done = "unscaled already" if progress.state is OptState.UNSCALED else "stepped already"
            raise errors.runtime(
                f"the gradients of this optimizer cannot be unscaled: it has {done} since the last update()",
                hint="call unscale_ at most once, after backward() and before step()",
            )
        inverse = 1.0 / self._scale
        flags = []
        with no_grad():
            for group in optimizer.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.grad.mul_(inverse)
                        flags.append(isfinite(p.grad).all())
        progress.found_infinite = not all(flag.item() for flag in flags)
        progress.count = len(flags)
        progress.state = OptState.UNSCALED

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Unscale the gradients, unless that is done, and let the optimizer step if all of them are finite.

        Raises:
            RuntimeError: a closure is given, or ``step`` was called since the last ``update``.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise errors.runtime("GradScaler.step cannot run a closure", hint="compute the gradients before it")
        progress = self._progress(optimizer)
        if progress.state is OptState.STEPPED:
            raise errors.runtime(
                "this optimizer has stepped already since the last update()",
                hint="call scaler.update() after each step",
            )
        if progress.state is OptState.READY:
            self.unscale_(optimizer)
        if not progress.count:
            raise AssertionError("GradScaler.step found no gradients: none of the optimizer's parameters has any")
        result = None if progress.found_infinite else optimizer.step(*args, **kwargs)
        progress.state = OptState.STEPPED
        return result

    def update(self, new_scale: Any = None) -> None:
        """Adapt the factor to what the steps since the last call have found, or set it.

        Raises:
            AssertionError: no optimizer has stepped.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        else:
            if not self._optimizers:
                raise AssertionError("GradScaler.update comes after step(), and no step was made")
            if any(one.found_infinite for one in self._optimizers.values()):
                self._scale *= self._backoff_factor
                self._growth_tracker = 0
            else:
                self._growth_tracker += 1
                if self._growth_tracker == self._growth_interval:
                    self._scale *= self._growth_factor
                    self._growth_tracker = 0
        self._optimizers.clear()

    def _progress(self, optimizer: Any) -> _Progress:
        return self._optimizers.setdefault(id(optimizer), _Progress())

    # --- settings --------------------------------------------------------------------------------

    def is_enabled(self) -> bool:
        """Whether the scaler does anything."""
        return self._enabled

    def get_scale(self) -> float:
        """The present factor; 1 if the scaler does nothing."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        return self._growth_tracker if self._enabled else 0

    def _get_scale_async(self) -> Any:
        return tensor(self._scale)

    def state_dict(self) -> dict[str, Any]:
        """The factor, how it changes and how many steps have gone well; empty if the scaler does nothing."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` gave.

        Raises:
            RuntimeError: it is empty, from a scaler that did nothing.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise errors.runtime("the state dict is empty: it comes from a GradScaler that was not enabled")
        self._scale = float(state_dict["scale"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker = int(state_dict["_growth_tracker"])


class _Progress:
    """What is known of one optimizer in the present step."""

    def __init__(self) -> None:
        self.state = OptState.READY
        self.found_infinite = False
        self.count = 0
