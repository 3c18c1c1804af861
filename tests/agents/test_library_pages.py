"""The pages of prompts and tools: what people see, send, and get told."""

import json
from collections.abc import Iterator

import pytest

from agents_app.models import Prompt, Tool
from agents_app.services.prompts import create_prompt, save_prompt
from agents_app.services.sharing import Sharing
from agents_app.services.tools import ToolValues, create_tool
from one_project.accounts.models import Grant
from tests.agents.browsing import client_of, send, text_of, typed
from tests.agents.samples import sample_tools
from tests.people import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def samples() -> Iterator[None]:
    with sample_tools():
        yield


# Prompts


def test_a_prompt_is_written_changed_and_restored(world: World) -> None:
    response = send(world.bob, "/agents/prompts/new/", {"name": "Tone", "text": "Be kind."})
    prompt = Prompt.objects.get()
    url = f"/agents/prompts/{prompt.pk}/"
    assert (response.status_code, response["Location"]) == (303, url)
    assert send(world.bob, url, {"name": "Tone", "text": "New", "version": 1}).status_code == 303
    text = text_of(world.bob, url)
    assert "Version 1" in text
    assert "Be kind." in text
    response = send(world.bob, f"{url}restore/", {"number": 1, "version": 2})
    assert response.status_code == 303
    prompt.refresh_from_db()
    assert (prompt.text, prompt.version) == ("Be kind.", 3)


def test_a_second_editor_of_a_prompt_is_told_and_can_save_on_top(world: World) -> None:
    prompt = create_prompt(world.organisation, name="Tone", text="x", created_by=world.bob)
    save_prompt(prompt, by=world.bob, name="Tone", text="Theirs", version=1)
    url = f"/agents/prompts/{prompt.pk}/"
    response = send(world.adam, url, {"name": "Tone", "text": "Mine", "version": 1})
    text = response.content.decode()
    assert response.status_code == 409
    assert "Mine" in text
    assert "Theirs" in text
    form = typed(text)
    assert form["version"] == ["2"]
    assert send(world.adam, url, form).status_code == 303
    prompt.refresh_from_db()
    assert (prompt.text, prompt.version) == ("Mine", 3)


def test_a_shared_prompt_is_read_by_others_and_changed_by_none_of_them(world: World) -> None:
    prompt = create_prompt(world.organisation, name="Tone", text="Be kind.", created_by=world.bob)
    url = f"/agents/prompts/{prompt.pk}/"
    assert client_of(world.stella).get(url).status_code == 404
    send(world.bob, f"{url}share/", {"shared": "1"})
    text = text_of(world.stella, url)
    assert "Be kind." in text
    assert "History" not in text
    assert send(world.stella, url, {"name": "x", "text": "y", "version": 1}).status_code == 404
    for verb in ("share/", "delete/", "restore/"):
        assert send(world.stella, url + verb, {"number": 1, "version": 1}).status_code == 404
    assert "Tone" in text_of(world.stella, "/agents/prompts/?q=kind")
    send(world.bob, f"{url}share/", {"shared": "0"})
    assert "Tone" not in text_of(world.stella, "/agents/prompts/")


def test_a_prompt_without_text_is_shown_again(world: World) -> None:
    response = send(world.bob, "/agents/prompts/new/", {"name": "Tone", "text": ""})
    assert response.status_code == 422
    assert 'value="Tone"' in response.content.decode()
    create_prompt(world.organisation, name="Taken", text="x", created_by=world.adam)
    response = send(world.bob, "/agents/prompts/new/", {"name": "Taken", "text": "Mine."})
    assert 'id="id_name_error"' in response.content.decode()
    assert "Mine." in response.content.decode()


@pytest.mark.parametrize(
    "form", [{}, {"number": "x", "version": "1"}, {"number": "٣", "version": "1"}]
)
def test_a_version_that_never_was_is_not_found(world: World, form: dict[str, str]) -> None:
    prompt = create_prompt(world.organisation, name="Tone", text="x", created_by=world.bob)
    assert send(world.bob, f"/agents/prompts/{prompt.pk}/restore/", form).status_code == 404


def test_prompts_are_picked_filled_in_as_buttons_or_json(world: World) -> None:
    text = 'For "{{ user.name }}" <b>'
    create_prompt(world.organisation, name="Hello", text=text, created_by=world.bob)
    page = text_of(world.bob, "/agents/prompts/pick/?thread=x")
    assert 'class="menu-item prompt-pick"' in page
    assert 'data-text="For &quot;Bob&quot; &lt;b&gt;"' in page
    response = client_of(world.bob).get(
        "/agents/prompts/pick/", headers={"Accept": "application/json"}
    )
    [found] = json.loads(response.content)["prompts"]
    assert found["text"] == 'For "Bob" <b>'
    assert "Hello" not in text_of(world.stella, "/agents/prompts/pick/")


# Tools


def test_a_member_makes_a_tool_and_shares_it(world: World) -> None:
    form = {
        "name": "post_to_team",
        "action": "sample_send",
        "description": "Tells the team.",
        "config": '{"url": "http://127.0.0.1/"}',
        "approval": "always",
        "is_active": "on",
        "share_mode": "organisation",
    }
    response = send(world.bob, "/agents/tools/new/", form)
    assert response.status_code == 303, response.content[-2000:]
    tool = Tool.objects.get()
    assert tool.config == {"url": "http://127.0.0.1/"}
    assert "post_to_team" in text_of(world.stella, "/agents/tools/")
    assert f"/agents/tools/{tool.pk}/" not in text_of(world.stella, "/agents/tools/")
    assert f"/agents/tools/{tool.pk}/" in text_of(world.adam, "/agents/tools/")
    url = f"/agents/tools/{tool.pk}/"
    before = Tool.objects.values().get()
    assert send(world.bob, url, typed(text_of(world.bob, url))).status_code == 303
    after = Tool.objects.values().get()
    assert {**after, "updated_at": None} == {**before, "updated_at": None}
    assert Grant.objects.count() == 1
    for person in (world.stella, world.charlie):
        assert send(person, url, form).status_code == 404
        assert send(person, f"{url}delete/", {}).status_code == 404
    assert send(world.bob, f"{url}delete/", {}).status_code == 303
    assert not Tool.objects.exists()


def test_a_tool_that_cannot_be_made_is_shown_again(world: World) -> None:
    form = {"name": "sample_read", "action": "", "config": "nonsense", "approval": "deny"}
    response = send(world.bob, "/agents/tools/new/", form)
    text = response.content.decode()
    assert response.status_code == 422
    for name in ("action", "config", "approval"):
        assert f'id="id_{name}_error"' in text
    assert "nonsense" in text
    response = send(
        world.bob, "/agents/tools/new/", {"name": "sample_read", "action": "sample_send"}
    )
    assert 'id="id_name_error"' in response.content.decode()


def test_private_tools_are_seen_by_their_owner_and_admins_only(world: World) -> None:
    values = ToolValues(name="bobs", action="sample_send", config={"url": "secret-place"})
    tool = create_tool(world.organisation, by=world.bob, values=values, sharing=Sharing())
    assert "bobs" in text_of(world.bob, "/agents/tools/")
    assert "bobs" in text_of(world.adam, "/agents/tools/")
    assert "bobs" not in text_of(world.stella, "/agents/tools/")
    assert client_of(world.stella).get(f"/agents/tools/{tool.pk}/").status_code == 404


def test_admins_set_the_policy_of_built_in_tools_in_the_page(world: World) -> None:
    url, form = "/agents/tools/policy/", {"tool": "sample_write", "approval": "deny"}
    assert send(world.stella, url, form).status_code == 403
    assert "Note it" in text_of(world.stella, "/agents/tools/")
    assert send(world.adam, url, form).status_code == 303
    assert "Note it" not in text_of(world.stella, "/agents/tools/")
    assert "Note it" in text_of(world.adam, "/agents/tools/")
    assert send(world.adam, url, form | {"tool": "unheard_of"}).status_code == 404
    assert send(world.adam, url, form | {"approval": "maybe"}).status_code == 422
