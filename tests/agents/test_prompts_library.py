"""The library of prompts: versions, two editors, sharing."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from agents_app.access import access_prompt, access_prompt_to_edit
from agents_app.errors import InvalidFields, PromptNotFound
from agents_app.models import Prompt
from agents_app.services.prompts import (
    create_prompt,
    delete_prompt,
    filled_prompts,
    restore_version,
    save_prompt,
    set_prompt_shared,
)
from one_project.accounts.services.grants import grant
from one_project.common.errors import Conflict, NotFound
from tests.people import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def prompt(world: World) -> Prompt:
    return create_prompt(world.organisation, name="Tone", text="Be kind.", created_by=world.bob)


def history(prompt: Prompt) -> list[tuple[int, str]]:
    return list(prompt.versions.order_by("number").values_list("number", "text"))


def test_every_save_is_a_version(world: World, prompt: Prompt) -> None:
    saved = save_prompt(prompt, by=world.adam, name="Tone", text="Be brief.", version=1)
    assert (saved.text, saved.version) == ("Be brief.", 2)
    assert history(prompt) == [(1, "Be kind."), (2, "Be brief.")]
    assert prompt.versions.get(number=2).created_by == world.adam


def test_two_editors_do_not_overwrite_each_other(world: World, prompt: Prompt) -> None:
    save_prompt(prompt, by=world.bob, name="Tone", text="First.", version=1)
    with pytest.raises(Conflict):
        save_prompt(prompt, by=world.adam, name="Tone", text="Second.", version=1)
    prompt.refresh_from_db()
    assert prompt.text == "First."
    assert len(history(prompt)) == 2


def test_an_old_version_comes_back_as_the_newest(world: World, prompt: Prompt) -> None:
    save_prompt(prompt, by=world.bob, name="Tone", text="Be brief.", version=1)
    restored = restore_version(prompt, by=world.bob, number=1, version=2)
    assert (restored.text, restored.version) == ("Be kind.", 3)
    with pytest.raises(Conflict):
        restore_version(prompt, by=world.bob, number=2, version=2)
    with pytest.raises(PromptNotFound):
        restore_version(prompt, by=world.bob, number=9, version=3)


def test_a_name_is_given_once_in_an_organisation(world: World, prompt: Prompt) -> None:
    with pytest.raises(InvalidFields):
        create_prompt(world.organisation, name="Tone", text="x", created_by=world.adam)
    create_prompt(world.elsewhere, name="Tone", text="x", created_by=world.charlie)
    other = create_prompt(world.organisation, name="Other", text="x", created_by=world.bob)
    with pytest.raises(InvalidFields):
        save_prompt(other, by=world.bob, name="Tone", text="x", version=1)
    other.refresh_from_db()
    assert other.name == "Other"


@pytest.mark.parametrize(("name", "text"), [("", "x"), ("x", " \n"), ("\x00", "x")])
def test_a_prompt_needs_a_name_and_a_text(world: World, name: str, text: str) -> None:
    with pytest.raises(InvalidFields):
        create_prompt(world.organisation, name=name, text=text, created_by=world.bob)


def test_an_outsider_makes_no_prompt_here(world: World) -> None:
    with pytest.raises(NotFound):
        create_prompt(world.organisation, name="Tone", text="x", created_by=world.charlie)


def test_a_prompt_is_private_until_shared(world: World, prompt: Prompt) -> None:
    with pytest.raises(PromptNotFound):
        access_prompt(world.stella, world.organisation, prompt.pk)
    set_prompt_shared(prompt, by=world.bob, is_shared=True)
    assert access_prompt(world.stella, world.organisation, prompt.pk) == prompt
    with pytest.raises(PromptNotFound):
        access_prompt_to_edit(world.stella, world.organisation, prompt.pk)
    with pytest.raises(PromptNotFound):
        access_prompt(world.charlie, world.elsewhere, prompt.pk)
    set_prompt_shared(prompt, by=world.bob, is_shared=False)
    with pytest.raises(PromptNotFound):
        access_prompt(world.stella, world.organisation, prompt.pk)


def test_a_manager_may_change_a_prompt(world: World, prompt: Prompt) -> None:
    grant(world.organisation, "prompt", prompt.pk, by=world.bob, user=world.stella, level="manage")
    assert access_prompt_to_edit(world.stella, world.organisation, prompt.pk) == prompt


def test_a_deleted_prompt_leaves_the_agents_it_was_attached_to(
    world: World, prompt: Prompt
) -> None:
    world.agent.attached_prompts.add(prompt)
    delete_prompt(prompt, by=world.bob)
    assert not world.agent.attached_prompts.exists()
    with pytest.raises(PromptNotFound):
        save_prompt(Prompt(pk=prompt.pk), by=world.bob, name="x", text="x", version=1)


def test_picked_prompts_are_filled_in_as_far_as_values_are_known(
    world: World, prompt: Prompt
) -> None:
    text = "I am {{ user.name }} of {{organisation.name}}, in {{ thread.title }}."
    save_prompt(prompt, by=world.bob, name="Tone", text=text, version=1)
    [(_, filled)] = filled_prompts(world.bob, world.organisation)
    assert filled == "I am Bob of Acme, in {{ thread.title }}."
    assert filled_prompts(world.stella, world.organisation) == []


@pytest.mark.django_db(transaction=True)
def test_of_many_who_save_at_once_one_does(committed_world: World) -> None:
    world = committed_world
    prompt = create_prompt(world.organisation, name="Tone", text="x", created_by=world.bob)

    def save(number: int) -> bool:
        try:
            own = Prompt.objects.get(pk=prompt.pk)
            save_prompt(own, by=world.bob, name="Tone", text=f"Text {number}", version=1)
        except Conflict:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        saved = list(pool.map(save, range(8)))
    assert sum(saved) == 1
    assert history(prompt) == [(1, "x"), (2, f"Text {saved.index(True)}")]
