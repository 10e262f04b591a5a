"""Policies by name: what each name makes, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from agent import PretrainedPolicy, RetentionPolicy, make_policy
from agent.meta.checkpoint import save_checkpoint, shipped
from agent.meta.families import FAMILIES
from agent.meta.network import MetaNetwork
from retention import NotFoundError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_checkpoint(MetaNetwork(FAMILIES["hidden-rule"].shape), {"family": "hidden-rule"}, tmp_path)
    return tmp_path


def test_the_default_learns_any_task() -> None:
    policy = make_policy()
    assert isinstance(policy, RetentionPolicy)
    assert policy.config == RetentionPolicy().config
    changed = make_policy("recall", discount=0.5, capacity=9, enabled=False)
    assert isinstance(changed, RetentionPolicy)
    assert (changed.config.discount, changed.config.capacity, changed.config.enabled) == (0.5, 9, False)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_policy_has_a_name(name: str) -> None:
    policy = make_policy(f"retention:{name}")
    assert isinstance(policy, PretrainedPolicy)
    assert policy.recipe["family"] == name


def test_a_folder_is_a_name_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    for name in (str(folder), folder.name):
        policy = make_policy(f"retention:{name}", capacity=5, enabled=False)
        assert isinstance(policy, PretrainedPolicy)
        assert (policy.name, policy._capacity, policy._enabled) == (name, 5, False)


def test_a_meta_trained_policy_has_no_discount(folder: Path) -> None:
    with pytest.raises(ValueError, match="has no discount: what the future is worth was decided in training"):
        make_policy(f"retention:{folder}", discount=0.9)


@pytest.mark.parametrize("capacity", [0, -3])
@pytest.mark.parametrize("kind", ["recall", "retention"])
def test_a_capacity_below_one_is_refused(kind: str, capacity: int, folder: Path) -> None:
    with pytest.raises(ValueError, match=f"capacity must be at least 1, got {capacity}"):
        make_policy("recall" if kind == "recall" else f"retention:{folder}", capacity=capacity)


def test_a_wrong_name_is_told_the_nearest() -> None:
    with pytest.raises(NotFoundError, match=r"no policy named 'recal'\. Did you mean recall\?"):
        make_policy("recal")
    with pytest.raises(NotFoundError, match=r"no policy named 'xyz'\. Known: recall, .*retention:FOLDER\."):
        make_policy("xyz")
    with pytest.raises(NotFoundError, match="no policy 'nonsense': neither one of the package"):
        make_policy("retention:nonsense")
    with pytest.raises(NotFoundError):
        make_policy("retention:")
    with pytest.raises(NotFoundError):
        make_policy("")
