"""Makes long conversations between two people over a year, with questions whose evidence is known.

All of the text is our own. The words of a question are, for a good part, others than those of its evidence; the answer
often stands in the turn after the question that asks for it; the other person has facts of the same kinds, relatives
have them, facts change, and small talk uses the same words.
"""

from __future__ import annotations

import random
from datetime import date, timedelta

from .asking import questions
from .conversation import Conversation
from .fact_kinds import fact_kinds
from .facts import Fact, draw_facts
from .style import Style
from .talking import Talk

NAMES = (
    "Amara", "Anton", "Audrey", "Beatrice", "Bruno", "Calvin", "Carmen", "Cedric", "Dalia", "Dominic", "Edith",
    "Elena", "Emil", "Esther", "Fabian", "Freya", "Gareth", "Greta", "Hana", "Hugo", "Imogen", "Isaac", "Jasper",
    "Jolene", "Kamal", "Kirsten", "Lars", "Leila", "Lorenzo", "Maeve", "Malik", "Marta", "Miriam", "Nadia", "Nigel",
    "Odette", "Oscar", "Petra", "Quentin", "Rafael", "Renata", "Rosa", "Rupert", "Selma", "Simon", "Tamsin", "Theo",
    "Ursula", "Viktor", "Willa", "Xavier", "Yara", "Yusuf", "Zelda",
)  # fmt: skip
"""Of whom two talk."""


def generate(seed: int, *, conversations: int = 5, style: Style | None = None) -> list[Conversation]:
    """Return conversations; the same seed and style give the same ones, whatever machine it is.

    Args:
        seed: of all that chance decides.
        conversations: how many; no two have a speaker in common, as long as there are names.
        style: how people talk; ``None`` for the default.

    Raises:
        ValueError: if no conversation is asked for, or more than there are names for.
    """
    if not 1 <= conversations <= len(NAMES) // 2:
        raise ValueError(f"conversations must lie in [1, {len(NAMES) // 2}], got {conversations}")
    names = random.Random(f"names/{seed}").sample(NAMES, 2 * conversations)
    return [
        _conversation(f"{seed}/{number}", (names[2 * number], names[2 * number + 1]), style or Style())
        for number in range(conversations)
    ]


def _conversation(name: str, speakers: tuple[str, str], style: Style) -> Conversation:
    draw = random.Random(f"conversation/{name}")
    facts, silent = draw_facts(draw, speakers, style)
    days = sorted(draw.sample(range(365), draw.randint(*style.sessions)))
    sessions: list[list[Fact]] = [[] for _ in days]
    place: dict[int, int] = {}
    for fact in facts:
        after = place[id(fact.old)] + 1 if fact.old is not None else 0
        last = len(days) - 1 if fact.about == "change" else len(days) - 2
        place[id(fact)] = draw.randint(min(after, last), last)
        sessions[place[id(fact)]].append(fact)
    talk, first = Talk(draw, speakers, style), date(draw.randint(2021, 2025), draw.randint(1, 12), 1)
    for number, (day, told) in enumerate(zip(days, sessions, strict=True)):
        earlier = [fact for session in sessions[:number] for fact in session]
        talk.session(first + timedelta(days=day), told, earlier, fact_kinds())
    asked = questions(draw, speakers, facts, silent)
    return Conversation(name=name, speakers=speakers, turns=talk.turns, questions=tuple(asked))
