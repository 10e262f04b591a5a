"""Secrets in texts."""

from __future__ import annotations

import base64
import random
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.tools.secret_scan import REMOVED, find_secrets, without_secrets

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"
SECRETS = [
    ("use AKIAIOSFODNN7EXAMPLE now", "AKIAIOSFODNN7EXAMPLE"),
    ("token ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("sk-proj-4eC39HqLyjWDarjtT1zdp7dc is it", "sk-proj-4eC39HqLyjWDarjtT1zdp7dc"),
    ("Authorization: Bearer abcdef1234567890abcdef", "abcdef1234567890abcdef"),
    ("postgres://admin:hunter2@db/crm", "admin:hunter2"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiYWNrdXAifQ.c2lnbmF0dXJl", "eyJzdWIiOiJiYWNrdXAifQ"),
    (f"the key is\n{KEY}\nkeep it", "MIIEpAIBAAKCAQEA"),
    ("password: Sommer2026", "Sommer2026"),
    ('{"api_key": "abcd1234efgh"}', "abcd1234efgh"),
    ("DB_PASSWORD=hunter22", "hunter22"),
    ("the password for bob is s3cret99", "s3cret99"),
    ("the door opens with Zk3vQ9xT7pLw2RbY8sDf", "Zk3vQ9xT7pLw2RbY8sDf"),
]
HARMLESS = [
    "Never send the password in the URL.",
    "the password is required",
    "password: <your password>",
    "token = os.environ['TOKEN']",
    'params: {"token": string}',
    "the token is older than 15 minutes",
    "commit 3f1c0a52b0e94d0f8a4f6f0c2f0f7a11b0e94d0f",
    "id 123e4567-e89b-12d3-a456-426614174000",
    "see ToolsIntegrationTestsAsync2024Configuration and docs/some_long_file_name_for_2024.md",
    "https://example.org/a/long/path/with-many-words-and-numbers-2024-11-28",
    "pin the version in constraints.txt",
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_secrets_are_found_and_cut_out(text: str, secret: str) -> None:
    cut = without_secrets(text)
    assert secret not in cut
    assert REMOVED in cut
    assert find_secrets(cut) == []


@pytest.mark.parametrize("text", HARMLESS)
def test_talk_of_secrets_is_no_secret(text: str) -> None:
    assert find_secrets(text) == []
    assert without_secrets(text) == text


@given(st.text())
def test_nothing_else_is_lost(text: str) -> None:
    spans = find_secrets(text)
    assert all(start < end for start, end in spans)
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False))
    kept = [text[start:end] for start, end in zip([0, *ends], [*starts, len(text)], strict=True)]
    assert without_secrets(text) == REMOVED.join(kept)


def test_random_words_are_told_from_words() -> None:
    draw = random.Random(0)
    letters = string.ascii_letters + string.digits
    found = sum(bool(find_secrets("".join(draw.choices(letters, k=32)))) for _ in range(300))
    assert found / 300 > 0.8
    blobs = sum(bool(find_secrets(base64.b64encode(draw.randbytes(30)).decode())) for _ in range(300))
    assert blobs / 300 > 0.7


def test_a_long_text_takes_no_long_time() -> None:
    for text in ("password" * 1000, "a1B" * 2667, "-----BEGIN PRIVATE KEY-----" * 290, "is was " * 1100, "x@" * 4000):
        start = time.process_time()
        find_secrets(text)
        assert time.process_time() - start < 2, text[:20]
