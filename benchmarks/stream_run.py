"""One measured run: so many threads, each asked one question, each watched by so many pages."""

import asyncio
import gc
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from benchmarks import processes
from benchmarks.http_client import HttpClient
from benchmarks.options import percentile
from benchmarks.paced_server import FIRST_TOKEN
from benchmarks.people import Room
from benchmarks.socket_clients import STAMPED, Viewer, connect_all
from benchmarks.stack import Stack, in_thread

QUESTION = "Please count."
PATIENCE = 40.0  # seconds beyond the model's own time


@dataclass(slots=True, kw_only=True)
class Run:
    """What was asked for and what was seen. Times in milliseconds unless the name says else."""

    server: str
    streams: int
    viewers: int
    tokens: int
    lags: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    incomplete: int = 0
    wrong: int = 0
    gaps: int = 0
    refused: int = 0
    restarted: int = 0
    cpu: dict[str, float] = field(default_factory=dict)
    streaming_cpu: float = 0.0
    streaming_tokens: float = 0.0
    rss_mib: dict[str, float] = field(default_factory=dict)
    text_bytes: int = 0
    payload_bytes: int = 0
    wire_bytes: int = 0
    frames: int = 0
    deflated: bool = False
    checkpoints: float = 0.0
    seconds: float = 0.0
    load_cores: float = 0.0
    others_cores: float = 0.0

    @property
    def pages(self) -> int:
        return (self.streams - self.refused) * self.viewers

    def per_thousand(self, *groups: str) -> float:
        """CPU milliseconds of the groups (default all) per 1,000 tokens of answers."""
        spent = sum(self.cpu.get(name, 0.0) for name in groups or tuple(self.cpu))
        return spent * 1e6 / max((self.streams - self.refused) * self.tokens, 1)

    @property
    def streaming(self) -> float | None:
        """As ``per_thousand``, of the time in which all answers stream and nothing else happens."""
        return self.streaming_cpu * 1e6 / self.streaming_tokens if self.streaming_tokens else None

    def figures(self) -> dict[str, Any]:
        """For the JSON line."""
        pages = max(self.pages, 1)
        text = max(self.text_bytes, 1)
        return {
            "server": self.server,
            "streams": self.streams,
            "viewers": self.viewers,
            "first_added_p50_ms": percentile(self.first, 0.5),
            "first_added_p99_ms": percentile(self.first, 0.99),
            "lag_p50_ms": percentile(self.lags, 0.5),
            "lag_p99_ms": percentile(self.lags, 0.99),
            "incomplete": self.incomplete,
            "wrong": self.wrong,
            "gaps": self.gaps,
            "refused": self.refused,
            "restarted": self.restarted,
            "cpu_ms_per_1000": {"all": self.per_thousand()}
            | {name: self.per_thousand(name) for name in self.cpu},
            "cpu_ms_per_1000_streaming": self.streaming,
            "app_core_share": sum(self.cpu.values()) / max(self.seconds, 0.001),
            "load_core_share": self.load_cores,
            "other_programs_cores": self.others_cores,
            "bytes_per_answer": self.payload_bytes / pages,
            "wire_bytes_per_answer": self.wire_bytes / pages,
            "deflated": self.deflated,
            "payload_to_text": self.payload_bytes / pages / text,
            "wire_to_text": self.wire_bytes / pages / text,
            "frames_per_page": self.frames / pages,
            "checkpoints_per_turn_s": self.checkpoints,
            "rss_mib": self.rss_mib,
        }


class Costs:
    """What processes and machine spent from here on."""

    def __init__(self, stack: Stack, groups: dict[str, int]) -> None:
        self._stack, self._groups = stack, groups
        self._begun = time.monotonic()
        self._machine = processes.MachineLoad()
        self._app = {name: processes.cpu_seconds(pid) for name, pid in groups.items()}
        self._load = self._load_seconds()

    def _load_seconds(self) -> float:
        model = self._stack.model.pid if self._stack.model else 0
        return time.process_time() + processes.cpu_seconds(model)

    def _app_seconds(self) -> float:
        return sum(processes.cpu_seconds(pid) for pid in self._groups.values())

    async def note_streaming(self, run: Run, rate: int, *, spread: float) -> None:
        """Measure between the last first token and the first last one, with some room."""
        end = self._begun + FIRST_TOKEN + run.tokens / rate - 0.3
        await asyncio.sleep(self._begun + spread + 1.0 - time.monotonic())
        before, since = self._app_seconds(), time.monotonic()
        if end - since > 1.0:
            await asyncio.sleep(end - since)
            run.streaming_cpu = self._app_seconds() - before
            run.streaming_tokens = (time.monotonic() - since) * rate * run.streams

    def note(self, run: Run) -> None:
        run.seconds = time.monotonic() - self._begun
        run.cpu = {
            name: processes.cpu_seconds(pid) - self._app[name] for name, pid in self._groups.items()
        }
        run.load_cores = (self._load_seconds() - self._load) / run.seconds
        ours = sum(run.cpu.values()) / run.seconds + run.load_cores
        run.others_cores = max(self._machine.cores() - ours, 0.0)
        run.rss_mib = {name: processes.rss_mib(pid) for name, pid in self._groups.items()}


async def measure(
    stack: Stack, rooms: list[Room], tokens: int, rate: int, *, spread: float, deflate: bool
) -> Run:
    """Ask in every room within ``spread`` seconds, watch until all is said or patience ends."""
    viewers = [
        Viewer(stack.host, room, person, deflate=deflate)
        for room in rooms
        for person in room.people
    ]
    run = Run(
        server=stack.server,
        streams=len(rooms),
        viewers=len(rooms[0].people),
        tokens=tokens,
    )
    await connect_all(viewers)
    posters = [HttpClient(stack.host, room.people[0]) for room in rooms]
    await asyncio.gather(*(poster.connect() for poster in posters))
    await asyncio.sleep(1.2)  # Postgres reports its counts within a second
    before = [(v.socket.payload_bytes, v.socket.wire_bytes) for v in viewers if v.socket]
    writes = await in_thread(turn_writes)()
    gc.collect()
    gc.freeze()
    costs = Costs(stack, stack.pids())
    between = asyncio.create_task(costs.note_streaming(run, rate, spread=spread))
    asked = await _ask_all(run, posters, {v.person: v for v in viewers}, rooms, spread)
    watched = [viewer for viewer in viewers if viewer.room.thread_id in asked]
    await _until_ended(watched, time.monotonic() + tokens / rate + PATIENCE)
    costs.note(run)
    await between
    gc.unfreeze()
    for viewer, (payload, wire) in zip(viewers, before, strict=True):
        if viewer in watched:
            _count(run, viewer, payload, wire)
    for room in rooms:
        first = next(v for v in viewers if v.room is room).meter.first_at
        if first and room.thread_id in asked:
            run.first.append((first - asked[room.thread_id] - FIRST_TOKEN) * 1000)
    await asyncio.sleep(1.2)
    written = await in_thread(turn_writes)() - writes
    # Beyond being claimed and being finished, a turn's row is written by checkpoints only.
    run.checkpoints = (written / max(len(asked), 1) - 2) / (tokens / rate + FIRST_TOKEN)
    await in_thread(check_stored)(run, rooms, watched)
    for end in (*viewers, *posters):
        end.close()
    return run


async def warm_up(stack: Stack, rooms: list[Room]) -> None:
    """Ask for short answers: first requests also import, compile templates and connect."""
    viewers = [Viewer(stack.host, room, room.people[0], metered=False) for room in rooms]
    await connect_all(viewers)
    for viewer in viewers:
        poster = HttpClient(stack.host, viewer.person)
        fields = {"text": "script 1 10", "client_key": str(uuid4())}
        await poster.post(f"/chat/{viewer.room.thread_id}/messages/", fields)
        poster.close()
    await _until_ended(viewers, time.monotonic() + PATIENCE)
    for viewer in viewers:
        viewer.close()


async def _ask_all(
    run: Run,
    posters: list[HttpClient],
    pages: dict[Any, Viewer],
    rooms: list[Room],
    spread: float,
) -> dict[str, float]:
    """Post all questions, spread evenly; returns when each was sent (monotonic seconds).

    Those the server refused are counted and left out: nobody waits for their answers.
    """
    asked: dict[str, float] = {}
    begun = time.monotonic()

    async def ask(place: int, room: Room, poster: HttpClient) -> None:
        await asyncio.sleep(begun + place * spread / len(rooms) - time.monotonic())
        asked[room.thread_id] = time.monotonic()
        fields = {"text": QUESTION, "client_key": str(uuid4())}
        try:
            answer = await poster.post(f"/chat/{room.thread_id}/messages/", fields)
        except (OSError, TimeoutError):
            answer = None
        if answer is None or answer.status != 200:
            run.refused += 1
            del asked[room.thread_id]
        else:
            pages[poster.person].page.upsert(answer.body.decode())

    pairs = zip(rooms, posters, strict=True)
    await asyncio.gather(*(ask(place, *pair) for place, pair in enumerate(pairs)))
    return asked


async def _until_ended(viewers: list[Viewer], until: float) -> None:
    while time.monotonic() < until:
        if all(_ended(viewer) for viewer in viewers):
            return
        await asyncio.sleep(0.05)


def _ended(viewer: Viewer) -> bool:
    return any(a.kind == "agent" and a.is_final for a in viewer.page.articles.values())


def _count(run: Run, viewer: Viewer, payload: int, wire: int) -> None:
    run.lags.extend(viewer.meter.lags)
    run.incomplete += viewer.meter.next != run.tokens
    run.wrong += viewer.meter.disorder > 0
    run.gaps += viewer.page.gaps
    run.restarted += viewer.meter.restarts > 0
    if viewer.socket:
        run.frames += viewer.socket.messages
        run.payload_bytes += viewer.socket.payload_bytes - payload
        run.wire_bytes += viewer.socket.wire_bytes - wire
        run.deflated = viewer.socket.deflated


def turn_writes() -> int:
    """Row versions written to the table of turns so far."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'chat_app_turn'")
        (found,) = cursor.fetchone()
    return int(found)


def check_stored(run: Run, rooms: list[Room], viewers: list[Viewer]) -> None:
    """What every page shows at the end must be what is stored, token for token."""
    from chat_app.models import Message

    ids = [room.thread_id for room in rooms]
    stored = dict(
        Message.objects.filter(thread_id__in=ids, kind="agent").values_list("thread_id", "text")
    )
    whole = list(range(run.tokens))
    for viewer in viewers:
        text = stored.get(_uuid(viewer.room.thread_id), "")
        run.text_bytes = max(run.text_bytes, len(text.encode()))
        numbers = [int(place, 36) for place, _ in STAMPED.findall(text)]
        shown = next((a.text for a in viewer.page.articles.values() if a.kind == "agent"), "")
        if numbers != whole or " ".join(text.split()) != shown:
            run.wrong += 1


def _uuid(value: str) -> Any:
    from one_project.common.ids import parse_id

    return parse_id(value)
