from __future__ import annotations

import sys

import pytest

from evals.peers.peer_package import PeerPackage
from retention import HoldfastError, MissingExtraError


def test_a_missing_package_of_the_extra_is_named_with_the_extra():
    package = PeerPackage(module="no_such_peer", requirement="no-such-peer==1")
    with pytest.raises(MissingExtraError, match=r"the peer no-such-peer==1 needs .* pip install 'holdfast\[bench\]'"):
        package.load()


def test_a_missing_package_beside_the_extra_is_named_with_its_own_command():
    package = PeerPackage(module="no_such_peer", requirement="no-such-peer==1", install="--no-deps no-such-peer==1")
    with pytest.raises(HoldfastError, match=r"No module named 'no_such_peer'.*: pip install --no-deps no-such-peer==1"):
        package.load()


def test_what_a_package_warns_of_while_it_is_imported_is_dropped(tmp_path, monkeypatch):
    (tmp_path / "noisy_peer.py").write_text("import warnings\nwarnings.warn('old')\nvalue = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert PeerPackage(module="noisy_peer", requirement="noisy-peer==1").load().value == 3
    sys.modules.pop("noisy_peer")
