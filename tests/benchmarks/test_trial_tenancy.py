"""The trial of isolation, short: all ways, and that it would see what comes through."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks.tenancy.ledger import Ledger


@pytest.mark.stack
def test_nothing_of_another_organisation_comes_through() -> None:
    urls = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    environment = {name: value for name, value in os.environ.items() if name not in urls}
    trial = subprocess.run(
        [sys.executable, "-m", "benchmarks.trial_tenancy"],
        env={**environment, "PROBES": "100"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert trial.returncode == 0, trial.stdout + trial.stderr
    found = json.loads(trial.stdout.splitlines()[-1])
    assert (found["probes"], found["leaks"]) == (100, 0)
    assert all(way["probes"] for way in found["by"].values())
    assert found["controls_seen"] == found["controls"] > 0
    assert found["unfilled"] == []


def test_a_leak_and_a_blind_control_are_told() -> None:
    ledger = Ledger()
    ledger.probe("sql", "reading", "")
    ledger.probe("sql", "writing", "rows came back")
    ledger.control("pages", "a page", seen=True)
    ledger.control("pages", "another", seen=False)
    assert (ledger.probes.total(), ledger.controls) == (2, 2)
    assert ledger.lines() == [
        "sql, writing: rows came back",
        "pages, another: does not see what is its own",
    ]
