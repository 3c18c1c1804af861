"""The door for libraries that take a session of aiohttp (slack-sdk).

As ``guarded``: each connection goes to an address that was checked, also one that is written as a
number, which aiohttp does not ask its resolver about.
"""

import socket
from typing import Any

import aiohttp
from aiohttp.abc import ResolveResult

from integrations_app.providers.destinations import looked_up_aside


def guarded_aiohttp_session(*, timeout: float) -> aiohttp.ClientSession:
    """A session that only reaches the public internet (see ``destinations``).

    timeout: seconds for each request, from its look-up to the last byte. No cookies, no proxies
    from the environment. Close it, or use it in ``async with``. Raises, besides aiohttp's errors,
    AddressRefused.
    """
    return aiohttp.ClientSession(
        connector=_Checked(use_dns_cache=False),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=timeout),
        trust_env=False,
    )


class _Checked(aiohttp.TCPConnector):
    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=one.address,
                port=port,
                family=one.family,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for one in await looked_up_aside(host, port)
        ]
