"""Each rule does what its docstring says, is needed for it, and changes no value."""

from __future__ import annotations

import pytest
from passes.cases import CASES
from passes.expressions import same_values, some_data, text

from zerograd.passes.pipeline import RULES, run
from zerograd.passes.verify import verify


def test_every_rule_has_a_case() -> None:
    assert {rule.__name__ for rule in RULES.all} == set(CASES)


def test_every_rule_says_what_it_does() -> None:
    assert [rule.__name__ for rule in RULES.all if not rule.__doc__] == []


@pytest.mark.parametrize("name", CASES)
def test_a_rule_simplifies_and_is_needed(name: str) -> None:
    make, expected = CASES[name]
    before = make()
    (after,) = run((before,))
    assert text(after) == expected
    (without,) = run((before,), RULES.kept(lambda rule: rule.__name__ != name))
    assert text(without) != expected


@pytest.mark.parametrize("name", CASES)
def test_a_rule_changes_no_value(name: str) -> None:
    before = (CASES[name][0](),)
    after = run(before)
    verify(before, after)
    assert same_values(before, after, some_data(before))
