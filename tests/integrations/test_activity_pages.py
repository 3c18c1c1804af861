"""Who sees what of what was sent, and what they may do about it."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations_app.errors import OutcomeUnknown, Permanent
from integrations_app.models import Delivery, Integration, Notification
from integrations_app.providers.base import Accepted, Content, Target
from integrations_app.runtime import activity as listing
from integrations_app.services.attempts import begin
from integrations_app.services.deliveries import queue_delivery
from integrations_app.services.outcomes import Begun, finish
from integrations_app.services.way import tell
from integrations_app.types import EndpointType
from one_project.accounts.models import User
from tests.integrations.sample_providers import KEY, make_integration
from tests.people import World


@pytest.fixture
def mail(world: World) -> Integration:
    return make_integration(world.organisation, name="House mail")


def queued(world: World, mail: Integration, text: str = "the words of it", **more: Any) -> Delivery:
    return queue_delivery(
        world.organisation.pk,
        content=Content(subject="About", text=text),
        channel_type="email",
        integration_id=mail.pk,
        target=Target(type=EndpointType.EMAIL, address="somebody@example.test"),
        by=world.bob,
        source="test",
        **more,
    )


def attempt(delivery: Delivery, outcome: Any) -> None:
    begun = begin(delivery.pk, "work")
    assert isinstance(begun, Begun)
    finish(begun, outcome)


def page(user: User, name: str, *args: Any, **query: str) -> Any:
    client = Client()
    client.force_login(user)
    return client.get(reverse(f"connections:{name}", args=args), query)


def text(answer: Any) -> str:
    return answer.content.decode()


def test_its_page_tells_every_attempt_in_words(world: World, mail: Integration) -> None:
    delivery = queued(world, mail)
    attempt(delivery, Accepted(message_id="provider-id-1"))
    shown = text(page(world.bob, "delivery", delivery.pk))
    for words in ("provider-id-1", "The provider accepted it.", "House mail", "the words of it"):
        assert words in shown
    assert KEY not in shown


def test_admins_see_that_it_was_sent_and_not_what_it_says(world: World, mail: Integration) -> None:
    delivery = queued(world, mail)
    shown = text(page(world.adam, "delivery", delivery.pk))
    assert "the words of it" not in shown
    assert "somebody@example.test" not in shown
    assert "s…@example.test" in shown
    assert page(world.stella, "delivery", delivery.pk).status_code == 404


def test_a_code_that_proves_an_address_is_not_shown_here(world: World, mail: Integration) -> None:
    delivery = queue_delivery(
        world.organisation.pk,
        content=Content(text="123456 is your code", data={"is_code": True}),
        channel_type="email",
        integration_id=mail.pk,
        target=Target(type=EndpointType.EMAIL, address="somebody@example.test"),
        user=world.bob,
        by=world.bob,
        source="code",
    )
    assert "123456" not in text(page(world.bob, "delivery", delivery.pk))


def test_the_list_has_what_one_may_see_and_asked_for(world: World, mail: Integration) -> None:
    failed, waiting = queued(world, mail), queued(world, mail)
    attempt(failed, Permanent(code="no"))
    Notification.objects.create(
        organisation=world.organisation, user=world.stella, workflow="w", transaction_id="1"
    )
    everything = text(page(world.alice, "activity"))
    assert everything.count('class="activity-line"') == 3
    assert text(page(world.bob, "activity")).count('class="activity-line"') == 2
    assert 'class="activity-line"' not in text(page(world.charlie, "activity"))
    narrow = text(page(world.alice, "activity", status="failed", integration=str(mail.pk)))
    assert str(failed.pk) in narrow
    assert str(waiting.pk) not in narrow
    only = text(page(world.alice, "activity", kind="notification"))
    assert only.count('class="activity-line"') == 1
    odd = page(world.alice, "activity", status="\x00", time="century", person="nobody")
    assert odd.status_code == 200
    assert page(world.alice, "activity", cursor="!!").status_code == 422


def test_pages_follow_each_other_without_gap(
    world: World, mail: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 2)
    made = [str(queued(world, mail).pk) for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        found = listing.activity(world.alice, world.organisation, listing.Asked(), cursor)
        seen += [str(line.row.pk) for line in found.lines]
        cursor = found.older
    assert seen == made[::-1]
    assert cursor is None


def test_nothing_new_is_answered_with_nothing(world: World, mail: Integration) -> None:
    delivery = queued(world, mail)
    version = page(world.bob, "activity").context["page"].version
    assert page(world.bob, "activity_live", v=version).status_code == 204
    own = page(world.bob, "delivery", delivery.pk).context["version"]
    assert page(world.bob, "delivery_live", delivery.pk, v=own).status_code == 204
    attempt(delivery, Accepted(message_id="m"))
    assert page(world.bob, "activity_live", v=version).status_code == 200
    assert page(world.bob, "delivery_live", delivery.pk, v=own).status_code == 200


def test_an_unknown_one_is_sent_again_by_a_button(world: World, mail: Integration) -> None:
    delivery = queued(world, mail)
    attempt(delivery, OutcomeUnknown())
    assert "Send again" in text(page(world.bob, "delivery", delivery.pk))
    client = Client()
    client.force_login(world.bob)
    for _ in range(2):
        answer = client.post(reverse("connections:delivery_again", args=[delivery.pk]))
        assert answer.status_code == 303
    made = Delivery.objects.get(source="again")
    assert answer["Location"] == reverse("connections:delivery", args=[made.pk])


def test_the_way_of_a_notification_links_its_messages(world: World, mail: Integration) -> None:
    notification = Notification.objects.create(
        organisation=world.organisation,
        user=world.bob,
        workflow="greeting",
        transaction_id="1",
        title="For one",
    )
    tell(notification, "throttled", step="sms", text="The third today.")
    delivery = queued(world, mail, notification=notification, step="mail")
    attempt(delivery, Permanent())
    shown = text(page(world.bob, "notification", notification.pk))
    for words in ("The third today.", "The provider refused it.", "For one", str(delivery.pk)):
        assert words in shown
    assert "For one" not in text(page(world.alice, "notification", notification.pk))
    assert page(world.stella, "notification", notification.pk).status_code == 404
