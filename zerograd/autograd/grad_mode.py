"""Recording with and without gradients, as context managers and as decorators."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any

from zerograd.ir.record import recorder


class GradMode:
    """A context manager and decorator that sets whether gradients are recorded."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self._before: list[bool] = []

    def __enter__(self) -> None:
        own = recorder.own
        self._before.append(own.grad_enabled)
        own.set_grad_enabled(self.mode and not own.inference)

    def __exit__(self, *_: object) -> None:
        recorder.own.set_grad_enabled(self._before.pop())

    def clone(self) -> GradMode:
        return type(self)(self.mode)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` run in this mode; a generator runs in it while it computes, not while its user does."""
        if inspect.isclass(function):
            function.__init__ = self(function.__init__)
            return function
        if inspect.isgeneratorfunction(function):
            return functools.wraps(function)(functools.partial(self._generate, function))

        @functools.wraps(function)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return decorated

    def _generate(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        try:
            with self.clone():
                response = next(generator)
            while True:
                try:
                    request = yield response
                except GeneratorExit:
                    with self.clone():
                        generator.close()
                    raise
                except BaseException as error:
                    with self.clone():
                        response = generator.throw(error)
                else:
                    with self.clone():
                        response = generator.send(request)
        except StopIteration as stop:
            return stop.value


class _FixedMode(GradMode):
    """A mode without arguments, also usable as a decorator without parentheses."""

    fixed: bool

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        self = object.__new__(cls)
        if function is None:
            return self
        GradMode.__init__(self, cls.fixed)
        return self(function)

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        super().__init__(self.fixed)

    def clone(self) -> GradMode:
        return type(self)()


class no_grad(_FixedMode):  # noqa: N801
    """Results computed inside have no history. Source: torch.no_grad."""

    fixed = False


class enable_grad(_FixedMode):  # noqa: N801
    """Histories are recorded inside, also within ``no_grad``. Source: torch.enable_grad."""

    fixed = True


class set_grad_enabled(GradMode):  # noqa: N801
    """Set the mode at once; as a context manager, until the block ends. Source: torch.set_grad_enabled."""

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self._outer = recorder.own.grad_enabled
        recorder.own.set_grad_enabled(self.mode and not recorder.own.inference)

    def __enter__(self) -> None:
        recorder.own.set_grad_enabled(self.mode and not recorder.own.inference)

    def __exit__(self, *_: object) -> None:
        recorder.own.set_grad_enabled(self._outer)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        recorder.own.set_grad_enabled(self._outer)  # as a decorator it must not act now
        return super().__call__(function)

    def clone(self) -> GradMode:
        return GradMode(self.mode)


class inference_mode(GradMode):  # noqa: N801
    """``no_grad`` for code whose results never meet autograd. Source: torch.inference_mode."""

    def __new__(cls, mode: Any = True) -> Any:
        if isinstance(mode, bool):
            return object.__new__(cls)
        return cls()(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode)
        self._active = mode
        self._inference: list[bool] = []

    def __enter__(self) -> None:
        own = recorder.own
        self._inference.append(own.inference)
        own.inference = self._active
        super().__enter__()

    def __exit__(self, *error: object) -> None:
        recorder.own.inference = self._inference.pop()
        super().__exit__(*error)

    def clone(self) -> GradMode:
        return type(self)(self._active)


def is_grad_enabled() -> bool:
    """Whether histories are being recorded. Source: torch.is_grad_enabled."""
    return recorder.own.grad_enabled


def is_inference_mode_enabled() -> bool:
    """Whether inference mode is on. Source: torch.is_inference_mode_enabled."""
    return recorder.own.inference
