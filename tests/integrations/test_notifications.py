"""Triggers: for whom, how often, and what they cost."""

import json
from typing import Any

import pytest
from aiohttp import web
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pydantic import BaseModel

from integrations_app.errors import InvalidSettings, NotUsable
from integrations_app.models import Notification, NotificationEvent, NotificationWorkflow, Topic
from integrations_app.runtime.step_kinds import InApp
from integrations_app.runtime.step_requests import HttpRequest
from integrations_app.services import notification_workflows, topics
from integrations_app.services.notification_workflows import (
    Draft,
    change_workflow,
    create_workflow,
    find_definition,
    notification,
    remove_workflow,
)
from integrations_app.services.notifications import notify_user, trigger
from integrations_app.worker.notification_run import Answer, ask
from one_project.accounts.models import Membership, Role, User
from one_project.common.errors import Conflict, InvalidInput, NotFound
from one_project.workflows.models import WorkflowRun, WorkItem
from tests.integrations.web_server import running_web_server
from tests.people import World
from tests.workflows import by_hand

HELLO = [InApp(title="Hello {{ subscriber.name }}")]


@pytest.fixture
def news(world: World) -> NotificationWorkflow:
    draft = Draft(key="news", name="News", steps=HELLO)
    return create_workflow(world.organisation, draft, by=world.adam)


def fire(world: World, **options: Any) -> list[Notification]:
    return trigger(world.organisation, "news", **{"to": world.bob, **options})


def test_the_same_transaction_tells_a_person_once(world: World, news: Any) -> None:
    [first] = fire(world, transaction_id="order 7", payload={"a": 1})
    [again, other] = fire(world, to=[world.bob, world.stella], transaction_id="order 7")
    assert again.pk == first.pk
    assert again.payload == {"a": 1}
    assert other.user_id == world.stella.pk
    assert WorkflowRun.objects.count() == 2
    assert len({fire(world)[0].pk, fire(world)[0].pk}) == 2
    by_hand.drain()
    first.refresh_from_db()
    assert first.title == f"Hello {world.bob.display_name}"


def test_people_are_named_in_many_ways_and_only_members_are_told(world: World, news: Any) -> None:
    topic = topics.create_topic(world.organisation, key="ops", name="Operations")
    topics.subscribe(topic, [world.stella, world.charlie])
    rows = fire(world, to=[world.bob, str(world.bob.pk), world.adam.email.upper(), "topic:ops"])
    assert {row.user_id for row in rows} == {world.bob.pk, world.adam.pk, world.stella.pk}
    # Who is named is told, whatever they have muted for the topic.
    rows = fire(world, to=[world.stella.email, "topic:ops"]) + fire(
        world, to=[world.stella, "topic:ops"]
    )
    assert [row.meta.get("topic") for row in rows] == [None, None]
    assert fire(world, to="topic:ops")[0].meta["topic"] == str(topic.pk)
    for stranger in (world.charlie, "nobody@example.test", str(world.charlie.pk), "someone"):
        with pytest.raises(InvalidInput):
            fire(world, to=stranger)
    with pytest.raises(NotFound):
        fire(world, to="topic:nope")
    elsewhere = Topic.objects.create(organisation=world.elsewhere, key="ops", name="Theirs")
    with pytest.raises(InvalidInput):
        fire(world, to=elsewhere)


def test_a_thousand_people_cost_a_few_statements_and_workers_begin_their_runs(
    world: World, news: Any
) -> None:
    topic = topics.create_topic(world.organisation, key="all", name="All")
    people = User.objects.bulk_create(User(email=f"p{n}@example.test") for n in range(1_000))
    Membership.objects.bulk_create(
        Membership(organisation=world.organisation, user=one, role=Role.MEMBER) for one in people
    )
    assert topics.subscribe(topic, people) == 1_000
    with CaptureQueriesContext(
        connection,
    ) as seen:
        rows = fire(world, to=topic, transaction_id="1")
    assert len(rows) == 1_000
    assert len(seen) < 40
    assert WorkflowRun.objects.count() == 0
    work = list(WorkItem.objects.filter(function="integrations_app.begin_notifications"))
    assert len(work) == 10
    # One batch is begun here; the others are like it.
    WorkItem.objects.filter(pk__in=[one.pk for one in work[1:]]).delete()
    [batch] = by_hand.take()
    by_hand.perform(batch)
    assert Notification.objects.exclude(run_id=None).count() == WorkflowRun.objects.count() == 100
    assert len(fire(world, to=topic, transaction_id="1")) == 1_000
    assert NotificationEvent.objects.count() == 1_000


def test_what_cannot_be_told_is_refused(world: World, news: NotificationWorkflow) -> None:
    with pytest.raises(NotFound):
        trigger(world.organisation, "nope", to=world.bob)
    with pytest.raises(NotFound):
        trigger(world.elsewhere, "news", to=world.charlie)
    for payload in (["x"], {"a": 1e300}, {"a": "x" * 70_000}):
        with pytest.raises(InvalidInput):
            fire(world, payload=payload)
    with pytest.raises(InvalidInput):
        fire(world, channels=["pigeon"])
    news.is_active = False
    news.save()
    with pytest.raises(NotUsable):
        fire(world)


def test_one_in_python_says_what_its_payload_is_and_a_row_replaces_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notification_workflows, "_defined", {})

    @notification(key="order-shipped", name="Order shipped", steps=HELLO, category="orders")
    class OrderShipped(BaseModel):
        number: int

    with pytest.raises(InvalidSettings) as caught:
        trigger(world.organisation, "order-shipped", to=world.bob, payload={"number": "x"})
    assert list(caught.value.problems) == ["payload.number"]
    [row] = trigger(world.organisation, "order-shipped", to=world.bob, payload={"number": "7"})
    assert (row.payload, row.category) == ({"number": 7}, "orders")
    assert ("orders", "Orders") in notification_workflows.categories(world.organisation)
    own = create_workflow(
        world.organisation, Draft(key="order-shipped", name="Ours", steps=HELLO), by=world.adam
    )
    assert find_definition(world.organisation, "order-shipped").name == "Ours"
    assert find_definition(world.elsewhere, "order-shipped").name == "Order shipped"
    remove_workflow(own, by=world.adam)
    assert find_definition(world.organisation, "order-shipped").name == "Order shipped"


def test_of_two_who_change_it_the_second_is_told(world: World, news: NotificationWorkflow) -> None:
    draft = Draft(key="news", name="Better", steps=HELLO)
    read_at = news.updated_at
    change_workflow(news, draft, by=world.adam, read_at=read_at)
    with pytest.raises(Conflict):
        change_workflow(news, draft, by=world.alice, read_at=read_at)
    with pytest.raises(Conflict):
        create_workflow(world.organisation, draft, by=world.alice)


def test_a_person_is_told_at_once_and_by_mail_when_they_do_not_look(world: World) -> None:
    told = notify_user(
        world.organisation, world.bob, title="Key expired", body="Please look.", url="/agents/",
        critical=True, transaction_id="key 1",
    )  # fmt: skip
    assert told is not None
    by_hand.drain()
    told.refresh_from_db()
    assert (told.title, told.body, told.url) == ("Key expired", "Please look.", "/agents/")
    assert told.is_critical
    by_hand.pass_time(601)
    by_hand.drain()
    lines = dict(told.events.exclude(step="").values_list("step", "reason"))
    assert lines["mail"] == "no_integration"
    again = notify_user(
        world.organisation, world.bob, title="Key expired", body="", transaction_id="key 1"
    )
    assert again is not None
    assert again.pk == told.pk
    assert notify_user(world.organisation, world.charlie, title="Hello", body="") is None


def test_a_link_that_is_not_ours_is_never_told(world: World) -> None:
    told = notify_user(
        world.organisation, world.bob, title="Look", body="", url="https://evil.test/"
    )
    assert told is not None
    by_hand.drain()
    told.refresh_from_db()
    assert (told.title, told.url) == ("Look", "")


@pytest.mark.django_db(transaction=True)
def test_an_address_is_asked_once_and_its_answer_kept(
    committed_world: World, settings: Any
) -> None:
    world = committed_world
    draft = Draft(key="ask", name="Ask", steps=HELLO)
    create_workflow(world.organisation, draft, by=world.adam)
    [row] = trigger(world.organisation, "ask", to=world.bob, payload={"id": "a/b", "say": "hi"})

    async def shop(request: web.Request) -> web.Response:
        if "broken" in request.path:
            return web.json_response({"why": "canary-answer"}, status=500)
        return web.json_response({"stock": 3})

    async def answers() -> list[Answer]:
        async with running_web_server(shop) as server:
            settings.ONE_HTTP_ALLOWED_HOSTS = [server.address]
            whole = {"type": "object", "properties": {"stock": {"type": "string"}}}
            steps = [
                HttpRequest(
                    url=f"{server.url}/items/{{{{ payload.id }}}}",
                    body={"said": "{{ payload.say }}"},
                ),
                HttpRequest(url=f"{server.url}/broken"),
                HttpRequest(url=f"{server.url}/", response_schema=whole),
                HttpRequest(url="http://127.0.0.1/"),
            ]
            found = [await ask.function(row.pk, one) for one in steps]
            assert server.requests[0][1] == "/items/a%2Fb"
            assert json.loads(server.requests[0][3]) == {"said": "hi"}
            return found

    good, broken, unlike, refused = async_to_sync(answers)()
    assert (good.status, good.data, good.error) == (200, {"stock": 3}, "")
    assert broken.error == "The address answered 500."
    assert unlike.error == "The answer is not as expected at “stock”."
    assert "public internet" in refused.error
