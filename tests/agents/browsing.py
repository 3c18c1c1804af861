"""Agents, prompts and tools as people use them in the browser."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents_app.models import Agent
from agents_app.services.agents import create_agent
from one_project.accounts.models import User
from tests.people import World

pytestmark = pytest.mark.django_db


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def text_of(person: User, url: str) -> str:
    response = client_of(person).get(url)
    assert response.status_code == 200, response.content[:300]
    return str(response.content.decode())


def send(person: User, url: str, form: dict[str, Any]) -> Any:
    return client_of(person).post(url, form)


def own_agent(world: World, **more: Any) -> Agent:
    given = {"name": "Writer", "prompt": "Secret words.", "created_by": world.bob, **more}
    return create_agent(world.organisation, **given)


def queries(person: User, url: str) -> int:
    client = client_of(person)
    with CaptureQueriesContext(connection) as found:
        assert client.get(url).status_code == 200
    return len(found)


def typed(text: str) -> dict[str, Any]:
    """The form of a page as a browser would send it."""
    form: dict[str, Any] = {}
    page = text.split('<form class="calm-form"', 1)[1].split("</form>", 1)[0]
    for tag in re.findall(r"<input[^>]*>", page):
        named = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        if named.get("type") in {"checkbox", "radio"} and " checked" not in tag:
            continue
        empty = "on" if named.get("type") == "checkbox" else ""
        form.setdefault(named.get("name", ""), []).append(named.get("value", empty))
    for name, inner in re.findall(
        r'<textarea[^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>', page, re.DOTALL
    ):
        form[name] = [inner.replace("&quot;", '"')]
    for name, inner in re.findall(
        r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', page, re.DOTALL
    ):
        chosen = re.findall(r'value="([^"]*)" selected', inner) or re.findall(
            r'value="([^"]*)"', inner
        )
        form[name] = chosen[:1]
    return form
