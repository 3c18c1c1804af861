"""What docs/flows.md shows is true."""

import json
import re
from pathlib import Path
from types import ModuleType

from flows_app import conf
from flows_app.runtime.rules import completion_rule
from flows_app.runtime.transitions import ALLOWED
from flows_app.services.exchange import import_flow
from flows_app.services.reading import steps_of_revision
from tests.people import World

DOC = (Path(__file__).parents[2] / "docs" / "flows.md").read_text()


def test_the_example_runs(world: World) -> None:
    found = re.search(r"^```python\n(.*?)^```", DOC, flags=re.M | re.S)
    assert found is not None
    module = ModuleType("example")
    exec(compile(found[1], "docs/flows.md", "exec"), module.__dict__)
    flow = module.onboarding(world.organisation, world.stella)
    assert module.lead(flow, world.stella, world.bob) == 0


def test_the_document_can_be_imported(world: World) -> None:
    found = re.search(r"^```json\n(.*?)^```", DOC, flags=re.M | re.S)
    assert found is not None
    json.loads(found[1])
    flow = import_flow(world.organisation, found[1], by=world.stella)
    assert flow.draft is not None
    steps = steps_of_revision(flow.draft.pk)
    assert [step.name for step in steps] == ["Tour", "Safety"]
    assert "staff approve" in completion_rule(steps[1])


def test_statuses_and_limits_are_those_of_the_code() -> None:
    for status in ALLOWED:
        assert f"`{status}`" in DOC
    limits = (
        f"{conf.MAX_STEPS} steps", f"{conf.MAX_COURSE_FLOWS} flows", f"{conf.MAX_BULK:,} rows",
        f"{conf.MAX_CHECKLIST} items", f"{conf.MAX_FIELDS} fields", f"{conf.MAX_CONTENT:,} char",
        f"{conf.MAX_COMMENT:,} characters",
    )  # fmt: skip
    assert [one for one in limits if one not in " ".join(DOC.split())] == []
