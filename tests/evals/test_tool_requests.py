from __future__ import annotations

import json

import pytest

from evals.tool_requests import REQUESTS, TOOLS, graded, instruction

NOTE = REQUESTS[0]


def call(name: str, **arguments: object) -> str:
    return json.dumps({"name": name, "arguments": arguments})


@pytest.mark.parametrize(
    ("said", "grades"),
    [
        (call("memory_note", content="x"), (True, True, True)),
        (f"Sure: {call('memory_note', content='x')} !", (True, True, True)),
        (call("memory_recall", query="x", k=3), (True, True, False)),
        (call("memory_note", content=3), (True, False, False)),
        (call("memory_note"), (True, False, False)),
        (call("memory_note", content="x", more=1), (True, False, False)),
        (call("no_tool", content="x"), (True, False, False)),
        ('{"name": "memory_note"}', (False, False, False)),
        ("[1, 2]", (False, False, False)),
        ('{"name": "memory_note", "arguments": {', (False, False, False)),
        ("I have noted it.", (False, False, False)),
    ],
)
def test_what_of_a_call_is_right(said, grades):
    assert tuple(graded(said, NOTE).values()) == grades


def test_each_request_is_for_a_tool_that_the_model_is_told_of():
    names = [tool["name"] for tool in TOOLS]
    assert {request.tool for request in REQUESTS} == set(names)
    assert all(name in instruction() for name in names)
