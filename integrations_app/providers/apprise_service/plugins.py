"""Plugins of Apprise, made from typed fields: no address of its own kind is ever built or read."""

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

from apprise import AppriseAsset, PersistentStoreMode
from apprise.plugins import gotify, mattermost, ntfy, pushbullet, pushover, rocketchat, zulip
from apprise.plugins.matrix import base as matrix

from integrations_app.providers.apprise_service.door import Requests

# It writes tokens and addresses there.
_log = logging.getLogger("apprise")
_log.setLevel(logging.CRITICAL + 1)
_log.propagate = False

_MODULES: Final[tuple[ModuleType, ...]] = (
    gotify, mattermost, ntfy, pushbullet, pushover, rocketchat, zulip, matrix,
)  # fmt: skip
for _module in _MODULES:
    _module.requests = Requests()  # type: ignore[attr-defined]


def plugin_of(service: str, server: str, to: str, user: str, token: str) -> Any:
    """The plugin for one message. Raises TypeError for fields that it does not take."""
    common = {
        "asset": AppriseAsset(
            http_redirects=False,
            secure_logging=True,
            storage_mode=PersistentStoreMode.MEMORY,
            default_service_retry=0,
        ),
        "overflow": "truncate",
        "redirect": False,
        **_host(server),
    }
    return _MAKERS[service](to, user, token, common)


def _made(plugin: Any, **fields: Any) -> Any:
    return plugin(**fields)


def _host(server: str) -> dict[str, Any]:
    if not server:
        return {"secure": True}
    parts = urlsplit(server)
    return {
        "host": parts.hostname,
        "port": parts.port,
        "secure": parts.scheme == "https",
        "fullpath": f"{parts.path.rstrip('/')}/",
    }


def _ntfy(to: str, user: str, token: str, common: dict[str, Any]) -> Any:
    auth = {"auth": "token", "token": token} if token else {}
    # Their own server takes a token, too; as "cloud" the plugin would not send it.
    host = {} if common.get("host") else {"host": "ntfy.sh"}
    return _made(
        ntfy.NotifyNtfy, targets=[to], mode="private", include_image=False, **auth, **host, **common
    )


def _gotify(to: str, user: str, token: str, common: dict[str, Any]) -> Any:
    return _made(gotify.NotifyGotify, token=token, **common)


def _pushover(to: str, user: str, token: str, common: dict[str, Any]) -> Any:
    return _made(pushover.NotifyPushover, user_key=to, token=token, **common)


def _pushbullet(to: str, user: str, token: str, common: dict[str, Any]) -> Any:
    return _made(
        pushbullet.NotifyPushBullet, accesstoken=token, targets=[to] if to else None, **common
    )


def _mattermost(to: str, user: str, token: str, common: dict[str, Any]) -> Any:
    return _made(mattermost.NotifyMattermost, token=token, targets=[to] if to else None, **common)


def _rocketchat(to: str, user: str, token: str, common: dict[str, Any]) -> Any:
    targets = [to] if to else None
    return _made(
        rocketchat.NotifyRocketChat,
        webhook=token,
        mode="webhook",
        avatar=False,
        targets=targets,
        **common,
    )


def _zulip(to: str, user: str, token: str, common: dict[str, Any]) -> Any:
    bot, _, organisation = user.partition("@")
    return _made(
        zulip.NotifyZulip,
        botname=bot,
        organization=organisation,
        token=token,
        targets=[to],
        **common,
    )


def _matrix(to: str, user: str, token: str, common: dict[str, Any]) -> Any:
    return _made(matrix.NotifyMatrix,
        targets=[to], mode="off", discovery=False, e2ee=False, include_image=False,
        password=token, **common,
    )  # fmt: skip


_MAKERS: Final[dict[str, Callable[[str, str, str, dict[str, Any]], Any]]] = {
    "ntfy": _ntfy,
    "gotify": _gotify,
    "pushover": _pushover,
    "pushbullet": _pushbullet,
    "mattermost": _mattermost,
    "rocketchat": _rocketchat,
    "zulip": _zulip,
    "matrix": _matrix,
}
