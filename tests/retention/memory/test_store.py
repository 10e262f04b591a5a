"""Laws of the store: what is written is read, merging, and what one namespace sees of another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from retention import (
    EpisodeDraft,
    EpisodicMemory,
    FeedbackGate,
    Gate,
    GateConfig,
    NotFoundError,
    TemplateDraft,
    Transitions,
)
from retention.memory.schema import SCHEMA_VERSION

Draft = Callable[..., EpisodeDraft]
Steps = Callable[..., Transitions]

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
float32s = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def transitions(draw: st.DrawFn) -> Transitions:
    n, d = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    vectors = npst.arrays(np.float32, (n, d), elements=float32s)
    whole = st.integers(-(2**63), 2**63 - 1)
    return Transitions(
        key=draw(vectors),
        action=draw(npst.arrays(np.int64, n, elements=whole)),
        reward=draw(npst.arrays(np.float64, n, elements=st.floats(-1e9, 1e9))),
        next_key=draw(vectors),
        terminated=draw(npst.arrays(np.bool_, n)),
        value=draw(npst.arrays(np.float64, n, elements=st.floats(allow_infinity=False))),
    )


@settings(deadline=None, max_examples=60)
@given(transitions(), names, names)
def test_rows_come_back_as_they_were(draft: Draft, rows: Transitions, namespace: str, task: str) -> None:
    with EpisodicMemory.open(None) as memory:
        done = memory.commit_episode(draft(namespace=namespace, task=task), rows)
        found, revision = memory.transitions(namespace=namespace, task=task)
        assert revision == done.revision
        assert done.written + done.merged == len(rows)
        assert done.written == len(found) == len(set(done.template_ids.tolist()))
        place = {number: i for i, number in enumerate(found.id.tolist())}
        at = [place[number] for number in done.template_ids.tolist()]
        assert found.key[at].tobytes() == rows.key.tobytes()
        assert found.next_key[at].tobytes() == rows.next_key.tobytes()
        assert (found.action[at] == rows.action).all()
        assert (found.terminated[at] == rows.terminated).all()
        if done.merged == 0:
            np.testing.assert_array_equal(found.reward[at], rows.reward)
            np.testing.assert_array_equal(found.value[at], rows.value)
        assert memory.namespaces() == [namespace]
        assert memory.tasks(namespace=namespace) == [task]
        assert memory.verify() == []


def test_an_episode_comes_back_as_it_was(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        given = draft(2.5, number=4, seed=None, success=True)
        done = memory.commit_episode(given, steps(1, 2, 1))
        found = memory.episode(done.episode_id, namespace="alice")
        for name in ("namespace", "task", "number", "seed", "return_", "length", "success", "seconds"):
            assert getattr(found, name) == getattr(given, name)
        assert (found.gate, found.rating, found.late_reward) == (Gate(polarity=1, weight=0.5), None, 0)
        assert (found.written, found.merged, found.last_template_id) == (2, 1, done.template_ids[-1])
        assert memory.episodes(namespace="alice") == [found]


def test_episodes_are_listed_oldest_first(draft: Draft) -> None:
    with EpisodicMemory.open(None) as memory:
        for number in range(1, 6):
            memory.commit_episode(draft(number=number, task="even" if number % 2 == 0 else "odd"))
        assert [episode.number for episode in memory.episodes(namespace="alice")] == [1, 2, 3, 4, 5]
        assert [episode.number for episode in memory.episodes(namespace="alice", limit=2)] == [4, 5]
        assert [episode.number for episode in memory.episodes(namespace="alice", task="odd", limit=2)] == [3, 5]
        assert memory.episode_count(namespace="alice", task="odd") == 3


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.integers(-9, 9), st.sampled_from("ab")),
        min_size=1,
        max_size=5,
    )
)
def test_the_order_of_commits_does_not_matter(draft: Draft, steps: Steps, commits: list) -> None:
    """Counts add up and rewards are means over visits, in whatever order episodes come; compared with a naive count."""
    visits: dict[tuple[str, float], list[int]] = {}
    for numbers, reward, task in commits:
        for number in numbers:
            visits.setdefault((task, float(number)), []).append(reward)
    for order in (commits, commits[::-1]):
        with EpisodicMemory.open(None) as memory:
            for numbers, reward, task in order:
                memory.commit_episode(draft(task=task), steps(*numbers, reward=float(reward)))
            found = {}
            for task in "ab":
                rows, _ = memory.transitions(namespace="alice", task=task)
                for key, count, mean in zip(rows.key[:, 0], rows.count, rows.reward, strict=True):
                    found[task, float(key)] = (int(count), float(mean))
        assert found.keys() == visits.keys()
        for place, rewards in visits.items():
            assert found[place] == (len(rewards), pytest.approx(sum(rewards) / len(rewards)))


def test_what_differs_in_anything_is_another_template(draft: Draft) -> None:
    base = {"key": [[1.0]], "action": [0], "next_key": [[2.0]], "terminated": [False]}
    changes = [{}, {"key": [[1.5]]}, {"action": [1]}, {"next_key": [[2.5]]}, {"terminated": [True]}]
    with EpisodicMemory.open(None) as memory:
        for change in changes:
            columns = {name: np.array(value) for name, value in (base | change).items()}
            assert memory.commit_episode(draft(), Transitions(reward=np.ones(1), **columns)).written == 1


def test_only_what_changed_is_loaded_again(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        memory.commit_episode(draft(), steps(1, 2))
        _, before = memory.transitions(namespace="alice", task="corridor")
        assert len(memory.transitions(namespace="alice", task="corridor", after=before)[0]) == 0
        done = memory.commit_episode(draft(), steps(2, 3))
        memory.commit_episode(draft(task="other"), steps(4))
        rows, after = memory.transitions(namespace="alice", task="corridor", after=before)
        assert rows.id.tolist() == done.template_ids.tolist()
        assert rows.count.tolist() == [2, 1]
        assert after > done.revision > before


def test_templates_that_no_longer_hold_are_replaced(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        before = memory.commit_episode(draft(), steps(1, 2))
        memory.commit_episode(draft(task="other"), steps(1))
        memory.commit_episode(draft(namespace="bob"), steps(1))
        memory.write([TemplateDraft(key=np.ones(2), content="a", task="corridor")], namespace="alice")
        since = memory.commit_episode(draft(), steps(9))
        done = memory.commit_episode(draft(), steps(2, 3), recalled={1: 1.0, 2: 1.0}, void_up_to=since.revision - 1)
        rows, _ = memory.transitions(namespace="alice", task="corridor", after=since.revision)
        assert rows.key[:, 0].tolist() == [2, 3]
        assert memory.transitions(namespace="alice", task="corridor")[0].key[:, 0].tolist() == [9, 2, 3]
        assert rows.count.tolist() == [1, 1]
        assert rows.id.tolist() == done.template_ids.tolist()
        assert not set(rows.id.tolist()) & set(before.template_ids.tolist())
        assert memory.episode(before.episode_id, namespace="alice").last_template_id is None
        memory.feedback(before.episode_id, namespace="alice", rating=1)
        memory.feedback(done.episode_id, namespace="alice", rating=1)
        assert len(memory.transitions(namespace="alice", task="other")[0]) == 1
        assert len(memory.transitions(namespace="bob", task="corridor")[0]) == 1
        assert [t.content for t in memory.templates(namespace="alice", kind="text")] == ["a"]
        assert memory.verify() == []


def test_swept_values_are_kept_and_are_no_news(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        done = memory.commit_episode(draft(), steps(1, 2))
        alice = {"namespace": "alice", "task": "corridor"}
        assert not memory.values_stand(**alice)
        memory.save_values(done.template_ids[:1], [0.5], revision=done.revision, **alice)
        memory.save_values(done.template_ids, [9.0, 9.0], namespace="bob", task="corridor", revision=9)
        memory.save_values(done.template_ids, [9.0, 9.0], namespace="alice", task="other", revision=9)
        assert memory.values_stand(**alice)
        rows, revision = memory.transitions(namespace="alice", task="corridor")
        np.testing.assert_array_equal(rows.value, [0.5, np.nan])
        assert revision == done.revision
        memory.commit_episode(draft(task="other"), steps(1))
        assert memory.values_stand(**alice)
        memory.commit_episode(draft(), steps(1))
        assert not memory.values_stand(**alice)
        rows, _ = memory.transitions(namespace="alice", task="corridor")
        assert rows.value[0] == 0.5
        with pytest.raises(ValueError, match=r"got shapes \(2,\) and \(1,\)"):
            memory.save_values([1, 2], [0.0], revision=1, **alice)
        with pytest.raises(ValueError, match="values must be finite"):
            memory.save_values([1], [np.nan], revision=1, **alice)


def test_failures_are_kept_out_where_the_gate_says_so(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None, gate=FeedbackGate(GateConfig(admit="success"))) as memory:
        done = memory.commit_episode(draft(-1.0), steps(1, 2))
        assert (done.written, done.merged, done.template_ids.tolist()) == (0, 0, [0, 0])
        assert memory.episode(done.episode_id, namespace="alice").last_template_id is None
        assert len(memory.transitions(namespace="alice", task="corridor")[0]) == 0
        assert memory.commit_episode(draft(1.0), steps(1, 2)).written == 2


def test_the_gate_compares_with_the_task_and_namespace_alone(draft: Draft) -> None:
    with EpisodicMemory.open(None) as memory:
        for return_ in (1.0, 2.0, 3.0, 4.0):
            memory.commit_episode(draft(return_))
        assert memory.commit_episode(draft(2.0)).gate == Gate(polarity=-1, weight=0.25)
        assert memory.commit_episode(draft(2.0, task="other")).gate == Gate(polarity=1, weight=0.5)
        assert memory.commit_episode(draft(2.0, namespace="bob")).gate == Gate(polarity=1, weight=0.5)


@settings(deadline=None, max_examples=25)
@given(st.lists(names, min_size=2, max_size=4, unique=True), st.data())
def test_a_namespace_sees_nothing_of_another(
    draft: Draft, steps: Steps, namespaces: list[str], data: st.DataObject
) -> None:
    """Whatever happens in other namespaces, one of them reads the same as if it were alone."""
    watched = namespaces[0]
    acts = data.draw(st.lists(st.sampled_from(namespaces), min_size=1, max_size=8))

    def view(memory: EpisodicMemory) -> object:
        rows, _ = memory.transitions(namespace=watched, task="corridor")
        stats = memory.stats(namespace=watched)
        return (
            [(episode.number, episode.gate, episode.rating) for episode in memory.episodes(namespace=watched)],
            memory.episode_count(namespace=watched, task="corridor"),
            [(template.key.tolist(), template.count) for template in memory.templates(namespace=watched)],
            (rows.key.tolist(), rows.count.tolist(), rows.reward.tolist(), rows.rating.tolist()),
            [(hit.template.content, hit.score) for hit in memory.recall([1, 1], namespace=watched).hits],
            memory.tasks(namespace=watched),
            memory.setting("scale", namespace=watched, task="corridor"),
            stats["tasks"],
            stats["bytes"],
        )

    views = []
    for others_too in (True, False):
        with EpisodicMemory.open(None) as memory:
            for i, namespace in enumerate(acts):
                if namespace != watched and not others_too:
                    continue
                done = memory.commit_episode(draft(float(i % 3), namespace=namespace, number=i + 1), steps(i % 2, 2))
                memory.write([TemplateDraft(key=np.array([1.0, 0.0]), content=f"note {i % 2}")], namespace=namespace)
                memory.save_setting("scale", i, namespace=namespace, task="corridor")
                memory.feedback(done.episode_id, namespace=namespace, rating=0.5)
            views.append(view(memory))
            assert memory.verify() == []
    assert views[0] == views[1]


@pytest.mark.parametrize("near", ["alic", "alicee", "Alice", "alice ", "ALICE", "%", "a_ice", "alice\x00"])
def test_a_namespace_matches_exactly(draft: Draft, steps: Steps, near: str) -> None:
    with EpisodicMemory.open(None) as memory:
        done = memory.commit_episode(draft(), steps(1))
        assert memory.episodes(namespace=near) == []
        assert memory.templates(namespace=near) == []
        for call in (
            lambda: memory.episode(done.episode_id, namespace=near),
            lambda: memory.feedback(done.episode_id, namespace=near, rating=1),
            lambda: memory.get(1, namespace=near),
            lambda: memory.recall([1, 1], namespace="alice", episode_id="0" * 32),
        ):
            with pytest.raises(NotFoundError):
                call()
        assert memory.episode(done.episode_id, namespace="alice").rating is None
        assert memory.namespaces() == ["alice"]
        for return_ in (0.0, 9.0):  # the second has an advantage to share: not with another's template
            memory.commit_episode(draft(return_, namespace=near), recalled={1: 1.0})
        assert memory.get(1, namespace="alice").utility == 0.0


def test_settings_are_kept_by_task(draft: Draft) -> None:
    with EpisodicMemory.open(None) as memory:
        assert memory.setting("scale", namespace="alice", task="corridor") is None
        for value in ([1, 2.5, None], {"mean": {"x": 1}}):
            memory.save_setting("scale", value, namespace="alice", task="corridor")
            assert memory.setting("scale", namespace="alice", task="corridor") == value
        assert memory.setting("scale", namespace="alice", task="other") is None
        for bad in (float("nan"), object()):
            with pytest.raises(ValueError, match="setting 'scale' must be something that JSON can hold"):
                memory.save_setting("scale", bad, namespace="alice", task="corridor")


def test_stats(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        done = [memory.commit_episode(draft(float(i)), steps(i)) for i in range(30)]
        memory.feedback(done[0].episode_id, namespace="alice", rating=1)
        memory.write([TemplateDraft(key=np.ones(3), content="né")], namespace="bob")
        stats = memory.stats()
        corridor, notes = stats["tasks"]
        assert corridor == {
            "namespace": "alice",
            "task": "corridor",
            "episodes": 30,
            "mean_return": 14.5,
            "best_return": 29.0,
            "last_20_mean_return": 19.5,
            "rated": 1,
            "templates": 30,
            "quarantined": 0,
            "bytes": 30 * 2 * 2 * 4,
        }
        assert (notes["namespace"], notes["task"], notes["templates"], notes["bytes"]) == ("bob", None, 1, 12 + 3)
        assert (stats["schema_version"], stats["path"]) == (SCHEMA_VERSION, None)
        assert stats["bytes"] > 30 * 16
        assert memory.stats(namespace="bob") == stats | {"bytes": None, "tasks": [notes]}


def test_keys_of_a_task_have_one_width(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        memory.commit_episode(draft(), steps(1))
        wide = Transitions(
            key=np.ones((1, 3)),
            action=np.array([0]),
            reward=np.array([0.0]),
            next_key=np.ones((1, 3)),
            terminated=np.array([False]),
        )
        with pytest.raises(ValueError, match="width 2, as the templates of task 'corridor' have, got 3"):
            memory.commit_episode(draft(), wide)
        assert memory.episode_count(namespace="alice", task="corridor") == 1
        assert memory.commit_episode(draft(task="wide"), wide).written == 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"namespace": ""}, ValueError, "namespace must have 1 to 200 characters, got 0"),
        ({"namespace": "x" * 201}, ValueError, "namespace must have 1 to 200 characters, got 201"),
        ({"namespace": None}, TypeError, "namespace must be a str, got NoneType"),
        ({"namespace": "\ud800"}, ValueError, "UTF-8"),
        ({"task": ""}, ValueError, "task must have 1 to"),
        ({"number": 0}, ValueError, "number must be at least 1, got 0"),
        ({"return_": float("inf")}, ValueError, "return_ must be finite, got inf"),
        ({"length": -1}, ValueError, "length must not be negative, got -1"),
        ({"seconds": float("nan")}, ValueError, "seconds must be finite"),
    ],
)
def test_wrong_drafts_are_refused(
    draft: Draft, change: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        draft(**change)


def test_every_method_needs_a_namespace_that_is_one() -> None:
    with EpisodicMemory.open(None) as memory:
        calls: list[Callable[[], object]] = [
            lambda: memory.episodes(namespace=""),
            lambda: memory.episode("x", namespace=""),
            lambda: memory.episode_count(namespace="", task="t"),
            lambda: memory.feedback("x", namespace="", rating=1),
            lambda: memory.write([], namespace=""),
            lambda: memory.recall([1], namespace=""),
            lambda: memory.get(1, namespace=""),
            lambda: memory.templates(namespace=""),
            lambda: memory.transitions(namespace="", task="t"),
            lambda: memory.save_values([], [], namespace="", task="t", revision=1),
            lambda: memory.values_stand(namespace="", task="t"),
            lambda: memory.tasks(namespace=""),
            lambda: memory.setting("s", namespace="", task="t"),
            lambda: memory.save_setting("s", 1, namespace="", task="t"),
            lambda: memory.stats(namespace=""),
            lambda: memory.transitions(namespace="a", task=""),
            lambda: memory.episode_count(namespace="a", task=""),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="must have 1 to"):
                call()


def test_a_closed_memory_says_so(draft: Draft) -> None:
    memory = EpisodicMemory.open(None)
    memory.close()
    memory.close()
    with pytest.raises(ValueError, match="the memory is closed"):
        memory.namespaces()


def test_ids_are_never_used_twice(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        ids = [memory.commit_episode(draft(), steps(number)).episode_id for number in range(5)]
        assert len(set(ids)) == 5
        assert all(len(episode_id) == 32 for episode_id in ids)
        assert memory.transitions(namespace="alice", task="corridor")[0].id.tolist() == [1, 2, 3, 4, 5]
