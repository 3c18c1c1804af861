"""A flow leaves as a document and comes back the same; a wrong document is told where."""

import json
from typing import Any

import pytest

from agents_app.models import AgentKind
from agents_app.services.agents import create_agent
from flows_app.models import Flow
from flows_app.services.exchange import export_flow, import_flow, preview_import
from flows_app.services.flows import create_flow
from one_project.common.errors import AppError, InvalidInput
from tests.flows.samples import make_flow, step
from tests.people import World


def every_kind(world: World) -> Flow:
    tour = step("Tour", content="# Welcome\n\n**Hello**", due_days=0)
    field = {"id": "f1", "label": "Size", "type": "choice", "required": True, "choices": ["S", "M"]}
    steps = [
        tour,
        step("Bag", "checklist", settings={"items": [{"id": "a", "text": "Keys"}]}),
        step("Data", "form", prerequisites=(tour.key,), settings={"fields": [field]}),
        step("Paper", "file", settings={"accept": [".pdf"], "max_files": 3}, needs_review=True),
        step("Talk", "chat", agent_id=world.agent.pk, settings={"opening": "Hello"}),
        step("Draft", "agent_task", agent_id=world.agent.pk, settings={"task": "Write"}),
        step("Sign", "approval", four_eyes=True, review_hours=24, is_required=False),
        step(
            "Count",
            "workflow",
            settings={"workflow": "flows.pause", "input": {"a": [1, None, {"b": "c"}]}},
        ),
    ]
    return create_flow(
        world.organisation,
        by=world.stella,
        name="Everything",
        description="All kinds",
        completion_message="Well done",
        steps=steps,
    )


def test_a_flow_comes_back_as_it_left(world: World) -> None:
    document = export_flow(every_kind(world))
    found = import_flow(world.organisation, json.dumps(document), by=world.stella)
    assert found.name == "Everything (2)"
    again = export_flow(found)
    assert again == {**document, "name": "Everything (2)"}
    assert document["steps"][2]["after"] == ["Tour"]
    assert document["steps"][3]["completes"].endswith("hand in a file and staff approve.")


def test_no_id_leaves_and_agents_are_found_by_name_elsewhere(world: World) -> None:
    document = json.dumps(export_flow(every_kind(world)))
    assert str(world.agent.pk) not in document
    assert str(world.organisation.pk) not in document
    without = preview_import(world.elsewhere, document, by=world.charlie)
    assert [name for name, told in without.remarks if "no agent “Guide”" in told] == [
        "Talk",
        "Draft",
    ]
    theirs = create_agent(world.elsewhere, name="Guide", kind=AgentKind.SYSTEM_AGENT)
    found = preview_import(world.elsewhere, document, by=world.charlie)
    assert not found.remarks
    assert {one.agent_id for one in found.steps} == {None, theirs.pk}


def test_a_private_agent_of_somebody_else_is_not_found(world: World) -> None:
    private = create_agent(world.organisation, name="Diary", created_by=world.alice)
    document = export_flow(make_flow(world, step("Talk", "chat", agent_id=world.agent.pk)))
    document["steps"][0]["agent"] = {"name": private.name, "code_name": ""}
    found = preview_import(world.organisation, json.dumps(document), by=world.stella)
    assert found.steps[0].agent_id is None
    with pytest.raises(InvalidInput, match="choose an agent"):
        create_flow(
            world.organisation,
            by=world.stella,
            name="Other",
            steps=[step("Talk", "chat", agent_id=private.pk)],
        )


def valid(**changes: Any) -> dict[str, Any]:
    one = {"name": "Read", "kind": "reading"}
    return {"format": "one.flow", "version": 1, "name": "New", "steps": [one], **changes}


def steps(*changes: dict[str, Any]) -> dict[str, Any]:
    return valid(
        steps=[{"name": f"S{at}", "kind": "reading", **one} for at, one in enumerate(changes)]
    )


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("{", "This is not JSON"),
        ("[" * 100_000, "This is not JSON"),
        ("[]", "This is no flow"),
        (valid(format="other"), "This is no flow"),
        (valid(version=2), '"version" has to be 1'),
        (valid(name=""), "name: "),
        (valid(extra=1), "extra: Extra inputs"),
        (valid(steps={}), "steps: "),
        (steps({}, {"due_days": "soon"}), r"steps\[1\].due_days: "),
        (steps({"due_days": 10**30}), "numbers within 64 bits"),
        (steps({"due_days": -1}), r"steps\[0\]: “S0”: it is due"),
        (steps({"kind": "dance"}), r"steps\[0\].kind: "),
        (steps({}, {"name": "s0"}), r"steps\[1\]: Two steps are called “s0”"),
        (steps({"after": ["Nothing"]}), r"steps\[0\].after\[0\]: no step is called “Nothing”"),
        (steps({"after": ["S1"]}, {"after": ["S0"]}), "could never begin"),
        (
            steps({"kind": "form", "settings": {"fields": [{"label": "A", "type": "x"}]}}),
            r"steps\[0\].settings.fields\[0\].type: ",
        ),
        (steps({"settings": {"items": []}}), r"steps\[0\].settings.items: Extra"),
        (steps({"agent": "Guide"}), r"steps\[0\].agent: "),
        (steps(*[{}] * 201), "at most 200 steps"),
        (valid(description="x" * 1_000_001), "at most 1,000 kB"),
    ],
)
def test_a_wrong_document_says_where(world: World, document: Any, told: str) -> None:
    data = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(InvalidInput, match=told):
        preview_import(world.organisation, data, by=world.stella)


def test_a_document_with_a_bom_and_another_rule_is_read(world: World) -> None:
    document = valid()
    document["steps"][0]["completes"] = "Completes by itself."
    data = b"\xef\xbb\xbf" + json.dumps(document).encode()
    found = preview_import(world.organisation, data, by=world.stella)
    assert found.remarks == [
        (
            "Read",
            "The file says “Completes by itself.”; here: “Completes when you mark it as read.”",
        )
    ]


def test_members_import_nothing(world: World) -> None:
    with pytest.raises(AppError):
        import_flow(world.organisation, json.dumps(valid()), by=world.bob)
