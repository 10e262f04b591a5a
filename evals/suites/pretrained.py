"""Can retention be added to a pretrained transformer while it stays as it is? Open question 4 of arXiv 2501.09166.

SmolLM2 with 135 million parameters is told facts about people who do not exist, and asked for them later, when nothing
of what it was told is in its context: "The locker code of Brato Kelin is". A fact is asked in these words alone, and
told in four ways; and a speaker tells of themselves and of things around: "The spare key is under the".

| wording | how a fact was told |
|---|---|
| as asked | in the words in which it is asked |
| taught wording | by a sentence that the adapter's training has shown, with other people and other values |
| unseen wording | by a sentence that it has not shown, and by which no setting was chosen |
| untrained relation | the same, of one of sixteen relations that it has not shown at all |
| of oneself | the same, of one of forty relations whose sentences name nobody; the rest of a memory is about people |

| arm | where the facts are |
|---|---|
| kept | in a file: one process had the frozen model read them, and an adapter write them; another one answers |
| wiped | nowhere: the same adapter with an empty memory |
| foreign | nowhere: the memory is full of facts about other people |
| base | nowhere: the frozen model alone |
| prompt | all of them in the prompt |
| retrieval 1, retrieval 4 | one, or four, in the prompt: those that the episodic memory recalls for the question |
| lora | in low-rank weights that were tuned on the facts (rank 8, query and value projections) |
| last layers | in the last three layers, tuned on the facts |

The first seed has the adapter that comes with the package, if one does; any other trains its own by the package's
recipe, under ``adapters`` in the folder of the run, where a finished one is found again.

Seed by seed, the arms are asked the same questions. A memory has as many facts as the number in the task's name says;
each question sees its own fact and, from two on, the other one of the same person, or up to forty of the same speaker.
Where a memory is smaller than the number of questions there are several, with other people in each. Tuning is dear:
there are fewer memories of lora and last layers, as the settings say, of facts about people alone, and one of several
is told a quarter of them in each wording. What has no memory, base and wiped, is asked once, and stands at every size.

| metric | meaning |
|---|---|
| share_right | the share of answers of which every token is the model's most likely one |
| cpu_seconds_a_question | on one thread: reading the prompt and finding what stands in it, but not opening a file |
| training_cpu_seconds | to tune the weights on the facts of a memory; for kept, to train the adapter, once |
| writing_cpu_seconds | to write the facts of a memory |
| perplexity_moved | how far the perplexity of sixty neutral texts moves, in per cent of the frozen model's |
| | and that of 181 longer ones, another's memory being the mean of three |
| perplexity | of the frozen model on them |
| trainable_share | trained weights, in per cent of those of the frozen model |
| tokens_a_second | what is said in a CPU second, token by token, with a memory of the most facts |
| speed_kept | the median of the ratios of that with the layer and without, by turns |
"""

from __future__ import annotations

from ..suite import Suite

_PHASES, _KEPT = "evals.suites.pretrained_phases", "evals.suites.pretrained_kept_phases"

SUITE = Suite(
    name="pretrained",
    version=3,
    summary="Can retention be added to a frozen pretrained transformer?",
    tasks={
        "facts": {
            "model": "local",
            "questions": 100,
            "sizes": [1, 8, 32, 100, 300, 1000],
            "prompt_sizes": [1, 8, 32, 100],
            "retrieved": [1, 4],
            "retrieved_sizes": [8, 100, 1000],
            "tuned": {"1": 3, "8": 3, "32": 2, "100": 1},
            # By a small sweep on other people, told 16 facts as asked and 16 in unseen wordings: how many of the former
            # were known, of the latter none, and by how much the perplexity of neutral texts rose. lora: 3e-3 and 15
            # epochs 0, 100 %; 1e-2 and 15 11, 1360 %; 5e-3 and 30 16, 1815 %. Three layers: 3e-4 and 15 0, -3 %; 1e-3
            # and 15 15, 154 %; 5e-4 and 30 16, 190 %. Smaller steps, but more of them, are no gentler; lora on other
            # facts: 3e-3 and 40 epochs 16, 3162 %; 2e-3 and 40 9, 2321 %; 1.5e-3 and 50 13, 3482 %.
            "lora": {"rank": 8, "rate": 5e-3, "epochs": 30},
            "last layers": {"count": 3, "rate": 1e-3, "epochs": 15},
            "adapter": {},
            "speed": {"tokens": 32, "rounds": 5},
        },
    },
    arms={
        "kept": (f"{_KEPT}:learn", f"{_KEPT}:write", f"{_KEPT}:read", f"{_KEPT}:drift"),
        "base": (f"{_PHASES}:ask_base", f"{_PHASES}:look_at_neutral"),
        "prompt": (f"{_PHASES}:ask_prompted",),
        "retrieval": (f"{_PHASES}:ask_retrieved",),
        "lora": (f"{_PHASES}:ask_tuned",),
        "last layers": (f"{_PHASES}:ask_tuned",),
    },
    score="evals.suites.pretrained_score:score",
    headline="share_right",
    seeds=3,
    left_out=f"{_PHASES}:absent",
)
