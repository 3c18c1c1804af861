"""What the admin's forms accept, what they do, and what they say when they do not."""

import json
from typing import Any

import pytest
from django.test import Client

from agents_app.models import Agent, AICall, Prompt, Tool, ToolAllowance, ToolCall
from billing_app.models import RateLimitState
from chat_app.models import Message
from one_project.accounts.models import Event, Grant, User
from one_project.workflows.models import Pool
from tests.admin import rows
from tests.admin.conftest import page
from tests.people import World


def errors(response: Any) -> dict[str, Any]:
    assert response.status_code == 200
    return dict(response.context_data["adminform"].form.errors)


def tool_form(world: World, **more: Any) -> dict[str, Any]:
    return {
        "organisation": str(world.organisation.pk), "name": "lookup", "kind": "http",
        "action": "GET /things", "config": "{}", "approval": "default", "is_active": "on", **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('{"a": }', "line 1, column 7"),
        ("[1]", "JSON object"),
        ("nothing", "not JSON"),
        ('{"a": NaN}', "NaN"),
        ('{"a": {"api_key": "k"}}', "secrets do not belong here"),
        ('{"Authorization": "k"}', "secrets do not belong here"),
        ('{"a": "\\u0000"}', "NUL"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_config_that_is_none_says_why(root: Client, world: World, config: str, said: str) -> None:
    response = root.post(page(Tool, "add"), tool_form(world, config=config))
    assert said in str(errors(response)["config"])
    # What was typed stays.
    assert config[:20] in response.context_data["adminform"].form["config"].value()


def test_a_config_is_kept_as_an_object(root: Client, world: World) -> None:
    config = {"units": "metric", "max_tokens": 5}
    form = tool_form(world, config=json.dumps(config))
    assert root.post(page(Tool, "add"), form).status_code == 302
    assert Tool.objects.get(name="lookup").config == config


def test_a_built_in_tool_has_to_exist(root: Client, world: World) -> None:
    form = tool_form(world, kind="builtin", action="")
    assert "There is no built-in tool" in str(errors(root.post(page(Tool, "add"), form))["name"])


def test_a_name_is_there_once_in_an_organisation(root: Client, world: World) -> None:
    root.post(page(Tool, "add"), tool_form(world))
    assert errors(root.post(page(Tool, "add"), tool_form(world)))


def agent_form(world: World, **more: Any) -> dict[str, Any]:
    return {
        "organisation": str(world.organisation.pk), "name": "Helper", "kind": "system_agent", **more
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('{"max_steps": 0}', "max_steps"),
        ('{"temprature": 1}', "temprature"),
        ('{"context": {"recent_messages": -1}}', "context.recent_messages"),
        ("{", "not JSON"),
    ],
)
def test_options_of_an_agent_are_checked(
    root: Client, world: World, options: str, said: str
) -> None:
    response = root.post(page(Agent, "add"), agent_form(world, options=options))
    assert said in str(errors(response)["options"])


def test_a_tool_an_agent_may_use_has_to_exist(root: Client, world: World) -> None:
    tool = rows.tool(world.organisation)
    form = agent_form(world, tools=f"{tool.name}\nno_such_tool\n")
    assert "no_such_tool" in str(errors(root.post(page(Agent, "add"), form))["tools"])
    other = rows.tool(world.elsewhere)
    form = agent_form(world, tools=other.name)
    assert other.name in str(errors(root.post(page(Agent, "add"), form))["tools"])


def test_lists_are_lines(root: Client, world: World) -> None:
    tool = rows.tool(world.organisation)
    form = agent_form(
        world, tools=f" {tool.name} \r\n\r\n", starters="Hi, there?\r\nWhy?", tags="a"
    )
    assert root.post(page(Agent, "add"), form).status_code == 302
    agent = Agent.objects.get(name="Helper")
    assert (agent.tools, agent.starters) == ([tool.name], ["Hi, there?", "Why?"])
    html = root.get(page(Agent, "change", agent.pk)).content.decode()
    assert "Hi, there?\nWhy?" in html


def test_an_agent_keeps_the_name_of_a_tool_that_is_gone(root: Client, world: World) -> None:
    agent = rows.agent(world.organisation)
    agent.tools = ["gone"]
    agent.save()
    form = agent_form(world, tools="gone")
    assert root.post(page(Agent, "change", agent.pk), form).status_code == 302


@pytest.mark.parametrize(
    ("action", "field", "value"),
    [
        ("deactivate", "is_active", False),
        ("activate", "is_active", True),
        ("share", "is_shared", True),
        ("unshare", "is_shared", False),
    ],
)
def test_actions_on_agents(
    root: Client, world: World, action: str, field: str, value: bool
) -> None:
    agents = [rows.agent(world.organisation) for _ in range(2)]
    for agent in agents:
        setattr(agent, field, not value)
        agent.save()
    chosen = {"action": action, "_selected_action": [str(agent.pk) for agent in agents]}
    html = root.post(page(Agent, "changelist"), chosen, follow=True).content.decode()
    assert "2 agents are" in html
    for agent in agents:
        agent.refresh_from_db()
        assert getattr(agent, field) is value
    kinds = {
        "activate": "agent_activated",
        "deactivate": "agent_deactivated",
        "share": "agent_shared",
        "unshare": "agent_unshared",
    }
    events = Event.objects.filter(kind=kinds[action])
    assert len(events) == 2
    assert events[0].actor is not None


def prompt_form(world: World, text: str, **more: Any) -> dict[str, Any]:
    return {
        "organisation": str(world.organisation.pk), "name": "Greeting", "text": text,
        "is_shared": "on", "versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0", **more,
    }  # fmt: skip


def history(prompt: Prompt) -> list[tuple[int, str]]:
    return list(prompt.versions.order_by("number").values_list("number", "text"))


def test_saving_a_prompt_makes_a_version(root: Client, world: World) -> None:
    assert root.post(page(Prompt, "add"), prompt_form(world, "Hello")).status_code == 302
    prompt = Prompt.objects.get(name="Greeting")
    assert history(prompt) == [(1, "Hello")]
    address = page(Prompt, "change", prompt.pk)
    assert root.post(address, prompt_form(world, "Good day")).status_code == 302
    assert root.post(address, prompt_form(world, "Good day", name="Other")).status_code == 302
    prompt.refresh_from_db()
    assert (prompt.name, prompt.text, prompt.version) == ("Other", "Good day", 3)
    assert history(prompt) == [(1, "Hello"), (2, "Good day"), (3, "Good day")]
    assert root.post(address, prompt_form(world, "Good day", name="Other")).status_code == 302
    assert len(history(prompt)) == 3
    html = root.get(address).content.decode()
    assert "Hello" in html
    assert "Good day" in html


def test_what_somebody_else_saved_is_not_lost_unseen(root: Client, world: World) -> None:
    prompt = rows.prompt(world.organisation)
    address = page(Prompt, "change", prompt.pk)
    response = root.post(address, prompt_form(world, "Mine", read="1"))
    assert "Somebody else has saved" in response.content.decode()
    assert "Mine" in response.content.decode()
    assert history(prompt)[-1] == (2, "Two")
    # The page it came with knows the newest version: saving again means it.
    assert 'name="read" value="2"' in response.content.decode()
    assert root.post(address, prompt_form(world, "Mine", read="2")).status_code == 302
    assert history(prompt)[-1] == (3, "Mine")


def test_a_prompt_is_not_too_long(root: Client, world: World) -> None:
    response = root.post(page(Prompt, "add"), prompt_form(world, "x" * 100_001))
    assert "at most 100,000" in str(errors(response)["text"])


def test_a_thing_is_granted_by_its_name(root: Client, world: World) -> None:
    agent = rows.agent(world.organisation)
    form = {
        "organisation": str(world.organisation.pk), "agent": str(agent.pk),
        "user": str(world.bob.pk), "level": "use",
    }  # fmt: skip
    assert root.post(page(Grant, "add"), form).status_code == 302
    grant = Grant.objects.get()
    assert (grant.object_type, grant.object_id, grant.user) == ("agent", agent.pk, world.bob)
    assert "granted already" in root.post(page(Grant, "add"), form).content.decode()
    assert agent.name in root.get(page(Grant, "changelist")).content.decode()


@pytest.mark.parametrize("things", [[], ["agent", "tool"]])
def test_a_grant_is_of_one_thing(root: Client, world: World, things: list[str]) -> None:
    made = {"agent": rows.agent(world.organisation), "tool": rows.tool(world.organisation)}
    form = {"organisation": str(world.organisation.pk), "level": "use"}
    form |= {name: str(made[name].pk) for name in things}
    assert "Choose one agent" in root.post(page(Grant, "add"), form).content.decode()


def test_a_grant_is_to_a_person_or_a_team(root: Client, world: World) -> None:
    form = {
        "organisation": str(world.organisation.pk), "level": "use",
        "agent": str(world.agent.pk), "user": str(world.bob.pk),
        "team": str(rows.team(world.organisation).pk),
    }  # fmt: skip
    assert errors(root.post(page(Grant, "add"), form))["team"]


@pytest.mark.parametrize("model", [Grant, ToolAllowance, RateLimitState])
def test_what_may_be_taken_back_is_taken_back(root: Client, world: World, model: Any) -> None:
    row = rows.MAKERS[model](world.organisation)
    chosen = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
    assert root.post(page(model, "changelist"), chosen).status_code == 302
    assert not model.objects.filter(pk=row.pk).exists()


def test_agents_are_not_deleted_in_bulk(root: Client, world: World) -> None:
    html = root.get(page(Agent, "changelist")).content.decode()
    assert "delete_selected" not in html


def test_raw_values_are_forgotten_and_the_figures_stay(root: Client, world: World) -> None:
    call, other = rows.ai_call(world.organisation), rows.ai_call(world.organisation)
    chosen = {"action": "retire_raw", "_selected_action": [str(call.pk)]}
    assert root.post(page(AICall, "changelist"), chosen).status_code == 302
    call.refresh_from_db()
    other.refresh_from_db()
    assert (call.request, call.response, call.input_tokens) == (None, None, 10)
    assert other.request is not None


def test_the_list_of_ai_calls_adds_up_what_it_shows(root: Client, world: World) -> None:
    calls = [rows.ai_call(world.organisation) for _ in range(3)]
    context = root.get(page(AICall, "changelist")).context_data
    assert context["totals"]["total"] == "45"
    response = root.get(page(AICall, "changelist"), {"model": calls[0].model})
    assert response.context_data["totals"]["total"] == "15"
    assert "15</strong> tokens" in response.content.decode()


def test_secrets_in_what_a_tool_was_given_are_not_shown(root: Client, world: World) -> None:
    call = rows.tool_call(world.organisation)
    call.arguments = {"city": "Vienna", "list": [{"password": "hunter2"}], "api_key": "sk-1"}
    call.output = {"access_token": "tok-1", "text": "x" * 200_000}
    call.save()
    html = root.get(page(ToolCall, "change", call.pk)).content.decode()
    assert "Vienna" in html
    for secret in ("hunter2", "sk-1", "tok-1"):
        assert secret not in html
    assert len(html) < 1_500_000
    call.refresh_from_db()
    assert call.arguments["api_key"] == "sk-1"


def test_the_hash_of_a_password_is_not_shown(root: Client, world: World) -> None:
    html = root.get(page(User, "change", world.bob.pk)).content.decode()
    assert world.bob.password not in html
    assert world.bob.password.split("$")[-1] not in html


def test_what_was_said_is_for_superusers(root: Client, own_admin: Client, world: World) -> None:
    address = page(Message, "change", rows.message(world.organisation).pk)
    assert "What nobody else should read" in root.get(address).content.decode()
    assert "What nobody else should read" not in own_admin.get(address).content.decode()


def test_a_pool_is_set_in_the_list(root: Client, world: World) -> None:
    pool = rows.pool(world.organisation)
    address = page(Pool, "change", pool.pk)
    assert root.post(address, {"parallelism": "7"}).status_code == 302
    pool.refresh_from_db()
    assert pool.parallelism == 7
    assert errors(root.post(address, {"parallelism": "101"}))


def test_a_person_is_made_with_a_small_address(root: Client, world: World) -> None:
    form = {
        "email": "New@Example.test", "password1": "long-enough-word-9", "usable_password": "true",
        "password2": "long-enough-word-9",
    }  # fmt: skip
    inline = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    assert root.post(page(User, "add"), {**form, **inline}).status_code == 302
    assert User.objects.filter(email="new@example.test").exists()


def test_a_membership_stays_in_its_organisation(root: Client, world: World) -> None:
    row = world.bob.memberships.get()
    form = {
        "email": world.bob.email, "timezone": "UTC", "is_active": "on",
        "memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": str(row.pk), "memberships-0-user": str(world.bob.pk),
        "memberships-0-organisation": str(world.elsewhere.pk),
        "memberships-0-role": "staff", "memberships-0-is_active": "on",
    }  # fmt: skip
    address = page(User, "change", world.bob.pk)
    assert "stays in its organisation" in root.post(address, form).content.decode()
    form["memberships-0-organisation"] = str(world.organisation.pk)
    assert root.post(address, form).status_code == 302
    row.refresh_from_db()
    assert (row.organisation, row.role) == (world.organisation, "staff")
