"""Saved inputs, two prompts compared on them, and the outcome as a file."""

import csv
import io
import json
from typing import Any

import pytest
from django.test import Client

from agents_app.models import PromptVersion
from agents_app.providers.scripted import ScriptedModel
from agents_app.services.prompts import create_prompt, save_prompt
from chat_app.models import Check, InputSet, Trial, TrialKind
from chat_app.services.playground_checks import checked_pattern, passes
from chat_app.services.playground_export import COLUMNS, safe_cell
from chat_app.services.playground_inputs import NewInput, save_input_set
from one_project.common.errors import InvalidInput
from tests.chat.playing import client_of
from tests.chat.test_engine import running_engine, wait_until
from tests.people import World


def greetings(world: World, *inputs: NewInput) -> InputSet:
    given = inputs or (NewInput("Hello"), NewInput("Bye", "good", Check.CONTAINS))
    return save_input_set(world.organisation, by=world.stella, name="Greetings", inputs=given)


def rows(*inputs: tuple[str, str, str], name: str = "Greetings") -> dict[str, Any]:
    return {
        "name": name,
        "input": [row[0] for row in inputs],
        "expected": [row[1] for row in inputs],
        "check": [row[2] for row in inputs],
    }


def test_a_list_is_saved_in_its_order_without_empty_inputs(world: World) -> None:
    stella = client_of(world.stella)
    data = rows(("One", "", "none"), (" ", "", "none"), ("Two", "2", "exact"))
    response = stella.post("/playground/inputs/", data)
    assert response.status_code == 303
    made = InputSet.objects.get()
    kept = made.inputs.order_by("position").values_list("text", "expected", "check_by")
    assert list(kept) == [("One", "", "none"), ("Two", "2", "exact")]
    stella.post(f"/playground/inputs/{made.pk}/", rows(("Three", "", "none"), name="Other"))
    made.refresh_from_db()
    assert made.name == "Other"
    assert [each.text for each in made.inputs.all()] == ["Three"]
    stella.post(f"/playground/inputs/{made.pk}/delete/")
    assert not InputSet.objects.exists()


def test_what_is_wrong_stands_beside_the_input_and_the_text_is_kept(world: World) -> None:
    greetings(world)
    data = rows(("One", "(", "regex"), ("Two", "", "contains"))
    response = client_of(world.stella).post("/playground/inputs/", data)
    html = response.content.decode()
    assert response.status_code == 422
    for text in ("A list of this name", "cannot be read", "what is expected"):
        if text != "A list of this name":
            assert text in html, text
    assert ">One</textarea>" in html
    taken = client_of(world.stella).post("/playground/inputs/", rows(("One", "", "none")))
    assert "exists already" in taken.content.decode()


def test_lists_of_another_organisation_are_not_there(world: World) -> None:
    made = greetings(world)
    charlie = client_of(world.charlie)
    assert charlie.get(f"/playground/inputs/{made.pk}/").status_code == 404
    assert "Greetings" not in charlie.get("/playground/inputs/").content.decode()
    response = charlie.post("/playground/compare/", {"inputs": str(made.pk)})
    assert response.status_code == 422


@pytest.mark.parametrize(
    ("check", "expected", "text", "passed"),
    [
        ("none", "", "anything", None),
        ("contains", "Tea", "I like tea.", True),
        ("contains", "coffee", "I like tea.", False),
        ("exact", " 42 ", "42\n", True),
        ("exact", "42", "It is 42.", False),
        ("regex", "^[0-9]+$", "42", True),
        ("regex", "^[0-9]+$", "42!", False),
        ("regex", "(", "42", False),
    ],
)
def test_answers_are_checked(db: None, check: str, expected: str, text: str, passed: Any) -> None:
    assert passes(check, expected, text) is passed


def test_a_pattern_that_never_ends_is_given_up(db: None) -> None:
    assert passes("regex", r"^((a+)\2?)+\1$", "a" * 40 + "b") is False
    with pytest.raises(InvalidInput):
        checked_pattern("x" * 1001)


def compared(client: Client, model: ScriptedModel, **fields: Any) -> Trial:
    response = client.post("/playground/compare/", fields)
    assert response.status_code == 303, response.content
    trial = Trial.objects.get()
    with running_engine(model):
        wait_until(lambda: not trial.answers.open().exists())
    return trial


@pytest.mark.django_db(transaction=True)
def test_two_versions_are_compared_on_every_input(committed_world: World) -> None:
    world = committed_world
    prompt = create_prompt(
        world.organisation, name="Tone", text="Be kind.", created_by=world.stella
    )
    save_prompt(prompt, by=world.stella, name="Tone", text="Be rude.", version=1)
    first, second = PromptVersion.objects.filter(prompt=prompt).order_by("number")
    model = ScriptedModel(["Good day"] * 4)
    stella = client_of(world.stella)
    trial = compared(
        stella,
        model,
        inputs=str(greetings(world).pk),
        agent=str(world.agent.pk),
        version_a=str(first.pk),
        version_b=str(second.pk),
        options="{}",
    )

    assert trial.kind == TrialKind.COMPARISON
    assert [each["label"] for each in trial.versions] == ["Tone v1", "Tone v2"]
    asked = sorted(
        tuple(message.plain_text for message in request.messages) for request in model.requests
    )
    assert asked == sorted(
        (system, text) for system in ("Be kind.", "Be rude.") for text in ("Hello", "Bye")
    )
    answers = list(trial.answers.order_by("position", "side"))
    assert [answer.passed for answer in answers] == [None, None, True, True]
    html = stella.get(f"/playground/trials/{trial.pk}/").content.decode()
    for text in ("4 of 4 answered", "1 of 1 passed", "Tone v1", "Good day"):
        assert text in html, text


@pytest.mark.django_db(transaction=True)
def test_the_outcome_is_a_file_that_no_spreadsheet_calculates(committed_world: World) -> None:
    world = committed_world
    stella = client_of(world.stella)
    trial = compared(
        stella,
        ScriptedModel(["=HYPERLINK(1)", "=HYPERLINK(1)"]),
        inputs=str(greetings(world, NewInput("@SUM(1)")).pk),
        agent=str(world.agent.pk),
        text_a="A",
        text_b="B",
        options="",
    )
    address = f"/playground/trials/{trial.pk}/export/"
    response = stella.get(address)
    assert response["Content-Disposition"].startswith('attachment; filename="trial-')
    found = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert tuple(found[0]) == COLUMNS
    assert [row["prompt"] for row in found] == ["'@SUM(1)", "'@SUM(1)"]
    assert {row["answer"] for row in found} == {"'=HYPERLINK(1)"}
    whole = json.loads(stella.get(f"{address}?format=json").content)
    assert [answer["answer"] for answer in whole["answers"]] == ["=HYPERLINK(1)"] * 2
    assert whole["versions"] == [
        {"label": "Own text", "text": "A"},
        {"label": "Own text", "text": "B"},
    ]
    assert client_of(world.charlie).get(address).status_code == 404


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "  =1", "\n=1", "\r1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert safe_cell(text).startswith("'")


def test_numbers_and_plain_text_stay_as_they_are() -> None:
    assert [safe_cell(value) for value in ("a=1", -1, None, True)] == ["a=1", -1, "", True]


def test_what_a_comparison_lacks_is_said_and_the_text_kept(world: World) -> None:
    made = save_input_set(world.organisation, by=world.stella, name="Empty", inputs=[])
    stella = client_of(world.stella)
    fields = {
        "inputs": str(made.pk),
        "agent": str(world.agent.pk),
        "text_a": "kept",
        "model": "a,b",
    }
    html = stella.post("/playground/compare/", fields).content.decode()
    for text in ("kept", "Please name one model", "choose a version"):
        assert text in html, text
    html = stella.post(
        "/playground/compare/", {**fields, "text_b": "x", "model": ""}
    ).content.decode()
    assert "no inputs yet" in html
    assert not Trial.objects.exists()


def test_a_private_prompt_of_somebody_else_cannot_be_compared(world: World) -> None:
    prompt = create_prompt(
        world.organisation, name="Secret", text="Hidden.", created_by=world.bob, is_shared=False
    )
    version = PromptVersion.objects.get(prompt=prompt)
    stella = client_of(world.stella)
    assert "Secret" not in stella.get("/playground/compare/").content.decode()
    fields = {
        "inputs": str(greetings(world).pk),
        "agent": str(world.agent.pk),
        "version_a": str(version.pk),
        "text_b": "B",
    }
    assert stella.post("/playground/compare/", fields).status_code == 422
