"""What docs/python-api.md and docs/patterns.md show is true."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agents_app.providers.registry import use_model
from agents_app.providers.scripted import ScriptedModel
from agents_app.runtime import loop
from agents_app.runtime.nested import MAX_DEPTH
from agents_app.types import DEFAULT_MAX_STEPS
from chat_app.models import Thread
from flows_app import steps
from flows_app.patterns import approval, network, orchestrator, react
from one_project.workflows.models import RunStatus
from tests.agents.asking import call, rows, run
from tests.flows.running import run_to_rest
from tests.people import World
from tests.workflows.by_hand import drain, fresh

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[2]
API = (ROOT / "docs" / "python-api.md").read_text()
PATTERNS = (ROOT / "docs" / "patterns.md").read_text()
BLOCKS = re.findall(r"^```python\n# (.*?)\n(.*?)^```", API + PATTERNS, flags=re.M | re.S)


def example(name: str) -> Any:
    [code] = [code for title, code in BLOCKS if title == f"example: {name}"]
    module = ModuleType(name)
    exec(compile(code, name, "exec"), module.__dict__)
    return module


def with_script(coroutine: Any, *script: Any) -> Any:
    with use_model(ScriptedModel(script)):
        return run(coroutine)


def test_code_of_files_is_as_it_is_in_them() -> None:
    shown = [(path, code) for path, code in BLOCKS if not path.startswith("example")]
    assert len(shown) == 3
    for path, code in shown:
        assert code in (ROOT / path).read_text(), path


def test_all_examples_are_run_here() -> None:
    text = Path(__file__).read_text()
    names = [title.removeprefix("example: ") for title, _ in BLOCKS if "example" in title]
    assert [name for name in names if f'example("{name}")' not in text] == []


def test_the_first_example_uses_its_tool() -> None:
    found = with_script(
        example("first").plan("Rome"), [call("forecast", city="Rome")], "Walk in the sun."
    )
    assert found == "Walk in the sun."


def test_the_stream() -> None:
    words, tokens = with_script(example("stream").told("q"), "It is a long story.")
    assert words == "It is a long story."
    assert tokens > 0


def test_the_objects(capsys: pytest.CaptureFixture[str]) -> None:
    module = example("object")
    good = '{"place": "Rome", "days": 3}'
    assert with_script(module.trip("q"), good).days == 3
    assert with_script(module.trip("q"), "no", '{"place": "Rome", "days": 99}') is None
    assert "days" in capsys.readouterr().out
    assert with_script(module.growing("q"), [good])[-1] == {"place": "Rome", "days": 3}


def test_the_nested_agent() -> None:
    asked = [call("ask_expert", question="May I?")]
    assert with_script(example("nested").advice("q"), asked, "Yes.", "You may.") == "You may."


def test_the_threads(committed_world: World) -> None:
    module, alice = example("threads"), committed_world.alice
    thread_id = with_script(module.talk(committed_world.organisation, alice), "Out.", "In.")
    assert [row[4] for row in rows(thread_id)] == [
        "Where could we go?", "Out.", "And if it rains?", "In.",
    ]  # fmt: skip
    assert Thread.objects.get(pk=thread_id).summary == "Ideas for a day out"
    assert with_script(module.go_on(thread_id, alice), "In.") == "In."
    assert len(rows(thread_id)) == 4


def test_the_handlers() -> None:
    module = example("handlers")
    model = ScriptedModel(["Soup."])
    with use_model(model):
        assert run(module.dinner()) == "Soup."
    assert [message.plain_text for message in model.last_request.messages] == [
        "Remember: I do not eat meat.", "What shall I cook?",
    ]  # fmt: skip
    assert module.spent["scripted"] > 0


def test_a_workflow_is_started(committed_world: World) -> None:
    started = example("start").help_wanted(
        committed_world.organisation, committed_world.alice, "Help!"
    )
    with use_model(ScriptedModel(["Try this.", '{"analysis": "a", "suggestion": "s"}'])):
        drain()
    assert (fresh(started).status, fresh(started).result) == (RunStatus.SUCCESS, "s")


def test_the_person_decides(committed_world: World) -> None:
    thread = committed_world.thread()
    model = ScriptedModel(["Dear all"])
    paused = run_to_rest(committed_world, model, approval.write_with_approval, thread.pk, "Write")
    example("decide").decide(paused, True)
    drain()
    assert fresh(paused).result == "Dear all"


def test_the_limits_are_those_of_the_code() -> None:
    assert f"({DEFAULT_MAX_STEPS} unless told" in API
    assert loop.MAX_IDENTICAL == MAX_DEPTH == 3
    assert f"crashes, {steps.RETRY.attempts} attempts" in PATTERNS
    assert f"{orchestrator.MAX_TASKS} parts, {orchestrator.AT_ONCE} at once" in PATTERNS
    assert f"| {react.MAX_ROUNDS} rounds |" in PATTERNS
    assert f"| {network.MAX_LETTERS} letters |" in PATTERNS
    assert f"{approval.MAX_DRAFTS} drafts" in PATTERNS
