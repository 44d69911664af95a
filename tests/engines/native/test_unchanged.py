"""What tells by a dictionary's version whether anybody has changed it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from zerograd.engines.native import unchanged
from zerograd.engines.native.unchanged import Unchanged
from zerograd.runtime import stillness
from zerograd.runtime.stillness import Stillness
from zerograd.settings import settings

needs_versions = pytest.mark.skipif(unchanged._method() is None, reason="this Python's dictionaries have no version")


class Thing:
    number = 0

    def __init__(self) -> None:
        self.number = 1.5


THING = Thing()
CHANGES: dict[str, Callable[[dict[Any, Any]], Any]] = {
    "another value": lambda one: one.update(a=-1.5),
    "a new key": lambda one: one.__setitem__("new", 1),
    "one key less": lambda one: one.pop("a"),
    "emptied": lambda one: one.clear(),
    "looked up with a default": lambda one: one.setdefault("d", []),
    "exchanged": lambda one: one.update(a=one["b"], b=one["a"]),
}


@needs_versions
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
@pytest.mark.parametrize("place", range(5))
def test_every_change_is_seen(place: int, change: Callable[[dict[Any, Any]], Any]) -> None:
    some = [{"a": 1.5, "b": number} for number in range(5)]
    still = Unchanged(some)
    assert still.holds()
    assert still.holds()
    change(some[place])
    assert not still.holds()
    still.note()
    assert still.holds()


@needs_versions
def test_a_default_that_a_look_up_makes_is_a_change() -> None:
    one: defaultdict[str, list[int]] = defaultdict(list)
    still = Unchanged([one])
    assert one["x"] == []
    assert not still.holds()


@needs_versions
def test_attributes_of_objects_are_items_of_a_dictionary() -> None:
    still = Unchanged([vars(THING)])
    for number in range(100):
        THING.number = 1000 + number
        assert not still.holds()
        still.note()
        assert still.holds()


@needs_versions
def test_reading_is_no_change() -> None:
    one = {str(i): i for i in range(100)}
    still = Unchanged([one])
    assert sum(one.values()) == 4950
    assert dict(one) == one.copy()
    assert one.get("missing") is None
    assert still.holds()


@needs_versions
def test_stillness_begins_with_the_second_look_and_ends_with_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "engine", "auto", raising=False)
    one = {"a": 0}
    still = Stillness([one])
    still.looked()
    assert not still.holds()
    still.looked()
    assert still.holds()
    for number in range(stillness.MOST_LOOKS):
        one["a"] = 1000 + number
        assert not still.holds()
        still.looked()
    assert not still.holds()


def test_nothing_is_still_where_nobody_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "_method", lambda: None)
    assert not Unchanged([{}]).holds()


def test_the_reference_needs_no_native_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "engine", "reference", raising=False)
    still = Stillness([{}])
    for _ in range(5):
        still.looked()
        assert not still.holds()
