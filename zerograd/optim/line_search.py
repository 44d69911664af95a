"""A line search that ends where the loss has fallen enough and its slope has become flat enough.

Source: Nocedal and Wright, "Numerical Optimization", algorithms 3.5 and 3.6 (strong Wolfe conditions).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from zerograd.tensor.tensor import Tensor

Evaluate = Callable[[Any], tuple[float, Tensor]]

SUFFICIENT_DECREASE = 1e-4  # of what the slope at the start promises
FLATNESS = 0.9  # of the slope at the start
SMALLEST_BRACKET = 1e-9  # largest element of the step


class Point(NamedTuple):
    """A place on the line: its distance from the start, and loss, gradient and slope along the line there."""

    t: Any
    loss: float
    grad: Tensor
    slope: Any


class Search:
    """One search: evaluates, counts, and knows the two conditions."""

    def __init__(self, evaluate: Evaluate, start: Point, direction: Tensor) -> None:
        self._evaluate = evaluate
        self.start = start
        self.direction = direction
        self.evaluations = 0

    def at(self, t: Any) -> Point:
        loss, grad = self._evaluate(t)
        self.evaluations += 1
        return Point(t, loss, grad, grad.dot(self.direction))

    def too_high(self, point: Point) -> bool:
        return bool(point.loss > self.start.loss + SUFFICIENT_DECREASE * point.t * self.start.slope)

    def flat(self, point: Point) -> bool:
        return bool(abs(point.slope) <= -FLATNESS * self.start.slope)


def strong_wolfe(evaluate: Evaluate, start: Point, t: Any, direction: Tensor, max_rounds: int) -> tuple[Point, int]:
    """A point that meets both conditions, or the best one found.

    Args:
        evaluate: loss and gradient at a distance from the start.
        t: the first distance to try.
        max_rounds: how many further distances to try.
    Returns:
        The point, and how often `evaluate` was called.
    """
    search = Search(evaluate, start, direction)
    bracket, rounds, done = _bracket(search, t, max_rounds)
    if not done:
        bracket = _zoom(search, bracket, max_rounds - rounds)
    return min(bracket, key=lambda point: point.loss), search.evaluations


def _bracket(search: Search, t: Any, max_rounds: int) -> tuple[list[Point], int, bool]:
    """Goes further until a minimum must lie between two points, or the conditions are met."""
    previous, point = search.start, search.at(t)
    for rounds in range(max_rounds):
        if search.too_high(point) or (rounds > 1 and point.loss >= previous.loss):
            return [previous, point], rounds, False
        if search.flat(point):
            return [point], rounds, True
        if point.slope >= 0:
            return [previous, point], rounds, False
        nearest = point.t + 0.01 * (point.t - previous.t)
        previous, point = point, search.at(_minimum_of_cubic(previous, point, (nearest, point.t * 10)))
    return [search.start, point], max_rounds, True


def _zoom(search: Search, bracket: list[Point], max_rounds: int) -> list[Point]:
    """Makes the bracket smaller until its lower end meets the conditions."""
    largest = search.direction.abs().max()
    low, high = sorted(bracket, key=lambda point: point.loss)
    stuck = False
    for _ in range(max_rounds):
        left, right = min(low.t, high.t), max(low.t, high.t)
        if abs(right - left) * largest < SMALLEST_BRACKET:
            break
        t = _minimum_of_cubic(bracket[0], bracket[1])
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:
            # Two tries in a row so close to an end, or one outside, would not make the bracket much smaller.
            if stuck or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        point = search.at(t)
        if search.too_high(point) or point.loss >= low.loss:
            low, high = sorted((low, point), key=lambda end: end.loss)
        elif search.flat(point):
            return [point]
        else:
            low, high = point, low if point.slope * (high.t - low.t) >= 0 else high
        bracket = [low, high]
    return [low, high]


def _minimum_of_cubic(a: Point, b: Point, bounds: tuple[Any, Any] | None = None) -> Any:
    """Where the cubic through both points, with their slopes, has its minimum; kept within the bounds.

    Source: Nocedal and Wright, "Numerical Optimization", equation 3.59.
    """
    if a.t > b.t:
        a, b = b, a
    low, high = (a.t, b.t) if bounds is None else bounds
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if square < 0:
        return (low + high) / 2.0
    d2 = square**0.5
    best = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(best, low), high)
