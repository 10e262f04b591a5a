"""The report of the suite ``pretrained``, and the answer to its question."""

from __future__ import annotations

import pytest

from evals.frozen.wordings import AS_ASKED, TAUGHT, UNSEEN
from evals.phase import PhaseRun
from evals.results import Result
from evals.suites.pretrained import SUITE
from evals.suites.pretrained_score import score


def results(rows: dict[tuple[str, str, str], float], seeds: int = 3) -> list[Result]:
    """The results of cases that all found the same."""
    answer = {"rows": [[*key, value] for key, value in rows.items()]}
    return [
        Result(case=case, phases=(PhaseRun(phase="read", process=1, seconds=1.0, answer=answer),))
        for case in SUITE.cases(range(seeds))
        if case.arm == "kept"
    ]


def reaching(**changes: float) -> dict[tuple[str, str, str], float]:
    """What a layer finds that reaches every target; ``prompt`` changes a number of the prompt, ``moved`` the drift."""
    shares = {AS_ASKED: 1.0, TAUGHT: 0.95, UNSEEN: changes.get("unseen", 0.7)}
    rows = {
        ("share_right", f"{wording} {size}", "kept"): share for wording, share in shares.items() for size in (1, 8, 100)
    }
    for wording in shares:
        rows |= {("share_right", f"{wording} {size}", "prompt"): changes.get("prompt", 0.3) for size in (1, 8, 100)}
        rows |= {
            ("share_right", f"{wording} 100", arm): changes.get("none", 0.0) for arm in ("wiped", "foreign", "base")
        }
    rows |= {
        ("perplexity_moved", "neutral text 100", "foreign"): changes.get("moved", 0.1),
        ("perplexity_moved", "longer neutral text 100", "foreign"): changes.get("longer", 0.1),
        ("trainable_share", "all", "kept"): 0.7,
        ("speed_kept", "all", "kept"): 0.9,
        ("share_right", f"{UNSEEN} 100", "lora"): 0.0,
        ("perplexity_moved", "neutral text 100", "lora"): 900.0,
    }
    return rows


def test_the_answer_is_yes_where_every_target_is_reached():
    verdict = score(results(reaching())).verdict
    assert verdict.startswith("Yes. With 100 facts in its own memory")
    assert "0.70 [0.70, 0.70] in an unseen wording (at least 0.5 was wanted: reached)" in verdict
    assert "lora 0.00 [0.00, 0.00], the perplexity of neutral texts being moved by 900.0 [900.0, 900.0] %" in verdict
    assert "From 8 facts on it is above a prompt that holds them for: as asked 8, as asked 100" in verdict


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"unseen": 0.4}, "0.40 [0.40, 0.40] in an unseen wording (at least 0.5 was wanted: not reached)"),
        ({"moved": 0.8}, "of the perplexity of neutral texts (at most 0.5 % was wanted: not reached)"),
        ({"longer": 0.8}, "of that of 181 longer ones (at most 0.5 % was wanted: not reached)"),
        ({"prompt": 0.8}, "not clearly for: unseen wording 8, unseen wording 100"),
    ],
)
def test_the_answer_is_partly_where_something_is_missed_and_says_what(changes, said):
    verdict = score(results(reaching(**changes))).verdict
    assert verdict.startswith("Partly. ") and said in verdict


def test_the_answer_is_no_where_a_memory_is_worth_nothing_and_none_where_nothing_is_known():
    assert score(results(reaching(none=1.0))).verdict.startswith("No. ")
    assert score([]).verdict.startswith("Nothing can be said yet")
    alone = {key: value for key, value in reaching().items() if key[2] == "kept"}
    assert score(results(alone)).verdict.startswith("Nothing can be said yet")


def test_rows_stand_by_metric_wording_and_size_and_the_figure_has_a_panel_for_each_wording(tmp_path):
    report = score(results(reaching()))
    tasks = [row.task for row in report.rows if (row.metric, row.arm) == ("share_right", "kept")]
    assert tasks == [f"{wording} {size}" for wording in (AS_ASKED, TAUGHT, UNSEEN) for size in (1, 8, 100)]
    arms = [row.arm for row in report.rows if (row.metric, row.task) == ("share_right", f"{UNSEEN} 100")]
    assert arms == ["kept", "wiped", "foreign", "base", "prompt", "lora"]
    pytest.importorskip("matplotlib")
    from evals.figure import draw_report

    draw_report(report, tmp_path / "report.png", metric=SUITE.headline, title=SUITE.summary)
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG\r\n")
