"""Lines of a chat: commands, thumbs, errors that end a turn, Ctrl-C; for a person and as JSON."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest

from agent.chat.chat_output import JsonOutput, LineOutput
from agent.chat.chat_session import ChatSession
from agent.chat.decoding import Decoder
from agent.chat.fact_chat import FactChat
from retention import MemoryFileError, TemplateDraft

ANN, BOB = "The locker code of Ann is 4821.", "Bob was born in Oslo."


@pytest.fixture
def chat(talker, facts) -> FactChat:
    return FactChat(talker, facts, max_tokens=6, turns=2, go_on=True)


@pytest.fixture
def typed(chat, capsys):
    """Type lines, and return what is shown."""

    def run(*lines: str) -> str:
        ChatSession(chat, LineOutput()).run(iter(lines))
        return capsys.readouterr().out

    return run


@pytest.fixture
def rows(chat, capsys):
    """Type lines, and return the JSON objects."""

    def run(*lines: str) -> list[dict]:
        ChatSession(chat, JsonOutput()).run(iter(lines))
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def test_a_conversation_as_json(rows, facts, chat):
    told, again, asked, listed, why, bad, left, good = rows(
        ANN, f"/remember {BOB} Who?!", "", "Who is Ann?", "/facts", "/why", "-", "/facts", "\N{THUMBS UP SIGN}"
    )
    assert told["remembered"] == [{"id": 1, "content": ANN}]
    assert again == {
        "command": "remember",
        "remembered": [{"id": 2, "content": BOB}, {"id": 3, "content": "Who?!"}],
    }
    assert asked["said"] == "Who is Ann?" and asked["answer"] == chat.last.text
    assert asked["finish_reason"] in ("length", "stop") and asked["tokens"] == len(chat.last.pieces)
    assert asked["recalled"][0]["content"] in (ANN, BOB, "Who?!")
    assert sum(each["mass"] for each in asked["recalled"]) == pytest.approx(asked["tokens"], abs=1e-3)
    assert [each["content"] for each in listed["facts"]] == [ANN, BOB, "Who?!"]
    assert "".join(each["token"] for each in why["tokens"]) == asked["answer"]
    assert all(each["read"] and each["facts"] and each["null"] < 1e-6 for each in why["tokens"])
    assert why["facts"] == asked["recalled"]
    assert bad["command"] == "bad" and bad["receipt_id"] == asked["receipt_id"]
    kept_back = [each["id"] for each in left["facts"] if each["status"] == "quarantined"]
    assert kept_back == bad["kept_back"] != []
    assert good["freed"] == kept_back and good["rating"] == 1.0
    assert facts.ids == (1, 2, 3)


def test_a_conversation_for_a_person(typed, chat):
    shown = typed(ANN, "Who is Ann?", "/why", "/bad", "/facts", "/good", "/quit", "never said")
    assert f"  remembered #1 {ANN}\n" in shown
    assert chat.last.text in shown
    assert "  #1 1.00\n" in shown
    assert f"#1 {ANN}  ({len(chat.last.pieces)}.00 of {len(chat.last.pieces)} tokens)\n" in shown
    assert f"rated bad\n  kept from use: #1 {ANN}\n" in shown
    assert f"#1 {ANN}  (kept from use)\n" in shown
    assert f"rated good\n  in use again: #1 {ANN}\n" in shown
    assert chat.last.said == "Who is Ann?"


def test_the_terminal_obeys_nothing_that_is_remembered(typed, facts, capsys):
    (number,) = facts.remember(["The sign is \x1b]0;mine\x07 or\n\x9b31m red."])
    shown = typed("/facts", "What is the sign?", "/why")
    told = "The sign is \N{REPLACEMENT CHARACTER}]0;mine"
    assert f"#{number} {told}" in shown and "or\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}31m red.\n" in shown
    assert not set("\x07\x1b\x9b") & set(shown)
    LineOutput().piece("so\n\x1b[31m")
    assert capsys.readouterr().out == "so\n\N{REPLACEMENT CHARACTER}[31m"


def test_a_statement_takes_one_line(talker, facts, capsys):
    ChatSession(FactChat(talker, facts, max_tokens=6), LineOutput()).run(iter([ANN, "/why", "/bad"]))
    shown = capsys.readouterr().out.splitlines()
    assert shown == [f"  remembered #1 {ANN}", "No fact was read for it.", "rated bad", f"  kept from use: #1 {ANN}"]


def test_a_fact_that_others_decide_on_is_told_as_kept_from_use(typed, memory):
    run = memory.begin_run(namespace="alice", task="chat")
    memory.note(TemplateDraft(content=ANN, key=np.ones(1), kind="fact"), run_id=run.run_id, namespace="alice")
    assert typed(ANN, f"/remember {ANN}").count(f"  remembered #1 {ANN}  (kept from use)\n") == 2


def test_without_facts(typed):
    shown = typed("/facts", "Who is Ann?", "/why")
    assert shown.startswith("Nothing is remembered.\n")
    assert shown.endswith("No fact was read for it.\n")


def test_every_command_is_in_the_help(typed, rows):
    shown = typed("/help")
    (told,) = rows("/help")
    for name in ("/remember TEXT", "/forget ID", "/facts", "/why", "/good", "/bad", "/help", "/quit", "+", "Ctrl-C"):
        assert name in shown and name in json.dumps(told, ensure_ascii=False)


def test_what_is_forgotten_is_told_the_model_no_more(rows, chat, memory):
    rows(ANN, BOB)
    assert len(chat._turns) == 2
    assert rows("/forget 1") == [{"command": "forget", "forgotten": [1]}]
    assert not chat._turns
    assert [fact.content for fact in chat.facts.facts()] == [BOB]
    assert rows("/forget 1 2") == [{"error": "there is no fact #1: /facts lists them"}]
    assert [fact.content for fact in chat.facts.facts()] == [BOB]
    assert memory.verify() == []


def test_what_was_read_and_forgotten_since_is_told_as_that(typed, chat):
    typed(ANN, "Who is Ann?")
    assert "#1 (forgotten)" in typed("/forget 1", "/why")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/wy", "there is no command /wy: did you mean /why?"),
        ("/forget x", "a fact has a number, got 'x': /facts lists them"),
        ("/why", "there is no answer yet: say something first"),
        ("/good", "there is no answer to rate yet: say something first"),
        ("/remember a", "a fact is one sentence of 3 to 256 tokens, got 2 tokens: 'a'"),
        ("x" * 3000, "the text has 3019 tokens, and talker reads fewer than 1024: shorten it"),
    ],
)
def test_what_goes_wrong_ends_the_turn_alone(line, says, rows, chat, capsys):
    failed, told = rows(line, ANN)
    assert failed == {"error": says}
    assert told["remembered"]
    chat.last = None
    ChatSession(chat, LineOutput()).run(iter([line]))
    assert capsys.readouterr().err == f"holdfast: {says}\n"


def test_of_a_text_that_is_too_long_nobody_else_speaks(typed, talker, caplog):
    talker.tokenizer.deprecation_warnings.clear()  # it warns once
    typed("x" * 3000, f"/remember {'x' * 3000}")
    assert not caplog.records


def test_a_statement_that_is_too_long_is_answered_and_told(typed, rows):
    long = "Ann has " + "very " * 60 + "long hair."
    assert "  not remembered: a fact is one sentence of 3 to 256 tokens, got 319 tokens" in typed(long)
    assert rows(long)[0]["not_remembered"].startswith("a fact is one sentence")


def test_a_memory_that_is_gone_ends_the_chat(chat, monkeypatch):
    def fails(text: str, interrupted: object) -> None:
        raise MemoryFileError("the disk is gone")

    monkeypatch.setattr(FactChat, "say", lambda self, text, interrupted: fails(text, interrupted))
    with pytest.raises(MemoryFileError, match="the disk is gone"):
        ChatSession(chat, LineOutput()).run(iter([ANN]))


def test_ctrl_c_stops_the_answer_and_the_chat_goes_on(chat, rows, monkeypatch):
    decoded, presses = Decoder._decoded, iter([signal.SIGINT])

    def pressed(self: Decoder) -> str:
        if len(self.tokens) == 2:
            for press in presses:  # the first time alone
                signal.raise_signal(press)
        return decoded(self)

    monkeypatch.setattr(Decoder, "_decoded", pressed)
    cut, whole = rows(ANN, "Who is Ann?")
    assert (cut["finish_reason"], cut["tokens"]) == ("interrupted", 2)
    assert cut["remembered"] == [{"id": 1, "content": ANN}]
    assert whole["finish_reason"] != "interrupted" and whole["tokens"] > 2
    assert chat._turns[0].answered == cut["answer"]
