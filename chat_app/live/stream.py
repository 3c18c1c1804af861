"""One streaming answer, as its worker holds it: text in, numbered records out."""

from uuid import UUID

from chat_app.live import records
from chat_app.models import Turn
from one_project.common.markdown import StreamRenderer
from one_project.common.text import clean_text


class TurnStream:
    """Collects deltas between flushes; ``flush`` renders them once for all viewers.

    ``text`` and ``number`` always belong together: what has been rendered, and the number of the
    last record that says so. A checkpoint stores both.
    """

    def __init__(self, turn: Turn) -> None:
        self.turn_id: UUID = turn.pk
        self.thread_id: UUID = turn.thread_id
        self.attempt = turn.attempt
        self.position = turn.message.position
        self.channel = records.thread_channel(turn.thread_id)
        self.replay = records.replay_key(turn.pk, turn.attempt)
        self.number = 0
        self._renderer = StreamRenderer()
        self._waiting: list[str] = []
        self._begin = True

    @property
    def text(self) -> str:
        return self._renderer.text

    @property
    def has_begun(self) -> bool:
        return self.number > 0

    def add(self, text: str) -> None:
        self._waiting.append(text)

    def restart(self) -> None:
        """The model is asked again: what arrived so far is replaced."""
        self._renderer = StreamRenderer()
        self._waiting.clear()
        self._begin = True

    def flush(self) -> bytes:
        """Records for what has been added since the last flush, or nothing."""
        text = clean_text("".join(self._waiting))
        self._waiting.clear()
        if not text:
            return b""
        made = self._renderer.feed(text)
        if self._begin:
            # The first record replaces whatever an earlier attempt left on the page.
            self._begin = False
            return self._record("r", self._renderer.snapshot())
        return records.SEPARATOR.join(self._record(kind, body) for kind, body in made)

    def snapshot(self) -> bytes:
        """One record that replaces the whole body (after the connection to Redis was lost)."""
        return self._record("r", self._renderer.snapshot())

    def _record(self, kind: str, body: str) -> bytes:
        self.number += 1
        return records.streaming(kind, self.position, self.attempt, self.number, body)
