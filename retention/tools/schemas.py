"""What a language model may say to each tool: pydantic models, without who calls. Imported on use."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from . import arguments


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RecallArguments(_Arguments):
    """Arguments of ``memory_recall``."""

    query: str = Field(
        min_length=1, max_length=arguments.QUERY_LIMIT, description="What to look for, in your own words."
    )
    k: int = Field(default=5, ge=1, le=arguments.K_LIMIT, description="How many notes at most.")
    max_tokens: int = Field(
        default=800, ge=1, le=arguments.TOKENS_LIMIT, description="How long the notes may be together."
    )
    kinds: list[str] | None = Field(default=None, description="Only these kinds: fact, lesson, template.")


class NoteArguments(_Arguments):
    """Arguments of ``memory_note``."""

    content: str = Field(
        min_length=1, max_length=arguments.CONTENT_LIMIT, description="What to keep: one thing, in full sentences."
    )
    kind: Literal["fact", "lesson", "template"] = Field(
        default="fact", description="A fact, a lesson from what you did, or a template of a solution."
    )
    source: Literal["user", "agent", "tool", "web"] = Field(
        default="agent", description="Who said it: the user, you, a tool's result, or a web page."
    )
    ttl_days: float | None = Field(
        default=None, gt=0, le=arguments.TTL_DAYS_LIMIT, description="For how many days it holds; leave out for ever."
    )


class FeedbackArguments(_Arguments):
    """Arguments of ``memory_feedback``."""

    recall_id: str = Field(min_length=1, max_length=200, description="The recall_id that memory_recall returned.")
    rating: Literal["up", "down"] | None = Field(default=None, description="Whether the recall helped.")
    reward: float | None = Field(default=None, ge=-1, le=1, description="From -1 to 1, in place of a rating.")
    items: dict[str, Literal["helped", "harmed", "unused"]] | None = Field(
        default=None, description="Of single notes, by their ids."
    )
    reason: str | None = Field(default=None, max_length=arguments.REASON_LIMIT, description="Why, in a sentence.")
    feedback_id: str | None = Field(
        default=None, min_length=1, max_length=200, description="A name for it: the same one again changes nothing."
    )


class ForgetArguments(_Arguments):
    """Arguments of ``memory_forget``."""

    ids: list[int] = Field(
        min_length=1, max_length=arguments.IDS_LIMIT, description="The ids of the notes to delete for good."
    )
    confirm: bool = Field(default=False, description="Must be true: what is deleted is gone.")


class ExplainArguments(_Arguments):
    """Arguments of ``memory_explain``."""

    id: int = Field(ge=1, description="The id of the note.")


SCHEMAS: dict[str, type[BaseModel]] = {
    "memory_recall": RecallArguments,
    "memory_note": NoteArguments,
    "memory_feedback": FeedbackArguments,
    "memory_forget": ForgetArguments,
    "memory_explain": ExplainArguments,
}
"""By the name of the tool."""
