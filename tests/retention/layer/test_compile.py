"""Reading and writing under ``torch.compile``: one graph, traced once, with the numbers of eager mode."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMPILED = """
import sys
from dataclasses import fields
import torch
from torch._dynamo.utils import counters
from retention import BlendWrite, ChunkPool, MergeWrite, RetentionConfig, RetentionLayer

rule, backend, steps, grad = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "True"
rule = {"BlendWrite": BlendWrite, "MergeWrite": MergeWrite}[rule]()
torch.manual_seed(0)
config = RetentionConfig(width=8, heads=2, capacity=6, pool=ChunkPool(size=1), rule=rule)
layer = RetentionLayer(config).train(grad)
graphs = []

def count(graph, inputs):
    graphs.append(graph)
    return graph.forward

compiled = torch.compile(layer, backend=count if backend == "count" else backend, fullgraph=True)
state = layer.init_state(2)
with torch.set_grad_enabled(grad):
    for step in range(steps):
        x, feedback = torch.randn(2, 3, 8), torch.randn(2, 3)
        y, after = compiled(x, state, feedback=feedback)
        if step < 20 or step % 50 == 0:
            wanted, eager = layer(x, state, feedback=feedback)
            torch.testing.assert_close(y, wanted)
            for field in fields(after):
                got, held = getattr(after, field.name), getattr(eager, field.name)
                if field.name == "stamp" and backend != "count":
                    got, held = got != 0, held != 0
                torch.testing.assert_close(got, held, msg=lambda text: f"{field.name} at {step}: {text}")
        state = after.detach()
print(counters["stats"]["unique_graphs"], len(counters["recompiles"]))
"""


@pytest.mark.parametrize(
    ("rule", "backend", "steps", "grad"),
    [
        ("MergeWrite", "count", 1000, False),
        ("BlendWrite", "count", 30, False),
        ("MergeWrite", "aot_eager", 30, True),
    ],
)
def test_reading_and_writing_are_one_graph_that_is_traced_once(rule, backend, steps, grad):
    """In a process of its own, because the shape checks of these tests cannot be traced."""
    arguments = [rule, backend, str(steps), str(grad)]
    done = subprocess.run([sys.executable, "-c", COMPILED, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 0\n"
