"""``make bench-stream``: how many answers stream at once, how late, and what they cost.

STREAMS (several numbers of threads), TOKENS of an answer, RATE (tokens/s of a stream), VIEWERS
(pages open on each thread), SPREAD (seconds within which all questions are asked), SERVER (daphne,
uvicorn or both), DEFLATE (1: the pages offer compression as browsers do), PRIORITY (1: run before
the machine's other programs, as root).
"""

import asyncio
import gc
import sys
import time
from dataclasses import dataclass

import uvloop

from benchmarks import options, processes, stream_report
from benchmarks.people import make_organisation, make_rooms
from benchmarks.socket_clients import CONNECT_AT_ONCE, Meter
from benchmarks.stack import SERVERS, Stack, running_stack
from benchmarks.stream_run import PATIENCE, Costs, Run, measure, warm_up
from benchmarks.websocket import WebSocket

FAN_OUT = 50
WARM_UP = 10  # answers


@dataclass(frozen=True)
class Options:
    """See the module's text."""

    streams: list[int]
    tokens: int
    rate: int
    viewers: int
    servers: tuple[str, ...]
    spread: float
    deflate: bool

    @classmethod
    def read(cls) -> "Options":
        server = options.choice("SERVER", "both", [*SERVERS, "both"])
        return cls(
            streams=options.numbers("STREAMS", "1 50 200 500", most=2000),
            tokens=options.number("TOKENS", 400, most=10_000),
            rate=options.number("RATE", 50, most=1000),
            viewers=options.number("VIEWERS", 1, most=500),
            servers=SERVERS if server == "both" else (server,),
            spread=float(options.number("SPREAD", 2, most=600)),
            deflate=options.choice("DEFLATE", "1", ["0", "1"]) == "1",
        )


def run_all(given: Options, stack: Stack) -> tuple[list[Run], list[Run]]:
    """All runs of the stack and of the bare relay."""
    organisation = make_organisation("bench")
    runs: list[Run] = []
    sizes = [(streams, given.viewers) for streams in given.streams]
    # The price of one more page is the difference between these two.
    fan_out = [(1, 1), (1, FAN_OUT)]
    for server in given.servers:
        for streams, viewers in [*sizes, *(pair for pair in fan_out if pair not in sizes)]:
            rooms = make_rooms(organisation, streams, viewers)
            stack.start_application(server)
            options.say(f"{server}: {streams} streams, {viewers} pages on each ...")
            with processes.placed(stack.load_core, first=stack.first):
                uvloop.run(warm_up(stack, make_rooms(organisation, WARM_UP)))
                watching = measure(
                    stack,
                    rooms,
                    given.tokens,
                    given.rate,
                    spread=given.spread,
                    deflate=given.deflate,
                )
                run = uvloop.run(watching)
            options.say("  " + stream_report.short(run))
            runs.append(run)
    stack.stop_application()
    relays = [relay_run(given, stack, streams) for streams in given.streams]
    return runs, relays


def relay_run(given: Options, stack: Stack, streams: int) -> Run:
    """The same load on ``benchmarks.relay``."""
    options.say(f"bare relay: {streams} streams ...")
    command = [sys.executable, "-m", "benchmarks.relay", str(stack.web_port)]
    with processes.placed(stack.app_core, first=stack.first):
        relay = processes.start(
            [*command, str(stack.model_port)], stack.environment, stack.folder / "relay.log"
        )
    run = Run(server="relay", streams=streams, viewers=1, tokens=given.tokens)
    try:
        with processes.placed(stack.load_core, first=stack.first):
            uvloop.run(_watch_relay(run, stack, relay.pid, given))
    finally:
        processes.stop(relay)
    options.say("  " + stream_report.short(run))
    return run


async def _watch_relay(run: Run, stack: Stack, pid: int, given: Options) -> None:
    meters = [Meter() for _ in range(run.streams)]
    over = [asyncio.Event() for _ in meters]

    def listen(place: int) -> WebSocket:
        def receive(data: bytes) -> None:
            meters[place].now_us = time.monotonic_ns() // 1000
            meters[place].read("d", data.decode())
            if data == b"done":
                over[place].set()

        return WebSocket(receive)

    await _until_listening(stack)
    sockets = [listen(place) for place in range(run.streams)]
    gate = asyncio.Semaphore(CONNECT_AT_ONCE)

    async def connect(socket: WebSocket) -> None:
        async with gate:
            await socket.open(stack.host, "/")

    await asyncio.gather(*(connect(socket) for socket in sockets))
    gc.collect()
    costs = Costs(stack, {"relay": pid})
    between = asyncio.create_task(costs.note_streaming(run, given.rate, spread=given.spread))
    for socket in sockets:
        socket.send(b"")
        await asyncio.sleep(given.spread / len(sockets))
    try:
        async with asyncio.timeout(given.tokens / given.rate + PATIENCE):
            await asyncio.gather(*(event.wait() for event in over))
    except TimeoutError:
        pass
    costs.note(run)
    await between
    for meter, socket in zip(meters, sockets, strict=True):
        run.lags.extend(meter.lags)
        run.incomplete += meter.next != run.tokens
        run.wrong += meter.disorder > 0
        run.payload_bytes += socket.payload_bytes
        run.wire_bytes += socket.wire_bytes
        run.frames += socket.messages
        socket.close()


async def _until_listening(stack: Stack) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", stack.web_port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError("the relay does not listen")


def main() -> None:
    given = Options.read()
    model = ["--tokens", str(given.tokens), "--rate", str(given.rate)]
    options.say("Starting Postgres, Redis and the paced model server ...")
    with running_stack(model) as stack:
        options.say(
            f"Core {stack.app_core}: web, worker, Redis, Postgres. "
            f"Core {stack.load_core}: {given.tokens} tokens at {given.rate}/s a stream, pages."
        )
        runs, relays = run_all(given, stack)
    stream_report.show(runs, relays)


if __name__ == "__main__":
    main()
