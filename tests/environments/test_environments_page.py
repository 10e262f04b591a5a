"""The figures on the page are what its scripts print."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

ROW = re.compile(r"^\| `(holdfast/\w+-v0)` \| ([\d.]+) \| ([\d.]+) ± ([\d.]+) \|$", re.MULTILINE)
TEXTS = re.compile(r"^\| `(holdfast/\w+-v0)` \|" + r" ([\d.]+) ± ([\d.]+) \|" * 3 + "$", re.MULTILINE)


@pytest.fixture
def page(root) -> str:
    return (root / "docs" / "environments.md").read_text()


def output_of(page: str, name: str, folder, environment) -> str:
    script = folder / name
    script.write_text(re.search(rf"^```python\n(# {name}\n.*?)^```$", page, re.MULTILINE | re.DOTALL)[1])
    return subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=folder,
        env=environment | {"PYTHONPATH": ":".join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_table_of_returns_is_what_its_script_prints(page, tmp_path, clean_environment):
    shown, printed = ROW.findall(page), ROW.findall(output_of(page, "returns.py", tmp_path, clean_environment))
    assert len(shown) == len(printed) == 5
    for (env_id, optimum, random, error), (env_id_now, optimum_now, random_now, _) in zip(shown, printed, strict=True):
        assert (env_id, optimum) == (env_id_now, optimum_now)
        # another version of numpy may draw other actions: two means of as many episodes lie so near each other
        assert float(random) == pytest.approx(float(random_now), abs=4 * 2**0.5 * float(error) + 0.01)


def test_the_table_of_texts_is_what_its_script_prints(page, tmp_path, clean_environment):
    shown, printed = TEXTS.findall(page), TEXTS.findall(output_of(page, "text_returns.py", tmp_path, clean_environment))
    assert len(shown) == len(printed) == 3
    for (env_id, *said), (env_id_now, *now) in zip(shown, printed, strict=True):
        assert env_id == env_id_now
        for mean, error, mean_now in zip(said[::2], said[1::2], now[::2], strict=True):
            assert float(mean) == pytest.approx(float(mean_now), abs=4 * 2**0.5 * float(error) + 0.01)


def test_the_second_process_does_what_the_page_says(page, tmp_path, clean_environment):
    said = re.search(r"^\$ python key_door.py\n(.*\n)\$ python key_door.py\n(.*\n)", page, re.MULTILINE).groups()
    assert said == tuple(output_of(page, "key_door.py", tmp_path, clean_environment) for _ in range(2))
