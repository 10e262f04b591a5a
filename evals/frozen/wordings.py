"""The ways in which a fact can be told that is asked in one."""

from __future__ import annotations

AS_ASKED, TAUGHT, UNSEEN, NEW_RELATION = "as asked", "taught wording", "unseen wording", "untrained relation"
OF_PEOPLE = (AS_ASKED, TAUGHT, UNSEEN, NEW_RELATION)

OWN = "of oneself"
"""Facts about who speaks and about things around, of untrained relations, in sentences that name nobody."""

WORDINGS = (*OF_PEOPLE, OWN)
