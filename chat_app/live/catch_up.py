"""What a viewer missed: durable changes from Postgres, records of open answers from the replay.

Reads only. A viewer names the last number it has; the answer brings it to now, or to the last
checkpoint where Redis has lost the records in between.
"""

from dataclasses import dataclass
from uuid import UUID

from chat_app.live import records
from chat_app.live.announce import render_changes
from chat_app.models import Canvas, Message, Thread, Turn, TurnStatus
from one_project.common.markdown import StreamRenderer

# A viewer this far behind loads the page again: cheaper for both sides.
MAX_CHANGES = 200


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """A running turn's checkpoint: the text so far and the number of its last record."""

    turn_id: UUID
    position: str
    attempt: int
    partial: str
    partial_seq: int

    def snapshot(self) -> bytes:
        """The record that replaces the body with the checkpoint."""
        html = StreamRenderer.resume(self.partial).snapshot()
        return records.streaming("r", self.position, self.attempt, self.partial_seq, html)

    @property
    def replay(self) -> str:
        return records.replay_key(self.turn_id, self.attempt)


@dataclass(frozen=True, slots=True)
class Missed:
    """``seq`` now, the durable record to send (or nothing), and the answers being written."""

    seq: int
    record: bytes
    answers: list[OpenAnswer]


def missed_since(thread_id: UUID, seq: int) -> Missed | None:
    """What changed after ``seq``; None when the thread is gone."""
    thread = Thread.objects.present().filter(pk=thread_id).first()
    if thread is None:
        return None
    record = b""
    if seq < thread.seq:
        ids = list(
            Message.objects.filter(thread_id=thread_id, seq__gt=seq)
            .in_order()
            .values_list("pk", flat=True)[: MAX_CHANGES + 1]
        )
        if len(ids) > MAX_CHANGES:
            return Missed(thread.seq, records.RELOAD, [])
        written = thread.has_canvas and Canvas.objects.filter(thread=thread, seq__gt=seq).exists()
        html = render_changes(thread_id, ids, title=thread.title_seq > seq, canvas=written)
        record = records.durable(thread.seq, seq, html)
    return Missed(thread.seq, record, open_answers([thread_id]).get(thread_id, []))


def open_answers(thread_ids: list[UUID]) -> dict[UUID, list[OpenAnswer]]:
    """The running turns of threads that have said something, by thread."""
    turns = Turn.objects.filter(
        thread_id__in=thread_ids, status=TurnStatus.RUNNING, partial_seq__gt=0
    ).select_related("message")
    found: dict[UUID, list[OpenAnswer]] = {}
    for turn in turns:
        found.setdefault(turn.thread_id, []).append(
            OpenAnswer(turn.pk, turn.message.position, turn.attempt, turn.partial, turn.partial_seq)
        )
    return found


def thread_seqs(thread_ids: list[UUID]) -> dict[UUID, int]:
    """The number of the last durable change of each thread that is still there."""
    return dict(Thread.objects.present().filter(pk__in=thread_ids).values_list("pk", "seq"))


def replay_records(
    entries: list[tuple[bytes, dict[bytes, bytes]]], answer: OpenAnswer, known: int
) -> bytes:
    """Records after ``known`` out of the replay's entries, else the checkpoint and what follows.

    Entries are whole flushes; the first may begin at or before ``known`` (viewers drop what they
    have). A hole between ``known`` and the first entry is bridged by the checkpoint.
    """
    payloads = [(int(key.split(b"-")[0]), fields[b"p"]) for key, fields in entries]
    following = [(last, body) for last, body in payloads if last > known]
    if following and _first_number(following[0][1]) <= known + 1:
        return records.SEPARATOR.join(body for _, body in following)
    if following and following[0][1].startswith(b"r "):
        return records.SEPARATOR.join(body for _, body in following)
    if answer.partial_seq <= known:
        return b""
    later = [body for last, body in payloads if last > answer.partial_seq]
    return records.SEPARATOR.join([answer.snapshot(), *later])


def _first_number(payload: bytes) -> int:
    header = payload[: payload.index(b"\n")]
    return int(header.rsplit(b" ", 1)[1])
