"""The trial of tools, short: the whole stack, its workers killed in the middle of tools."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks.tools_model import next_calls


@pytest.mark.stack
def test_killed_workers_lose_nothing_and_repeat_nothing() -> None:
    urls = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    environment = {name: value for name, value in os.environ.items() if name not in urls}
    trial = subprocess.run(
        [sys.executable, "-m", "benchmarks.trial_tools"],
        env={**environment, "KILLS": "2"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert trial.returncode == 0, trial.stdout + trial.stderr
    found = json.loads(trial.stdout.splitlines()[-1])
    assert found["kills"] == 2
    assert found["calls"] > 0
    bad = ("lost", "doubled", "stuck", "unknown_not_allowed")
    assert {name: found[name] for name in bad} == dict.fromkeys(bad, 0)


def test_the_model_of_the_trial_goes_on_where_the_request_ends() -> None:
    asked = {"role": "user", "content": "plan k read+write external"}
    called = {"role": "assistant", "tool_calls": [{}]}
    assert next_calls([asked])[1] == [
        ("trial_read", {"key": "k.0.0"}),
        ("trial_write", {"key": "k.0.1"}),
    ]
    assert next_calls([asked, called])[1] == [("trial_external", {"key": "k.1.0"})]
    assert next_calls([asked, called, called]) == ("done k", [])
    assert next_calls([{"role": "user", "content": "hello"}]) == ("Nothing to do.", [])
