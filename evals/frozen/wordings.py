"""The ways in which a fact can be told that is asked in one."""

from __future__ import annotations

AS_ASKED, TAUGHT, UNSEEN, NEW_RELATION = "as asked", "taught wording", "unseen wording", "untrained relation"
WORDINGS = (AS_ASKED, TAUGHT, UNSEEN, NEW_RELATION)
