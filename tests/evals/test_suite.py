from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.suite import Case, Suite

CASE = Case(
    suite="s", version=1, task="t", arm="a", seed=0, phases=("m:f", "m:g"), settings={"x": {"y": [1, 2.5, None]}}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "change",
    [
        {"suite": "other"},
        {"version": 2},
        {"task": "u"},
        {"arm": "b"},
        {"seed": 1},
        {"phases": ("m:f",)},
        {"settings": {"x": {"y": [1, 2.5, 0]}}},
        {"holdfast": "0.0.0.dev1"},
    ],
)
def test_any_change_of_the_configuration_changes_the_key(change):
    assert replace(CASE, **change).key != CASE.key


@settings(max_examples=50, deadline=None)
@given(values=st.dictionaries(st.text(), JSON, max_size=4))
def test_a_case_survives_json_with_its_key(values):
    case = replace(CASE, settings=values)
    again = Case.from_dict(json.loads(json.dumps(case.as_dict())))
    assert again == case
    assert again.key == case.key
    shuffled = replace(case, settings=dict(reversed(list(values.items()))))
    assert shuffled.key == case.key


def test_the_key_is_the_same_in_another_process():
    values = json.dumps(CASE.as_dict())
    code = f"from evals.suite import Case; import json; print(Case.from_dict(json.loads({values!r})).key)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == CASE.key


@pytest.mark.parametrize("bad", [{1: 2}, {"x": (1, 2)}, {"x": float("nan")}, {"x": object()}])
def test_settings_that_json_would_change_are_refused(bad):
    with pytest.raises(ValueError, match="settings must"):
        replace(CASE, settings=bad)


def test_a_suite_pairs_its_seeds_between_arms():
    suite = Suite(
        name="s",
        version=3,
        summary="?",
        tasks={"t": {"n": 1}, "u": {"n": 2}},
        arms={"a": ("m:f", "m:g"), "b": ("m:g",)},
        score="m:s",
        headline="h",
    )
    cases = suite.cases([4, 7])
    assert [(case.seed, case.task, case.arm) for case in cases] == [
        (seed, task, arm) for seed in (4, 7) for task in "tu" for arm in "ab"
    ]
    assert {case.version for case in cases} == {3}
    assert cases[1].phases == ("m:g",)
    assert cases[2].settings == {"n": 2}
    assert len({case.key for case in cases}) == 8


def test_an_arm_plays_the_tasks_it_can():
    suite = Suite(
        name="s",
        version=1,
        summary="?",
        tasks={"t": {}, "u": {}},
        arms={"a": ("m:f",), "b": ("m:f",)},
        score="m:s",
        headline="h",
        plays={"b": ("u",)},
    )
    assert [(case.task, case.arm) for case in suite.cases([0])] == [("t", "a"), ("u", "a"), ("u", "b")]
    for wrong in ({"c": ("t",)}, {"a": ("v",)}):
        with pytest.raises(ValueError, match="plays may name the suite's arms and tasks alone, got"):
            replace(suite, plays=wrong)


def test_suites_and_cases_are_frozen_and_checked():
    with pytest.raises(FrozenInstanceError):
        CASE.seed = 2
    with pytest.raises(ValueError, match="at least one phase, got none for t a"):
        replace(CASE, phases=())
    with pytest.raises(ValueError, match="a suite needs tasks, arms and seeds"):
        Suite(name="s", version=1, summary="?", tasks={}, arms={"a": ("m:f",)}, score="m:s", headline="h")
