"""Notices by mail: what is due for a person goes out as one letter.

The rows of Notice are the outbox. Handing over marks them and puts the letter into the work pool in
one transaction, so each goes into exactly one letter, whatever stops between. Sending is repeated
until it succeeds, also after a crash: at least once, always under the same Message-ID, by which
mail programs show the second copy as the first. What can never be sent stays in the app only.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import formataddr
from smtplib import SMTPRecipientsRefused
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connections, transaction
from django.template.loader import render_to_string
from django.utils import timezone

from flows_app.models import Notice
from flows_app.services.wishes import wishes_of
from one_project.common.database import in_thread
from one_project.common.ids import new_id
from one_project.common.text import clean_line
from one_project.workflows.definitions import declare_pool, step
from one_project.workflows.errors import NonRetryable
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Result, Retry

logger = logging.getLogger(__name__)

# Mail servers count connections.
POOL = declare_pool("mail", 4)
# Notices looked at in one transaction.
BATCH = 500
# Shown in one letter; the rest is counted, and on the page.
SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What one person is told at a time. ``key`` is the same whenever the same letter is sent;
    ``to`` an address with the name; ``text`` plain; ``url`` absolute."""

    key: UUID
    organisation_id: UUID
    user_id: UUID
    to: str
    subject: str
    text: str
    url: str


# True: it has been taken and needs no mail. Called in a thread, without a transaction; raises what
# may pass, and is then called again.
Channel = Callable[[Letter], bool]

_channels: dict[str, Channel] = {}


def register_channel(deliver: Channel) -> Channel:
    """Have letters offered to ``deliver`` before they are mailed; the first to take one has it."""
    _channels[f"{deliver.__module__}.{deliver.__qualname__}"] = deliver
    return deliver


def send_due_mail(now: datetime | None = None) -> int:
    """Hand over all that is due; how many letters it is. Several may do this at once."""
    now = now or timezone.now()
    made = 0
    while letters := hand_over(now):
        made += letters
    return made


@transaction.atomic
def hand_over(now: datetime) -> int:
    """One batch of people: all that is due for each becomes work; how many letters."""
    due = Notice.objects.filter(mailed_at=None, mail_at__lte=now)
    people = set(due.order_by("mail_at").values_list("user_id", flat=True)[:BATCH])
    # Who comes second waits here, and finds nothing more to take.
    locked = due.filter(user_id__in=people).select_for_update().order_by("pk")
    letters: dict[tuple[UUID, UUID], list[UUID]] = {}
    for key, organisation_id, user_id in locked.values_list("pk", "organisation_id", "user_id"):
        letters.setdefault((organisation_id, user_id), []).append(key)
    taken = [key for keys in letters.values() for key in keys]
    Notice.objects.filter(pk__in=taken).update(mailed_at=now)
    for (organisation_id, user_id), keys in letters.items():
        enqueue(
            send_letter,
            organisation_id,
            user_id,
            keys,
            new_id(),
            organisation_id=organisation_id,
            on_complete=letter_over,
            context={"notices": [str(key) for key in keys]},
        )
    return len(letters)


@step(
    name="flows_app.send_letter",
    pool=POOL,
    timeout=120.0,
    retry=Retry(attempts=8, initial=30.0, base=3.0),
)
async def send_letter(organisation_id: UUID, user_id: UUID, notices: list[UUID], key: UUID) -> bool:
    """Whether there was anything left to send. Raises what may pass, NonRetryable for the rest."""
    letter = await in_thread(compose, organisation_id, user_id, notices, key)
    if letter is None:
        return False
    await asyncio.to_thread(_deliver, letter)
    return True


@step(name="flows_app.letter_over", kind="transaction")
def letter_over(result: Result, context: dict[str, Any]) -> None:
    """What could not be sent was not mailed; nobody tries again."""
    if result.kind != "success":
        logger.warning("a letter was not sent: %s", result.error_kind or result.kind)
        rows = Notice.objects.filter(pk__in=[UUID(key) for key in context["notices"]])
        rows.update(mailed_at=None, mail_at=None)


def compose(organisation_id: UUID, user_id: UUID, notices: list[UUID], key: UUID) -> Letter | None:
    """The letter; None where the person has left, or has seen all of it meanwhile."""
    wish = wishes_of(organisation_id, [user_id]).get(user_id)
    rows = list(
        Notice.objects.filter(pk__in=notices, organisation_id=organisation_id, read_at=None)
        .select_related("organisation")
        .order_by("created_at", "pk")
    )
    if wish is None or not rows:
        return None
    organisation = rows[0].organisation.name
    first = rows[0].text if len(rows) == 1 else f"{len(rows)} things for you in {organisation}"
    address = settings.ONE_URL.rstrip("/")
    context = {
        "name": wish.user.display_name,
        "organisation": organisation,
        "notices": rows[:SHOWN],
        "more": len(rows) - SHOWN,
        "address": address,
    }
    page = f"/lessons/notices/{rows[0].pk}/" if len(rows) == 1 else "/lessons/notices/"
    return Letter(
        key=key,
        organisation_id=organisation_id,
        user_id=user_id,
        # Names may hold anything; a header is one line.
        to=formataddr((clean_line(wish.user.display_name, 120), wish.user.email)),
        subject=clean_line(first, 160),
        text=render_to_string("lessons/mail/notices.txt", context),
        url=f"{address}{page}",
    )


def _deliver(letter: Letter) -> None:
    try:
        if not any(channel(letter) for channel in _channels.values()):
            _mail(letter)
    finally:
        connections.close_all()


def _mail(letter: Letter) -> None:
    address = settings.ONE_URL.rstrip("/")
    message = EmailMessage(
        subject=letter.subject,
        body=letter.text,
        to=[letter.to],
        headers={
            "Message-ID": f"<{letter.key}@{urlsplit(address).hostname or 'localhost'}>",
            "List-Unsubscribe": f"<{address}/lessons/wishes/>",
            "Auto-Submitted": "auto-generated",
        },
    )
    try:
        message.send()
    except SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        if all(code >= 500 for code in codes):
            raise NonRetryable("The address was refused.") from error
        raise
