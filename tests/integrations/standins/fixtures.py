"""Fixtures: servers that stand in for those of others, started when first asked for.

Each gives the address of its server, without a slash at the end; in
``settings.ONE_PROVIDER_URLS`` it sends a provider there.
"""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.integrations.standins import running
from tests.integrations.standins.faulty import FaultyServer, running_faulty_server


@pytest.fixture(scope="session")
def prism() -> Iterator[str]:
    """The interfaces of Slack, Twilio and others as they describe them, all at one address."""
    with running.mocks() as url:
        yield url


@pytest.fixture(scope="session")
def prism_slack(prism: str) -> str:
    """Slack's methods are at ``/api/``."""
    return prism


@pytest.fixture(scope="session")
def prism_twilio(prism: str) -> str:
    """Messages are at ``/2010-04-01/Accounts/SID/Messages.json``."""
    return prism


@pytest.fixture(scope="session")
def prism_sendgrid(prism: str) -> str:
    """At ``/v3``."""
    return prism


@pytest.fixture(scope="session")
def prism_notion(prism: str) -> str:
    """At ``/v1``."""
    return prism


@pytest.fixture(scope="session")
def prism_discord(prism: str) -> str:
    """Webhooks are at ``/api/v10/webhooks/ID/TOKEN``."""
    return prism


@pytest.fixture(scope="session")
def prism_telegram(prism: str) -> str:
    """Methods are at ``/botTOKEN/``."""
    return prism


@pytest.fixture(scope="session")
def prism_drive(prism: str) -> str:
    """At ``/drive/v3``."""
    return prism


@pytest.fixture(scope="session")
def oauth_server() -> Iterator[str]:
    """``/authorize``, ``/token``, ``/revoke``, ``/jwks``, ``/.well-known/openid-configuration``."""
    port = running.free_port()
    command = str(running.MODULES / "oauth2-mock-server/dist/oauth2-mock-server.mjs")
    with running.running(command, "-a", "127.0.0.1", "-p", str(port), port=port) as url:
        yield url


@pytest.fixture(scope="session")
def push_service() -> Iterator[str]:
    """A service of web push: POST /subscribe, /notify/ID, /get-notifications,
    /expire-subscription/ID."""
    port = running.free_port()
    command = str(running.MODULES / "web-push-testing/src/bin/server.js")
    with running.running(command, str(port), port=port) as url:
        yield url


@pytest.fixture(scope="session")
def mcp_everything_http() -> Iterator[str]:
    """The reference server of MCP over streamable HTTP: the address of its ``/mcp``."""
    port = running.free_port()
    command = str(running.MODULES / "@modelcontextprotocol/server-everything/dist/index.js")
    with running.running(command, "streamableHttp", port=port, PORT=str(port)) as url:
        yield f"{url}/mcp"


@pytest.fixture(scope="session")
def mcp_everything_stdio_command() -> list[str]:
    """The same over stdio: the command and its arguments."""
    command = running.MODULES / "@modelcontextprotocol/server-everything/dist/index.js"
    return [running.node(), str(command), "stdio"]


@pytest_asyncio.fixture
async def faulty_server() -> AsyncIterator[FaultyServer]:
    """Does what the test has told it, answer by answer."""
    async with running_faulty_server() as server:
        yield server
