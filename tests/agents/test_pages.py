"""The pages of agents, prompts and tools: what people see, send, and get told."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agents_app.models import Agent, AgentKind, Prompt, Tool
from agents_app.services.agents import create_agent
from agents_app.services.prompts import create_prompt, save_prompt
from agents_app.services.sharing import Sharing, share
from agents_app.services.tools import ToolValues, create_tool
from one_project.accounts.models import Grant, Team, User
from one_project.accounts.services.organisations import add_member
from tests.agents.browsing import client_of, own_agent, queries, send, text_of, typed
from tests.agents.samples import sample_tools
from tests.people import World, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def samples() -> Iterator[None]:
    with sample_tools():
        yield


# The list


def test_the_list_shows_what_a_person_may_use_and_whose_it_is(world: World) -> None:
    agent = own_agent(world, tools=["sample_read"], tags=["text"])
    share(agent, by=world.bob, sharing=Sharing(mode="organisation"))
    own_agent(world, name="Diary")
    text = text_of(world.bob, "/agents/")
    assert all(word in text for word in ("Guide", "Organisation", "Writer", "Yours", "1 tool"))
    assert f"/agents/{agent.pk}/edit/" in text
    assert f"/chat/?agent={agent.pk}" in text
    text = text_of(world.stella, "/agents/")
    assert "Shared by Bob" in text
    assert f"/agents/{agent.pk}/edit/" not in text
    assert "Diary" not in text
    assert "Writer" not in text_of(world.charlie, "/agents/")


def test_the_list_can_be_searched_and_narrowed(world: World) -> None:
    agent = own_agent(world, description="Letters", tags=["post"])
    for query in ("writ", "LETTERS", "post"):
        text = text_of(world.bob, f"/agents/?q={query}")
        assert f"/agents/{agent.pk}/" in text
        assert "Guide" not in text
    assert "No agent is like that" in text_of(world.bob, "/agents/?q=nothing")
    assert "Writer" in text_of(world.bob, "/agents/?show=mine")
    assert "Writer" not in text_of(world.bob, "/agents/?show=organisation")
    assert "No agent is like that" in text_of(world.bob, "/agents/?show=off")


def test_admins_find_private_agents_of_others(world: World) -> None:
    own_agent(world)
    assert "Writer" not in text_of(world.adam, "/agents/")
    text = text_of(world.adam, "/agents/?show=all")
    assert "Writer" in text
    assert "Of Bob" in text
    assert "Writer" not in text_of(world.stella, "/agents/?show=all")


def test_an_empty_list_says_what_to_do(world: World) -> None:
    text = text_of(world.charlie, "/agents/")
    assert "Make the first one" in text


# The form


def test_a_member_makes_an_agent_with_tools(world: World) -> None:
    response = send(
        world.bob,
        "/agents/new/",
        {
            "name": "Clerk",
            "avatar": "🗂️",
            "tags": "post, office,",
            "starters": "Send a letter\r\n\r\nFind one",
            "prompt": "You are a clerk.",
            "tools": ["sample_read", "sample_send"],
            "approval_sample_send": "always",
            "approval_sample_erase": "always",
            "stop_when": ["sample_send"],
            "delegates_to": [str(world.agent.pk)],
            "temperature": "0.5",
            "max_steps": "8",
            "recent_messages": "20",
            "include_tool_messages": "on",
            "provider_options": '{"seed": 7}',
            "storage": "prompt_and_output",
        },
    )
    agent = Agent.objects.get(name="Clerk")
    assert (response.status_code, response["Location"]) == (303, f"/agents/{agent.pk}/")
    assert (agent.kind, agent.is_shared, agent.created_by) == ("user_agent", False, world.bob)
    assert agent.tags == ["post", "office"]
    assert agent.starters == ["Send a letter", "Find one"]
    assert agent.tools == ["sample_read", "sample_send"]
    assert list(agent.delegates_to.all()) == [world.agent]
    assert agent.options == {
        "temperature": 0.5,
        "max_steps": 8,
        "provider_options": {"seed": 7},
        "stop_when": ["sample_send"],
        "approvals": {"sample_send": "always"},
        "storage": "prompt_and_output",
        "context": {"recent_messages": 20, "exclude_tool_messages": False},
    }


def test_the_form_says_what_is_wrong_beside_the_field_and_keeps_the_rest(world: World) -> None:
    response = send(
        world.bob,
        "/agents/new/",
        {
            "name": "",
            "avatar": "four",
            "prompt": "A long prompt.",
            "tools": ["sample_send"],
            "approval_sample_send": "never",
            "temperature": "9",
            "provider_options": "{not json",
            "share_mode": "chosen",
            f"share_user_{world.stella.pk}": "manage",
            "share_addresses": "nobody@example.test",
        },
    )
    text = response.content.decode()
    assert response.status_code == 422
    for name in ("name", "avatar", "temperature", "provider_options"):
        assert f'id="id_{name}_error"' in text
        assert f'href="#id_{name}"' in text
    assert re.search(r'id="id_name"[^>]*aria-invalid="true"', text) or re.search(
        r'aria-invalid="true"[^>]*id="id_name"', text
    )
    assert "A long prompt." in text
    assert "{not json" in text
    assert "nobody@example.test" in text
    assert re.search(r'value="sample_send"[^>]*checked', text)
    assert '<option value="never" selected>' in text
    assert '<option value="manage" selected>' in text
    assert not Agent.objects.filter(created_by=world.bob).exists()


def test_what_the_service_refuses_stands_beside_its_field(world: World) -> None:
    form = {"name": "Clerk", "share_mode": "chosen", "share_addresses": "x@example.test"}
    response = send(world.bob, "/agents/new/", form)
    assert response.status_code == 422
    assert 'id="id_share_addresses_error"' in response.content.decode()
    assert not Agent.objects.filter(name="Clerk").exists()


@pytest.mark.parametrize(
    "form",
    [
        {"tools": ["unheard_of"]},
        {"delegates_to": ["x"]},
        {"attached_prompts": ["00000000-0000-7000-8000-000000000000"]},
        {"tools": ["sample_erase"], "approval_sample_erase": "never"},
        {"provider_options": '{"a": "\\u0000"}'},
        {"provider_options": "[1]"},
        {"provider_options": '{"a": NaN}'},
        {"temperature": "nan"},
        {"share_mode": "everyone"},
        {"storage": "some"},
        {"name": "a\x00b"},
    ],
)
def test_values_no_page_offers_are_refused(world: World, form: dict[str, Any]) -> None:
    response = send(world.bob, "/agents/new/", {"name": "Clerk", **form})
    assert response.status_code == 422
    assert not Agent.objects.filter(created_by=world.bob).exists()


def test_only_tools_a_person_may_use_are_offered_and_never_is_not_for_what_destroys(
    world: World,
) -> None:
    Tool.objects.create(organisation=world.organisation, name="sample_write", approval="deny")
    values = ToolValues(name="alices", action="sample_send")
    create_tool(world.organisation, by=world.alice, values=values, sharing=Sharing())
    text = text_of(world.bob, "/agents/new/")
    assert 'value="sample_read"' in text
    assert 'value="sample_write"' not in text
    assert 'value="alices"' not in text
    [asks] = re.findall(r'<select name="approval_sample_erase".*?</select>', text, re.DOTALL)
    assert 'value="never"' not in asks
    assert 'value="alices"' in text_of(world.alice, "/agents/new/")


def test_only_admins_are_offered_an_agent_of_the_organisation(world: World) -> None:
    assert 'name="kind"' not in text_of(world.bob, "/agents/new/")
    send(world.bob, "/agents/new/", {"name": "Clerk", "kind": "system_agent"})
    assert Agent.objects.get(name="Clerk").kind == AgentKind.USER_AGENT
    send(world.adam, "/agents/new/", {"name": "Boss", "kind": "system_agent"})
    assert Agent.objects.get(name="Boss").kind == AgentKind.SYSTEM_AGENT


def test_saving_an_untouched_form_changes_nothing(world: World) -> None:
    prompt = create_prompt(world.organisation, name="Tone", text="x", created_by=world.bob)
    values = ToolValues(name="alices", action="sample_send")
    create_tool(world.organisation, by=world.alice, values=values, sharing=Sharing())
    hidden = create_agent(world.organisation, name="Hidden", created_by=world.alice)
    agent = own_agent(
        world,
        description="d",
        tags=["a", "b"],
        starters=["one", "two"],
        tools=["sample_send", "alices"],
        model="some-model",
        delegates_to=[world.agent, hidden],
        attached_prompts=[prompt],
        options={
            "temperature": 0.5,
            "top_p": 0.9,
            "custom": {"a": 1},
            "stop_when": ["sample_send", "alices"],
            "approvals": {"sample_send": "never", "alices": "always"},
            "provider_options": {"seed": 7},
            "context": {"recent_messages": 5, "search_other_threads": True},
        },
    )
    share(agent, by=world.bob, sharing=Sharing(mode="chosen", people={world.stella.pk: "use"}))
    before = Agent.objects.filter(pk=agent.pk).values().get()
    url = f"/agents/{agent.pk}/edit/"
    response = send(world.bob, url, typed(text_of(world.bob, url)))
    assert response.status_code == 303, response.content.decode()[-3000:]
    after = Agent.objects.filter(pk=agent.pk).values().get()
    before.pop("updated_at")
    after.pop("updated_at")
    assert after == before
    assert set(agent.delegates_to.all()) == {world.agent, hidden}
    assert list(agent.attached_prompts.all()) == [prompt]
    assert Grant.objects.get().user == world.stella


def test_a_second_editor_is_told_and_keeps_what_was_typed(world: World) -> None:
    agent = own_agent(world)
    url = f"/agents/{agent.pk}/edit/"
    first, second = typed(text_of(world.bob, url)), typed(text_of(world.adam, url))
    assert send(world.bob, url, first | {"name": "First"}).status_code == 303
    response = send(world.adam, url, second | {"name": "Second"})
    text = response.content.decode()
    assert response.status_code == 409
    assert "Somebody else has changed this agent" in text
    assert 'value="Second"' in text
    assert send(world.adam, url, typed(text)).status_code == 303
    agent.refresh_from_db()
    assert agent.name == "Second"


@pytest.mark.parametrize("options", [{"max_steps": "many"}, {"unknown": 1}, [], "x", None])
def test_an_agent_with_broken_options_can_still_be_opened(world: World, options: Any) -> None:
    agent = own_agent(world)
    if options is not None:
        Agent.objects.filter(pk=agent.pk).update(options=options)
    assert "Writer" in text_of(world.bob, f"/agents/{agent.pk}/edit/")
    assert "Writer" in text_of(world.bob, f"/agents/{agent.pk}/")


@pytest.mark.parametrize("verb", ["edit/", "delete/", "restore/", "duplicate/"])
def test_what_a_person_may_not_change_looks_missing(world: World, verb: str) -> None:
    agent = own_agent(world)
    share(agent, by=world.bob, sharing=Sharing(mode="organisation"))
    for person in (world.stella, world.charlie):
        assert send(person, f"/agents/{agent.pk}/{verb}", {"name": "Mine"}).status_code == 404
    agent.refresh_from_db()
    assert (agent.name, agent.is_active) == ("Writer", True)


# One agent


def test_what_an_agent_is_told_is_for_those_who_may_change_it(world: World) -> None:
    agent = own_agent(world, tools=["sample_send"], delegates_to=[world.agent])
    share(agent, by=world.bob, sharing=Sharing(mode="chosen", people={world.stella.pk: "use"}))
    for person in (world.bob, world.adam):
        text = text_of(person, f"/agents/{agent.pk}/")
        assert "Secret words." in text
        assert "Stella" in text
    text = text_of(world.stella, f"/agents/{agent.pk}/")
    assert all(word in text for word in ("Writer", "Send it", "Acts outside", "Guide"))
    assert "Secret words." not in text
    assert "Who may use it" not in text
    assert client_of(world.charlie).get(f"/agents/{agent.pk}/").status_code == 404


def test_an_agent_is_switched_off_and_on_again(world: World) -> None:
    agent = own_agent(world)
    client = client_of(world.bob)
    page = client.post(f"/agents/{agent.pk}/delete/", follow=True)
    assert f"/agents/{agent.pk}/restore/" in page.content.decode()
    assert "Writer" not in text_of(world.stella, "/agents/")
    assert "Switched off" in text_of(world.bob, f"/agents/{agent.pk}/")
    assert "Writer" in text_of(world.bob, "/agents/?show=off")
    client.post(f"/agents/{agent.pk}/restore/")
    agent.refresh_from_db()
    assert agent.is_active


def test_a_copy_opens_in_the_form(world: World) -> None:
    agent = own_agent(world)
    response = send(world.bob, f"/agents/{agent.pk}/duplicate/", {})
    copy = Agent.objects.get(name="Writer (copy)")
    assert response["Location"] == f"/agents/{copy.pk}/edit/"


# How much it costs


def fill_up(world: World, number: int) -> Agent:
    for _ in range(number):
        count = User.objects.count()
        person = make_person(f"Person{count}")
        add_member(world.organisation, user=person)
        prompt = create_prompt(
            world.organisation, name=f"P{count}", text="x", created_by=person, is_shared=True
        )
        agent = create_agent(world.organisation, name=f"A{count}", created_by=person, tags=["t"])
        share(agent, by=person, sharing=Sharing(mode="organisation"))
        Team.objects.create(organisation=world.organisation, name=f"T{count}")
        create_tool(
            world.organisation,
            by=person,
            values=ToolValues(name=f"tool{count}", action="sample_send"),
            sharing=Sharing(mode="organisation"),
        )
        target = Agent.objects.get(name="Writer")
        target.delegates_to.add(agent)
        target.attached_prompts.add(prompt)
        target.tools = [*target.tools, f"tool{count}"]
        target.save()
        share(target, by=world.bob, sharing=Sharing(mode="chosen", people={person.pk: "use"}))
        known = Prompt.objects.get(name="Known")
        save_prompt(known, by=person, name="Known", text="x", version=known.version)
    return Agent.objects.get(name="Writer")


PAGES: list[Callable[[Agent], str]] = [
    lambda agent: "/agents/",
    lambda agent: "/agents/new/",
    lambda agent: f"/agents/{agent.pk}/",
    lambda agent: f"/agents/{agent.pk}/edit/",
    lambda agent: "/agents/prompts/",
    lambda agent: "/agents/prompts/pick/",
    lambda agent: f"/agents/prompts/{Prompt.objects.get(name='Known').pk}/",
    lambda agent: "/agents/tools/",
]


def test_pages_ask_the_database_as_often_however_much_there_is(world: World) -> None:
    own_agent(world)
    create_prompt(world.organisation, name="Known", text="x", created_by=world.bob)
    agent = fill_up(world, 1)
    addresses = [page(agent) for page in PAGES]
    first = {address: queries(world.bob, address) for address in addresses}
    fill_up(world, 4)
    assert {address: queries(world.bob, address) for address in addresses} == first
