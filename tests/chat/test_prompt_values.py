"""Prompts that are put into a thread are filled with what is known of it."""

import pytest
from django.test import Client

from agents_app.services.prompts import create_prompt
from tests.people import World

pytestmark = pytest.mark.django_db


def picked(world: World, client: Client, thread: object) -> str:
    url = f"/agents/prompts/pick/?thread={thread}"
    return str(client.get(url).content.decode())


def test_a_prompt_is_filled_from_the_thread(world: World, client: Client) -> None:
    text = "{{ user.name }} asks {{ agent.name }} about {{ thread.title }}."
    create_prompt(world.organisation, created_by=world.alice, name="Ask", text=text)
    client.force_login(world.alice)
    thread = world.thread(title="Tea")
    assert "Alice asks Guide about Tea." in picked(world, client, thread.pk)


def test_nothing_is_told_of_a_thread_one_may_not_see(world: World, client: Client) -> None:
    create_prompt(
        world.organisation, created_by=world.alice, name="Ask", text="On {{ thread.title }}."
    )
    client.force_login(world.bob)
    secret = world.thread(title="Secret plans")
    assert "Secret" not in picked(world, client, secret.pk)
