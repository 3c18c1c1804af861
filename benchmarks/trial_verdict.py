"""What the database says when all is over: every accepted question, its answers, its page."""

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from benchmarks.page_view import Page
from benchmarks.trial_seats import Asked, Seat, expected


@dataclass(slots=True)
class Verdict:
    """Counts of turns; ``differing`` counts pages that do not show what is stored."""

    turns: int = 0
    refused: int = 0
    lost: int = 0
    doubled: int = 0
    stuck: int = 0
    failed: int = 0
    differing: int = 0


def wait_until_closed(patience: float) -> int:
    """Wait until no turn is open, at most ``patience`` seconds; returns how many still are."""
    from django.db import DatabaseError, connection

    from chat_app.models import Turn

    until = time.monotonic() + patience
    while True:
        try:
            still = Turn.objects.open().count()
        except DatabaseError:
            connection.close()
            still = -1
        if still == 0 or time.monotonic() > until:
            return still
        time.sleep(0.25)


def judge(seats: list[Seat]) -> Verdict:
    """Compare what was accepted with what is stored."""
    verdict = Verdict()
    for seat in seats:
        rows = _rows(seat.room.thread_id)
        answers: dict[int, list[dict[str, Any]]] = defaultdict(list)
        questions: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            if row["kind"] == "agent":
                answers[row["order"]].append(row)
            else:
                questions[str(row["client_key"])].append(row)
        for asked in seat.asked:
            _judge_one(verdict, asked, questions[str(asked.key)], answers)
        strangers = set(questions) - {str(asked.key) for asked in seat.asked}
        verdict.doubled += len(strangers)
    return verdict


def _judge_one(
    verdict: Verdict,
    asked: Asked,
    questions: list[dict[str, Any]],
    answers: dict[int, list[dict[str, Any]]],
) -> None:
    if not asked.accepted and not questions:
        verdict.refused += 1
        return
    verdict.turns += 1
    if not questions:
        verdict.lost += 1
        return
    given = answers[questions[0]["order"]]
    if len(questions) > 1 or len(given) > 1:
        verdict.doubled += 1
    elif not given:
        verdict.lost += 1
    elif given[0]["status"] == "pending":
        verdict.stuck += 1
    elif given[0]["status"] == "failed":
        verdict.failed += 1
    elif " ".join(given[0]["text"].split()) != expected(asked.text):
        verdict.lost += 1


def pages_differ(seats: list[Seat]) -> int:
    """How many pages show something else than their thread's rows."""
    return sum(not _equal(seat.viewer.page, _rows(seat.room.thread_id)) for seat in seats)


def _equal(page: Page, rows: list[dict[str, Any]]) -> bool:
    shown = {a.key: (a.status, a.text) for a in page.articles.values()}
    stored = {str(row["pk"]): (row["status"], " ".join(row["text"].split())) for row in rows}
    return shown == stored


def _rows(thread_id: str) -> list[dict[str, Any]]:
    from chat_app.models import Message

    return list(
        Message.objects.filter(thread_id=thread_id, superseded_by=None)
        .order_by("order", "step_order")
        .values("pk", "kind", "status", "order", "text", "client_key")
    )
