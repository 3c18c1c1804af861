"""What docs/workflows.md shows is true."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from one_project.accounts.models import Event
from one_project.workflows import conf, definitions
from one_project.workflows.models import RunStatus
from one_project.workflows.services.runs import send_event, start
from tests.people import World
from tests.workflows.by_hand import call, drain, fresh, journal, pass_time, take

pytestmark = pytest.mark.django_db

TEXT = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text()
BLOCKS = re.findall(r"^```python\n# (\S+)\n(.*?)^```", TEXT, flags=re.M | re.S)


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a block as a module; what it registers is gone after the test."""
    monkeypatch.setattr(definitions, "_steps", dict(definitions._steps))
    monkeypatch.setattr(definitions, "_workflows", dict(definitions._workflows))
    monkeypatch.setattr(definitions, "_pools", dict(definitions._pools))
    monkeypatch.setattr("asyncio.sleep", _at_once)

    def run(code: str, name: str) -> ModuleType:
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, name, "exec"), module.__dict__)
        return module

    return run


async def _at_once(seconds: float) -> None:
    return None


def test_all_code_is_valid(load: Any) -> None:
    assert len(BLOCKS) == 8
    for number, (path, code) in enumerate(BLOCKS):
        if path == "flows_app/services/orders.py":
            package = load("", "flows_app.services")
            package.orders = load(code, "flows_app.services.orders")
        else:
            load(code, f"block_{number}")


def test_the_first_workflow_survives_a_worker(world: World, load: Any) -> None:
    orders = load(BLOCKS[0][1], "flows_app.services.orders")
    run = start(orders.order, str(world.organisation.pk), "a chair", started_by=world.bob)
    drain_until_it_asks(run)
    (work,) = take()
    call(work)
    pass_time(60)
    drain()
    assert fresh(run).result == "closed at 7"
    assert journal(run) == [(name, "success") for name in ("reserve", "ask_price", "close")]
    assert Event.objects.get(kind="order_reserved").data == {"price": 7}


def drain_until_it_asks(run: Any) -> None:
    from one_project.workflows.services.advance import advance

    advance(run.pk)
    assert journal(run)[-1] == ("ask_price", "ready")


def test_the_tour_of_the_context_comes_to_its_end(world: World, load: Any) -> None:
    (code,) = [code for _, code in BLOCKS if "async def tour" in code]
    tour = load(code, "tour_block").tour
    run = start(tour, ["a", "b"])
    drain()
    pass_time(31 * 86_400)
    drain()
    send_event(run, "approved", True)
    send_event(run, "answer", "yes")
    drain()
    found = fresh(run)
    assert found.status == RunStatus.SUCCESS, found.error
    assert found.result["found"] == ["A", "B", "A", "B", "CHILD", "yes"]
    assert found.result["approved"] is True


def test_the_limits_are_those_of_the_code() -> None:
    for figure in (conf.MAX_ARGUMENTS, conf.MAX_RESULT, conf.MAX_ERROR):
        assert f"{figure:,}" in TEXT
    assert f"{conf.MAX_JOURNAL // 1024**2} MiB" in TEXT
    assert f"| {conf.MAX_PICKUPS} |" in TEXT
    assert f"| {conf.COMPLETION_TRIES} |" in TEXT
    assert f"lease of {conf.LEASE:g} s" in TEXT
