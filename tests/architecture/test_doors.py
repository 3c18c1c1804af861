"""Nothing opens a connection to the outside but the doors (see also the contracts of imports)."""

import re

from tests.architecture.test_house_rules import OURS, ROOT, tracked

# What makes a connection or a client that makes its own, by the modules that may.
MAKERS = {
    r"\burllib\.request\b|\burlopen\(|\bhttp\.client\b|\bftplib\b|\btelnetlib\b": {
        "one_project/run.py",  # looks at this installation itself
    },
    r"\bcreate_connection\(|\bopen_connection\(|\.sock_connect\(|\bsocket\.socket\(": {
        "integrations_app/providers/deadlines.py",
        "one_project/common/redis_link.py",
        "one_project/embedded/data_dir.py",
        "one_project/embedded/redis.py",
    },
    r"\b(?:httpx2|httpx)\.(?:Async)?Client\(|\bhttpx2\.(?:get|post|put|request|stream)\(": {
        "integrations_app/providers/guarded.py",
    },
    r"\brequests\.(?:get|post|put|patch|delete|head|request|[Ss]ession)\(": set(),
    r"\baiohttp\.(?:ClientSession|TCPConnector|request)\(": {
        "integrations_app/providers/aio_session.py",
    },
    r"\bsmtplib\.SMTP(?:_SSL)?\(": set(),
    r"\bimport httpx$|\bfrom httpx import|\bwebsockets\.connect\(": set(),
    # Clients of others that would make their own session.
    r"\bAsyncWebClient\((?!\s*$)": set(),
    r"\bWebClient\(token|\bWebhookClient\(": set(),
    r"\bwebpush\(": set(),
    r"\bcreate_mcp_http_client\(|\bsse_client\(": set(),
}


def found(text: str, name: str) -> list[str]:
    """The lines of a module that open what it may not."""
    lines = [(at, line.partition("#")[0]) for at, line in enumerate(text.splitlines(), 1)]
    return [
        f"{name}:{at}: {line.strip()}"
        for at, line in lines
        for maker, allowed in MAKERS.items()
        if name not in allowed and re.search(maker, line)
    ]


def test_only_the_doors_open_connections() -> None:
    opened = []
    for path in tracked(".py"):
        name = str(path.relative_to(ROOT))
        if name.startswith(tuple(f"{app}/" for app in OURS)):
            opened += found(path.read_text(), name)
    assert opened == []


def test_an_opened_connection_is_seen() -> None:
    for line in (
        "urllib.request.urlopen(url)", "requests.post(url)", "session = requests.Session()",
        "httpx2.AsyncClient()", "aiohttp.ClientSession()", "smtplib.SMTP(host)",
        "socket.create_connection((host, 25))", "import httpx", "webpush(subscription)",
    ):  # fmt: skip
        assert found(line, "chat_app/services/x.py"), line
    assert found("socket.create_connection(x)", "integrations_app/providers/deadlines.py") == []
