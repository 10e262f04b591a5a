"""The key-value store beyond LangChain's own suites, against a dictionary."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retention import EpisodicMemory, MemoryByteStore

names = st.text(st.characters(codec="utf-8"), max_size=4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.lists(st.tuples(names, st.binary(max_size=6)), max_size=3)),
        st.tuples(st.just("delete"), st.lists(names, max_size=3)),
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=steps, prefix=names)
def test_it_is_a_dictionary(steps: list[tuple[str, Any]], prefix: str) -> None:
    wanted: dict[str, bytes] = {}
    with EpisodicMemory.open(None) as memory:
        store = MemoryByteStore(memory, namespace="alice")
        for what, given_ in steps:
            if what == "set":
                store.mset(given_)
                wanted |= dict(given_)
            else:
                store.mdelete(given_)
                wanted = {key: value for key, value in wanted.items() if key not in given_}
        assert store.mget(list(wanted)) == list(wanted.values())
        assert list(store.yield_keys()) == list(wanted)
        assert list(store.yield_keys(prefix=prefix)) == [key for key in wanted if key.startswith(prefix)]
        assert memory.verify() == []


def test_it_needs_no_encoder_and_mixes_with_nothing_else(memory: EpisodicMemory) -> None:
    one = MemoryByteStore(memory, namespace="alice")
    for other in (
        MemoryByteStore(memory, namespace="bob"),
        MemoryByteStore(memory, namespace="alice", path=("bytes", "more")),
    ):
        other.mset([("key", b"theirs")])
        assert one.mget(["key"]) == [None] and list(one.yield_keys()) == []
    with EpisodicMemory.open(None) as bare:
        MemoryByteStore(bare, namespace="alice").mset([("key", b"x")])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("fine", b""), ("key", "text")], "the value of 'key' must be bytes, got str"),
        ([("fine", b""), (7, b"x")], "key must be a str, got int"),
    ],
)
def test_bad_input_is_one_clear_line_and_changes_nothing(
    memory: EpisodicMemory, pairs: list[tuple[Any, Any]], message: str
) -> None:
    store = MemoryByteStore(memory, namespace="alice")
    with pytest.raises(TypeError, match=message):
        store.mset(pairs)
    assert list(store.yield_keys()) == []
