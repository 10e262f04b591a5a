from __future__ import annotations

import json
import platform
import sqlite3
from importlib.metadata import version

from evals.benches.machine import machine_facts


def test_the_facts_name_versions_and_leave_out_what_is_not_installed():
    facts = machine_facts(["numpy", "no-such-distribution"])
    assert facts["versions"] == {"numpy": version("numpy")}
    assert facts["python"] == platform.python_version()
    assert facts["sqlite"] == sqlite3.sqlite_version
    assert facts["cores"] >= 1
    assert json.loads(json.dumps(facts)) == facts


def test_nothing_names_the_machine():
    assert platform.node() not in machine_facts().values()
