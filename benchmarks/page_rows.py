"""Long threads and long lists of threads, made directly as rows."""

from datetime import timedelta
from typing import TYPE_CHECKING

from benchmarks.people import Person, Room, make_user, sign_in

if TYPE_CHECKING:
    from one_project.accounts.models import Organisation

BATCH = 5_000
ANSWER = """Answer {number} has a **list** and a little `code`:

- the first point is about number {number}
- the second one has a [link](https://one.test/{number})

```python
def answer_{number}(value: int) -> int:
    return value + {number}
```
"""


def long_thread(organisation: "Organisation", count: int) -> Room:
    """A thread of ``count`` messages, questions and answers in turn."""
    from agents_app.models import Agent
    from agents_app.providers.parts import TextPart
    from chat_app.models import Message, MessageKind, Thread
    from chat_app.services.threads import create_thread

    user, agent = make_user(organisation), Agent.objects.get(organisation=organisation)
    thread = create_thread(organisation, user=user, agent=agent, title=f"{count} messages")

    def message(number: int) -> Message:
        asks = number % 2 == 0
        text = f"Question number {number}?" if asks else ANSWER.format(number=number)
        return Message(
            organisation=organisation,
            thread=thread,
            order=number // 2,
            step_order=number % 2,
            kind=MessageKind.USER if asks else MessageKind.AGENT,
            author=user if asks else None,
            agent=None if asks else agent,
            author_name="Viewer" if asks else agent.name,
            content=[TextPart(text).to_json()],
            text=text,
            seq=number + 1,
        )

    for begin in range(0, count, BATCH):
        Message.objects.bulk_create(map(message, range(begin, min(begin + BATCH, count))))
    Thread.objects.filter(pk=thread.pk).update(seq=count, message_seq=count)
    return Room(str(thread.pk), count, (sign_in(user),))


def many_threads(organisation: "Organisation", count: int) -> Person:
    """Somebody with ``count`` threads, the newest of today, each an hour older than the next."""
    from django.utils import timezone

    from agents_app.models import Agent
    from chat_app.models import Thread, ThreadParticipant

    user, agent = make_user(organisation), Agent.objects.get(organisation=organisation)
    now = timezone.now()
    for begin in range(0, count, BATCH):
        threads = Thread.objects.bulk_create(
            Thread(
                organisation=organisation,
                created_by=user,
                agent=agent,
                title=f"Thread {number} about subject {number % 97}",
                last_message=f"The last word of thread {number}",
                last_activity_at=now - timedelta(hours=number),
                seq=2,
                message_seq=2,
            )
            for number in range(begin, min(begin + BATCH, count))
        )
        ThreadParticipant.objects.bulk_create(
            ThreadParticipant(thread=thread, user=user) for thread in threads
        )
    return sign_in(user)


def analyse() -> None:
    """Have the planner know the new rows, as autovacuum would soon."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
