from __future__ import annotations

import numpy as np

from agent.chat.evidence import Evidence, Noted, Tried, noted_now


def note(action: str, earned: float, likeness: float = 1.0, template_id: int = 1) -> Noted:
    return Noted(template_id=template_id, situation="s", action=action, earned=earned, likeness=likeness)


def test_what_worked_is_shown_the_best_last_and_what_failed_is_left_out():
    known = Evidence([note("a", 1.0), note("b", 0.0), note("c", 2.0), note("a", 0.5)], [], near=0.9)
    assert [each.action for each in known.worked(5)] == ["a", "c"]
    assert [each.action for each in known.worked(1)] == ["c"]
    assert known.earned("a") == 0.75
    assert known.failed() == ("b",)
    assert known.open_among(["a", "b", "d"]) == ("a", "d")
    assert Evidence([note("a", -1.0), note("b", -2.0)], [], near=0.9).open_among(["a", "b"]) == ("a",)
    assert Evidence([], [], near=0.9).open_among(["a", "b"]) == ("a", "b")


def test_the_same_situation_alone_counts_where_it_is_known():
    known = Evidence([note("a", 1.0), note("b", 1.0, 0.95)], [], near=0.9)
    assert [each.action for each in known.worked(5)] == ["a"]
    new = Evidence(
        [note("a", 1.0, 0.8), note("b", 1.0, 0.75), note("c", 1.0, 0.5), note("a", -9.0, 0.75)], [], near=0.9
    )
    assert [each.action for each in new.worked(5)] == ["b", "a"]
    assert new.earned("a") == 1.0 and new.earned("c") is None


def test_what_the_episode_tried_counts_before_what_is_recalled():
    known = Evidence([note("a", 1.0)], [note("a", 0.0, template_id=0)], near=0.9)
    assert known.worked(5) == () and known.failed() == ("a",)
    again = Evidence([], [note("a", 1.0, template_id=0)], near=0.9)
    assert again.worked(5) == () and again.failed() == ()  # the memory does not have it yet


def test_the_likeness_of_what_was_tried_is_a_cosine():
    key = np.array([1.0, 0.0], np.float32)
    tried = Tried(situation="s", action="a", key=np.array([3.0, 4.0], np.float32))
    assert noted_now(tried, key).likeness == np.float32(0.6)
    assert noted_now(tried, None) is None


def test_what_happened_more_often_weighs_more():
    often = Noted(template_id=2, situation="s", action="a", earned=-1.0, likeness=1.0, count=3)
    assert Evidence([note("a", 1.0), often], [], near=0.9).earned("a") == -0.5
