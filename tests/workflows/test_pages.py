"""The pages of durable work: what people see, what staff do, and how a page stays up to date."""

import re
from typing import Any

import pytest
from django.test import Client

from one_project.accounts.models import User
from one_project.workflows.models import WorkflowEvent, WorkflowRun, WorkItem
from one_project.workflows.services.pools import set_parallelism
from one_project.workflows.services.runs import pause_run, send_event, start
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import drain, fresh, pass_time

pytestmark = pytest.mark.django_db

LIST = "/workflows/"
SENT_BY_HTMX = {"HX-Request": "true"}


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def begin(world: World, workflow: Any, *args: Any, by: User | None = None) -> WorkflowRun:
    run = start(workflow, *args, organisation=world.organisation, started_by=by or world.bob)
    drain()
    return fresh(run)


def address(run: WorkflowRun, verb: str = "") -> str:
    return f"{LIST}{run.pk}/{verb}"


def text_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, response.content[:300]
    return response.content.decode()


def question(text: str) -> str:
    """The address the page asks for news."""
    [url] = re.findall(r'hx-get="(/workflows/[0-9a-f-]{36}/live/[^"]*)"', text)
    return str(url).replace("&amp;", "&")


# The list


def test_staff_sees_runs_counts_and_pools(world: World) -> None:
    begin(world, samples.three, 2)
    samples.FAIL["a"] = 1
    begin(world, samples.tries, "a", 0)
    text = text_of(client_of(world.stella), LIST)
    assert "three" in text
    assert "a fails" in text
    assert 'id="pools"' in text
    assert re.search(r"Ended per minute\s*</dt>\s*<dd>\s*2\s*</dd>", text)


def test_member_sees_own_runs_and_no_pools(world: World) -> None:
    own = begin(world, samples.three, 1)
    other = begin(world, samples.three, 1, by=world.alice)
    text = text_of(client_of(world.bob), LIST)
    assert str(own.pk) in text
    assert str(other.pk) not in text
    assert 'id="pools"' not in text


def test_outsider_sees_none_of_it(world: World) -> None:
    run = begin(world, samples.three, 1)
    assert str(run.pk) not in text_of(client_of(world.charlie), LIST)


def test_the_list_is_filtered(world: World) -> None:
    done, waits = begin(world, samples.three, 1), begin(world, samples.asks)
    client = client_of(world.stella)
    for query, found in (
        ("state=success", [done]),
        (f"name={samples.asks.name}", [waits]),
        ("time=hour", [done, waits]),
        ("state=canceled", []),
    ):
        text = text_of(client, f"{LIST}?{query}")
        assert [run for run in (done, waits) if address(run) in text] == found
    assert "No workflow is like that" in text


@pytest.mark.parametrize("query", ["cursor=nonsense", "state=asleep"])
def test_a_list_that_cannot_be_shown_says_why(world: World, query: str) -> None:
    response = client_of(world.stella).get(f"{LIST}?{query}")
    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()


def test_older_runs_are_a_page_further(world: World) -> None:
    made = [begin(world, samples.notes, 0) for _ in range(51)]
    client = client_of(world.stella)
    first = text_of(client, f"{LIST}?state=success")
    assert address(made[0]) not in first
    [older] = re.findall(r'href="(\?[^"]*cursor=[^"]*)"', first)
    second = text_of(client, LIST + older.replace("&amp;", "&"))
    assert address(made[0]) in second
    assert address(made[1]) not in second


def test_an_unchanged_list_is_not_sent_again(world: World) -> None:
    begin(world, samples.asks)
    client = client_of(world.stella)
    [url] = re.findall(r'hx-get="(/workflows/live/[^"]*)"', text_of(client, LIST))
    assert client.get(url).status_code == 204
    run = begin(world, samples.three, 1)
    assert address(run) in text_of(client, url)


def test_the_installations_own_runs_are_for_superusers(world: World) -> None:
    chore = start(samples.asks)
    url = f"{LIST}?whose=installation"
    assert address(chore) not in text_of(client_of(world.alice), url)
    world.alice.is_superuser = True
    world.alice.save()
    assert address(chore) in text_of(client_of(world.alice), url)


# One run


def test_a_run_shows_steps_arguments_and_results(world: World) -> None:
    run = begin(world, samples.three, 21)
    text = text_of(client_of(world.stella), address(run))
    assert text.count('class="flow-step"') == 3
    assert "noted 42" in text
    assert "<pre" in text
    assert "84" in text
    assert text.count("chart-bar") == 3
    assert 'hx-trigger="every 2s"' not in text.split('id="main"')[1], "an ended run asks no more"


def test_parallel_steps_have_lanes_of_their_own(world: World) -> None:
    run = begin(world, samples.asks)
    both = begin(world, samples.races)
    heights = [
        re.findall(
            r'<svg width="100%"\s+height="(\d+)"', text_of(client_of(world.stella), address(r))
        )
        for r in (run, both)
    ]
    assert heights == [["24"], ["48"]]


def test_the_traceback_is_for_staff(world: World) -> None:
    samples.FAIL["a"] = 1
    run = begin(world, samples.tries, "a", 0)
    staff = text_of(client_of(world.stella), address(run))
    owner = text_of(client_of(world.bob), address(run))
    assert "Traceback (most recent call last)" in staff
    assert "ValueError" in staff
    assert "a fails" in owner
    assert "Traceback" not in owner
    assert "ValueError" not in owner


def test_whom_it_belongs_to_has_no_buttons(world: World) -> None:
    run = begin(world, samples.asks)
    staff = text_of(client_of(world.stella), address(run))
    owner = text_of(client_of(world.bob), address(run))
    for verb in ("pause", "cancel", "events"):
        assert address(run, f"{verb}/") in staff
        assert address(run, f"{verb}/") not in owner


def test_child_and_parent_lead_to_each_other(world: World) -> None:
    run = begin(world, samples.parent, 1)
    child = WorkflowRun.objects.get(parent_step__run=run)
    client = client_of(world.bob)
    assert address(child) in text_of(client, address(run))
    assert address(run) in text_of(client, address(child))


def test_a_long_run_is_shown_a_hundred_steps_at_a_time(world: World) -> None:
    run = begin(world, samples.notes, 120)
    client = client_of(world.stella)
    first = text_of(client, address(run))
    assert first.count('class="flow-step"') == 100
    [following] = re.findall(r'id="steps-next"[^>]*href="([^"]*)"', first, re.S)
    second = text_of(client, following.replace("&amp;", "&"))
    assert second.count('class="flow-step"') == 20
    assert 'id="step-119"' in text_of(client, address(run) + "?newest=1")


def test_what_a_program_wrote_cannot_become_markup(world: World) -> None:
    run = begin(world, samples.tries, "<script>alert(1)</script>", 0)
    assert "<script>alert" not in text_of(client_of(world.stella), address(run))


# Staying up to date


def test_an_unchanged_run_is_not_sent_again(world: World) -> None:
    run = begin(world, samples.asks)
    client = client_of(world.bob)
    assert client.get(question(text_of(client, address(run)))).status_code == 204


def test_only_what_changed_is_sent_and_the_end_stops_the_questions(world: World) -> None:
    run = begin(world, samples.races)
    client = client_of(world.stella)
    url = question(text_of(client, address(run)))
    send_event(run, "go", "now")
    drain()
    response = client.get(url)
    text = response.content.decode()
    assert response.status_code == 286
    assert 'id="ask"' not in text
    for step in ("step-0-head", "step-1-head", "step-2-head"):
        assert f'id="{step}"' in text
    assert '<ol hx-swap-oob="afterend:#step-1">' in text, "a new step comes in its place"
    assert 'id="step-0"' not in text, "what is open stays open"
    assert re.search(r'id="event-box"\s+hx-swap-oob="delete"', text)


def test_the_end_of_a_run_brings_what_a_fresh_page_has(world: World) -> None:
    run = begin(world, samples.branches)
    client = client_of(world.stella)
    url = question(text_of(client, address(run)))
    pass_time(20)
    drain()
    brought, fresh_page = client.get(url).content.decode(), text_of(client, address(run))
    for text in (brought, fresh_page):
        assert len(re.findall(r'id="step-\d+-restart"', text)) == 6
        assert "Succeeded" in text
    assert re.findall(r'id="step-(\d+)-head"', fresh_page) == [str(n) for n in range(6)]
    assert 'id="event-box"' not in fresh_page


def test_a_restart_takes_the_steps_off_an_open_page(world: World) -> None:
    run = begin(world, samples.races)
    client = client_of(world.stella)
    url = question(text_of(client, address(run)))
    WorkItem.objects.filter(run=run, n=1).delete()
    assert '<div id="step-1" hx-swap-oob="delete">' in text_of(client, url)


def test_a_step_that_is_as_it_was_is_left_alone(world: World) -> None:
    run = begin(world, samples.branches)
    client = client_of(world.stella)
    url = question(text_of(client, address(run)))
    WorkItem.objects.filter(run=run, n=1).update(status="success")
    response = client.get(url)
    text = response.content.decode()
    assert response.status_code == 200
    assert 'id="step-1-head"' in text
    assert 'id="step-0-head"' not in text
    assert 'id="run-head"' not in text
    assert client.get(question(text)).status_code == 204


def test_a_pause_reaches_the_page(world: World) -> None:
    run = begin(world, samples.asks)
    client = client_of(world.stella)
    url = question(text_of(client, address(run)))
    pause_run(run)
    text = text_of(client, url)
    assert "Resume" in text
    assert "step-0-head" not in text


def test_an_event_that_waits_reaches_the_page(world: World) -> None:
    run = begin(world, samples.asks)
    client = client_of(world.stella)
    url = question(text_of(client, address(run)))
    send_event(run, "later", {"a": 1})
    assert "not taken yet" in text_of(client, url)


@pytest.mark.parametrize("version", ["", "x", "1running.0x0.99", "1.2." + "1s1-" * 2000])
def test_a_version_that_cannot_be_read_loads_the_page_again(world: World, version: str) -> None:
    run = begin(world, samples.asks)
    response = client_of(world.stella).get(address(run, "live/"), {"v": version})
    assert (response.status_code, response.headers.get("HX-Refresh")) == (200, "true")


# What staff do


def post(person: User, run: WorkflowRun, verb: str, **form: str) -> Any:
    return client_of(person).post(address(run, f"{verb}/"), form)


def test_staff_pauses_resumes_and_cancels(world: World) -> None:
    run = begin(world, samples.asks)
    for verb, status in (("pause", "paused"), ("resume", "running"), ("cancel", "canceled")):
        response = post(world.stella, run, verb)
        assert (response.status_code, response["Location"]) == (303, address(run))
        assert fresh(run).status == status


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume", "retry", "restart", "events"])
def test_whom_it_belongs_to_cannot_change_it(world: World, verb: str) -> None:
    run = begin(world, samples.asks)
    before = fresh(run)
    assert post(world.bob, run, verb, step="0", name="choice", payload="1").status_code == 403
    assert post(world.charlie, run, verb, step="0", name="choice").status_code == 404
    assert (fresh(run).status, fresh(run).generation) == (before.status, before.generation)
    assert not WorkflowEvent.objects.exists()


def test_retry_keeps_what_succeeded(world: World) -> None:
    samples.FAIL["noted 2"] = 1
    run = begin(world, samples.three, 1)
    assert post(world.stella, run, "retry").status_code == 303
    drain()
    assert fresh(run).result == 4
    assert samples.CALLS == [1, 2], "the first step ran once"


def test_restart_runs_the_step_and_all_later_ones_again(world: World) -> None:
    run = begin(world, samples.three, 1)
    assert post(world.stella, run, "restart", step="2").status_code == 303
    drain()
    assert samples.CALLS == [1, 2, 2]


@pytest.mark.parametrize("step", ["", "-1", "one", "²", "9" * 30])
def test_restart_from_no_step_says_so(world: World, step: str) -> None:
    run = begin(world, samples.three, 1)
    response = post(world.stella, run, "restart", step=step)
    assert response.status_code == 422
    assert "Choose the step" in response.content.decode()
    assert fresh(run).status == "success"


def test_a_verb_that_comes_too_late_is_explained_on_the_page(world: World) -> None:
    run = begin(world, samples.three, 1)
    response = post(world.stella, run, "cancel")
    assert response.status_code == 409
    text = response.content.decode()
    assert "already ended" in text
    assert 'id="steps"' in text
    by_htmx = client_of(world.stella).post(address(run, "cancel/"), headers=SENT_BY_HTMX)
    assert (by_htmx.status_code, by_htmx["HX-Retarget"]) == (409, "#notices")


def test_htmx_is_sent_to_the_run(world: World) -> None:
    run = begin(world, samples.asks)
    response = client_of(world.stella).post(address(run, "cancel/"), headers=SENT_BY_HTMX)
    assert response["HX-Redirect"] == address(run)


def test_an_event_lets_the_run_go_on(world: World) -> None:
    run = begin(world, samples.asks)
    for _ in range(2):  # the same form twice
        post(world.stella, run, "events", name="choice", payload="1", key="form 1")
    drain()
    assert fresh(run).result == "proposal2"
    assert WorkflowEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("payload", "said"),
    [("yes", "not JSON"), ('{"a": ', "not JSON"), ('"\\u0000"', "NUL"), ('{"\\u0000": 1}', "NUL")],
)
def test_a_payload_that_cannot_be_sent_stays_in_the_box(
    world: World, payload: str, said: str
) -> None:
    run = begin(world, samples.asks)
    response = post(world.stella, run, "events", name="choice", payload=payload, key="k")
    text = response.content.decode()
    assert response.status_code == 422
    assert said in text
    shown = payload.replace("&", "&amp;").replace('"', "&quot;")
    assert f">{shown}</textarea>" in text
    assert 'value="choice"' in text
    assert not WorkflowEvent.objects.exists()


@pytest.mark.parametrize("name", ["", " ", "x" * 201])
def test_an_event_needs_a_name(world: World, name: str) -> None:
    run = begin(world, samples.asks)
    assert post(world.stella, run, "events", name=name).status_code == 422


# The admin


@pytest.mark.parametrize("table", ["workflowrun", "workitem", "workflowevent", "pool"])
def test_every_table_is_in_the_admin(world: World, table: str) -> None:
    run = begin(world, samples.asks)
    send_event(run, "later", 1)
    set_parallelism("default", 3)
    User.objects.filter(pk=world.alice.pk).update(is_staff=True, is_superuser=True)
    client = client_of(world.alice)
    text = text_of(client, f"/admin/workflows/{table}/")
    [row] = set(re.findall(rf"/admin/workflows/{table}/([0-9a-f-]{{36}})/change/", text))
    text_of(client, f"/admin/workflows/{table}/{row}/change/")
    assert client.get(f"/admin/workflows/{table}/add/").status_code == (
        200 if table == "pool" else 403
    )


def test_an_admin_sets_what_a_pool_runs_at_once(world: World) -> None:
    pool = set_parallelism("default", 3)
    User.objects.filter(pk=world.alice.pk).update(is_staff=True, is_superuser=True)
    client = client_of(world.alice)
    client.post(f"/admin/workflows/pool/{pool.pk}/change/", {"parallelism": "0"})
    pool.refresh_from_db()
    assert pool.parallelism == 0
    refused = client.post(f"/admin/workflows/pool/{pool.pk}/change/", {"parallelism": "101"})
    assert refused.status_code == 200
    pool.refresh_from_db()
    assert pool.parallelism == 0
