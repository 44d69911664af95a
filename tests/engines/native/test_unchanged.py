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

needs_versions = pytest.mark.skipif(unchanged._methods() is None, reason="this Python's dictionaries have no version")


class Thing:
    number = 0

    def __init__(self) -> None:
        self.number = 1.5


class Slotted:
    __slots__ = ("first", "second")


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
@pytest.mark.parametrize(
    "change",
    [
        lambda items: items.append(1),
        lambda items: items.pop(),
        lambda items: items.__setitem__(1, -2.5),
        lambda items: items.reverse(),
        lambda items: items.clear(),
        lambda items: items.extend(range(1000)),
        lambda items: items.__setitem__(slice(None), [*items[1:], items[0]]),
    ],
)
@pytest.mark.parametrize("place", range(3))
def test_a_change_of_a_list_is_seen(place: int, change: Callable[[list[Any]], Any]) -> None:
    lists: list[list[Any]] = [[1.5, object(), []] for _ in range(3)]
    still = Unchanged([{}], lists)
    assert still.holds()
    change(lists[place])
    assert not still.holds()
    still.note()
    assert still.holds()


@needs_versions
def test_an_item_that_takes_the_place_of_one_that_died_is_another() -> None:
    items = [[object()] for _ in range(50)]
    still = Unchanged([], [items])
    for i in range(50):
        items[i] = [object()]  # at once, so that it might get the memory of the one before
        assert not still.holds()
        still.note()


@needs_versions
def test_cells_and_slots_hold_what_they_held() -> None:
    number = 1.5

    def read() -> float:
        return number

    one = Slotted()
    one.first = one.second = ()
    assert read.__closure__ is not None
    still = Unchanged([], [], read.__closure__, [(one, "second")])
    one.first = 7.5
    assert still.holds()
    number = 2.5
    assert not still.holds()
    still.note()
    one.second = [7.5]
    assert not still.holds()
    still.note()
    assert still.holds()


@needs_versions
def test_what_is_noted_again_is_watched_as_before() -> None:
    items: list[Any] = [0, 0]
    one, many = {"a": 0}, [[], items]
    still = Unchanged([one], many)
    for number in range(20):
        one["a"] = 1000 + number
        items[number % 2] = [number]
        if number % 5 == 4:
            items.append(number)
        assert not still.holds()
        assert still.changed() == [one]
        still.note()
        assert still.holds()
        assert still.changed() == []
        items[0] = 0.5 + number
        assert not still.holds()
        assert still.changed() == []
        still.note()


def test_the_same_objects_are_recognised() -> None:
    one, items, other = {"a": 0}, [1.5], Slotted()
    still = Unchanged([one], [items], (), [(other, "first")] if unchanged._methods() is None else ())
    slots = still.slots
    assert still.watches([one], [items], [], [*slots])
    assert not still.watches([dict(one)], [items], [], slots)
    assert not still.watches([one], [[1.5]], [], slots)
    assert not still.watches([one], [], [], slots)
    assert not still.watches([one], [items], [], [*slots, (other, "second")])


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
    monkeypatch.setattr(unchanged, "_methods", lambda: None)
    assert not Unchanged([{}]).holds()


def test_the_reference_needs_no_native_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "engine", "reference", raising=False)
    still = Stillness([{}])
    for _ in range(5):
        still.looked()
        assert not still.holds()
