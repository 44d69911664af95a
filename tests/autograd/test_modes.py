"""no_grad, enable_grad, set_grad_enabled and inference_mode, as blocks and as decorators."""

from __future__ import annotations

import threading
from typing import Any

from autograd.scenario import check, scenarios_of


def no_grad_block(T: Any) -> Any:
    w = T.tensor([1.0], requires_grad=True)
    with T.no_grad():
        y = w * 2.0
        inside = T.is_grad_enabled()
    z = w * 2.0
    return y.requires_grad, y.is_leaf, inside, T.is_grad_enabled(), z.requires_grad


def blocks_within_blocks(T: Any) -> Any:
    seen = [T.is_grad_enabled()]
    with T.no_grad():
        seen.append(T.is_grad_enabled())
        with T.enable_grad():
            seen.append(T.is_grad_enabled())
            with T.set_grad_enabled(False):
                seen.append(T.is_grad_enabled())
            seen.append(T.is_grad_enabled())
            with T.inference_mode():
                seen.append((T.is_grad_enabled(), T.is_inference_mode_enabled()))
            seen.append(T.is_grad_enabled())
        seen.append(T.is_grad_enabled())
    return [*seen, T.is_grad_enabled()]


def enable_grad_within_no_grad(T: Any) -> Any:
    w = T.tensor([1.0], requires_grad=True)
    with T.no_grad(), T.enable_grad():
        y = w * 2.0
    y.sum().backward()
    return w.grad


def a_block_left_by_an_error(T: Any) -> Any:
    try:
        with T.no_grad():
            raise KeyError
    except KeyError:
        pass
    return T.is_grad_enabled()


def one_block_object_used_again(T: Any) -> Any:
    mode = T.no_grad()
    seen = []
    with mode:
        seen.append(T.is_grad_enabled())
    with mode:
        seen.append(T.is_grad_enabled())
    return [*seen, T.is_grad_enabled()]


def no_grad_function(T: Any) -> Any:
    @T.no_grad()
    def double(x):
        """Twice as much."""
        return x * 2.0

    w = T.tensor([1.0], requires_grad=True)
    return double(w).requires_grad, double.__name__, double.__doc__, T.is_grad_enabled()


def no_grad_function_without_parentheses(T: Any) -> Any:
    @T.no_grad
    def double(x):
        return x * 2.0

    w = T.tensor([1.0], requires_grad=True)
    return double(w).requires_grad, double.__name__


def enable_grad_function(T: Any) -> Any:
    @T.enable_grad()
    def double(x):
        return x * 2.0

    w = T.tensor([1.0], requires_grad=True)
    with T.no_grad():
        return double(w).requires_grad, T.is_grad_enabled()


def no_grad_method(T: Any) -> Any:
    class Model:
        def __init__(self):
            self.w = T.tensor([1.0], requires_grad=True)

        @T.no_grad()
        def predict(self, x):
            return x * self.w

    return Model().predict(T.ones(1)).requires_grad


def no_grad_function_that_calls_itself(T: Any) -> Any:
    seen = []

    @T.no_grad()
    def down(n):
        seen.append(T.is_grad_enabled())
        if n:
            down(n - 1)
        seen.append(T.is_grad_enabled())

    down(2)
    return seen, T.is_grad_enabled()


def no_grad_generator(T: Any) -> Any:
    seen = []

    @T.no_grad()
    def steps():
        for k in range(3):
            seen.append(("inside", T.is_grad_enabled()))
            got = yield k
            seen.append(("sent", got))

    running = steps()
    values = [next(running)]
    seen.append(("outside", T.is_grad_enabled()))
    values.append(running.send("x"))
    with T.no_grad():
        values.append(next(running))
    running.close()
    return values, seen, T.is_grad_enabled()


def no_grad_generator_that_is_thrown_into(T: Any) -> Any:
    seen = []

    @T.no_grad()
    def steps():
        try:
            yield 1
        except ValueError:
            seen.append(T.is_grad_enabled())
            yield 2
        return 3

    running = steps()
    values = [next(running), running.throw(ValueError())]
    try:
        next(running)
    except StopIteration as stop:
        values.append(stop.value)
    return values, seen, T.is_grad_enabled()


def no_grad_class(T: Any) -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        @T.no_grad()
        class Made:
            def __init__(self, w):
                self.y = w * 2.0

            def call(self, w):
                return w * 2.0

    w = T.tensor([1.0], requires_grad=True)
    made = Made(w)
    return made.y.requires_grad, made.call(w).requires_grad


def set_grad_enabled_at_once(T: Any) -> Any:
    w = T.tensor([1.0], requires_grad=True)
    T.set_grad_enabled(False)
    off = (w * 2.0).requires_grad
    T.set_grad_enabled(True)
    return off, (w * 2.0).requires_grad


def set_grad_enabled_block(T: Any) -> Any:
    w = T.tensor([1.0], requires_grad=True)
    found = []
    for train in (True, False):
        with T.set_grad_enabled(train):
            found.append((w * 2.0).requires_grad)
    return found, T.is_grad_enabled()


def set_grad_enabled_function(T: Any) -> Any:
    @T.set_grad_enabled(False)
    def double(x):
        return x * 2.0

    w = T.tensor([1.0], requires_grad=True)
    return double(w).requires_grad, (w * 2.0).requires_grad


def set_grad_enabled_made_before_it_is_entered(T: Any) -> Any:
    mode = T.set_grad_enabled(False)
    seen = [T.is_grad_enabled()]
    with mode:
        seen.append(T.is_grad_enabled())
    return [*seen, T.is_grad_enabled()]


def inference_mode_block(T: Any) -> Any:
    w = T.tensor([1.0], requires_grad=True)
    with T.inference_mode():
        y = w * 2.0
        seen = T.is_grad_enabled(), T.is_inference_mode_enabled()
    with T.inference_mode(False):
        z = w * 2.0
    return y.requires_grad, seen, z.requires_grad, T.is_inference_mode_enabled()


def inference_mode_function(T: Any) -> Any:
    @T.inference_mode()
    def double(x):
        return x * 2.0

    @T.inference_mode
    def triple(x):
        return x * 3.0

    w = T.tensor([1.0], requires_grad=True)
    return double(w).requires_grad, triple(w), triple.__name__


def inference_mode_leaf(T: Any) -> Any:
    with T.inference_mode():
        w = T.ones(2)
        w.requires_grad_()
        return w.requires_grad, (w * 2.0).requires_grad


def enable_grad_within_inference_mode(T: Any) -> Any:
    w = T.tensor([1.0], requires_grad=True)
    with T.inference_mode(), T.enable_grad():
        y = w * 2.0
        return y.requires_grad


def inference_mode_turned_off_within(T: Any) -> Any:
    w = T.tensor([1.0], requires_grad=True)
    with T.inference_mode(), T.inference_mode(False):
        y = w * 2.0
        inner = T.is_grad_enabled(), T.is_inference_mode_enabled()
    with T.no_grad(), T.inference_mode(False):
        return y.requires_grad, inner, T.is_grad_enabled()


def leaves_can_be_made_without_grad_mode(T: Any) -> Any:
    with T.no_grad():
        w = T.tensor([1.0], requires_grad=True)
        v = T.ones(1).requires_grad_()
    (w * v).sum().backward()
    return w.grad, v.grad


def a_leaf_changed_under_no_grad_stays_a_leaf(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    with T.no_grad():
        w.add_(1.0)
        w[0] = 5.0
        w.clamp_(max=4.0)
    (w * w).sum().backward()
    return w.is_leaf, w.requires_grad, w.grad, w._version


def each_thread_has_its_own_mode(T: Any) -> Any:
    seen = []
    with T.no_grad():
        thread = threading.Thread(target=lambda: seen.append(T.is_grad_enabled()))
        thread.start()
        thread.join()
    return seen


def gradients_in_another_thread(T: Any) -> Any:
    w = T.tensor([1.0, 2.0], requires_grad=True)
    y = (w * w).sum()

    def work():
        y.backward()
        (w * 3.0).sum().backward()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return w.grad


@scenarios_of(globals())
def test_as_in_pytorch(scenario: Any) -> None:
    check(scenario)
