"""The least that could relay an answer: model server in, WebSocket out, nothing in between.

One asyncio process without a framework, a database, HTML, accounts or a second process. Whatever
our stack costs is compared with this. ``python -m benchmarks.relay PORT MODEL_PORT``.
"""

import argparse
import asyncio
import base64
import hashlib

import orjson
import uvloop

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
BODY = b'{"model":"paced","stream":true,"messages":[{"role":"user","content":"Hello"}]}'


def frame(data: bytes) -> bytes:
    """An unmasked text frame."""
    size = len(data)
    head = b"\x81" + (bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big"))
    return head + data


async def relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, model_port: int
) -> None:
    """Take the handshake; the first message asks the model, whose tokens are passed on."""
    head = await reader.readuntil(b"\r\n\r\n")
    key = next(
        line.split(b":", 1)[1].strip()
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key:")
    )
    accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    await reader.readexactly(6)  # a message of no more than its head: start
    model, ask = await asyncio.open_connection("127.0.0.1", model_port)
    ask.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: model\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    )
    await model.readuntil(b"\r\n\r\n")
    while True:
        line = await model.readuntil(b"\n")
        if not line.startswith(b"data: "):
            continue
        if line.startswith(b"data: [DONE]"):
            break
        choices = orjson.loads(line[6:])["choices"]
        if choices and (content := choices[0]["delta"].get("content")):
            writer.write(frame(content.encode()))
    writer.write(frame(b"done"))
    await writer.drain()
    ask.close()
    await reader.read()
    writer.close()


async def serve(port: int, model_port: int) -> None:
    """Serve on loopback until ended."""
    server = await asyncio.start_server(
        lambda reader, writer: relay(reader, writer, model_port), "127.0.0.1", port
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("model_port", type=int)
    given = parser.parse_args()
    uvloop.run(serve(given.port, given.model_port))


if __name__ == "__main__":
    main()
