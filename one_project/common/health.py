"""``/healthz`` (the process answers), ``/readyz`` (it can serve), ``/metrics`` (for a scraper)."""

import time
from collections.abc import Callable
from typing import Final

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.views.decorators.http import require_safe

from one_project.common.metrics import render_metrics

_migrated = False

# Details are read at most so often (seconds), however often somebody asks.
DETAILS_KEPT: Final = 5.0
_details: dict[str, Callable[[], str]] = {}
_read: tuple[float, dict[str, str]] | None = None


def detail(name: str, read: Callable[[], str]) -> None:
    """Have /readyz say what ``read`` returns, a few words; it never makes a server unready. One
    indexed query at most. Filled by the apps above when they start."""
    _details[name] = read


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 whenever the process answers at all; no I/O."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when the database is there and migrated; Redis away is said, but does not unready.

    The page works without Redis (slower), so taking web servers out of rotation for it would turn
    a delay into an outage.
    """
    checks = {"database": _database(), "redis": _redis()}
    status = 200 if checks["database"] == "ok" else 503
    details = _detailed() if status == 200 else {}
    answer = {"ready": status == 200, "checks": checks, "details": details}
    return JsonResponse(answer, status=status)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text; only from this machine or with the token of ONE_METRICS_TOKEN."""
    token = settings.ONE_METRICS_TOKEN
    given = request.headers.get("Authorization", "")
    allowed = given == f"Bearer {token}" if token else settings.DEBUG
    if not allowed:
        return HttpResponseNotFound()
    return HttpResponse(render_metrics(), content_type="text/plain; version=0.0.4")


def _database() -> str:
    global _migrated  # checked until true once: migrations do not unapply
    try:
        if not _migrated:
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                return "migrations are missing"
            _migrated = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "unreachable"
    return "ok"


def _detailed() -> dict[str, str]:
    global _read
    if _read is None or time.monotonic() - _read[0] > DETAILS_KEPT:
        _read = time.monotonic(), {name: _said(read) for name, read in _details.items()}
    return _read[1]


def _said(read: Callable[[], str]) -> str:
    try:
        return read()
    except DatabaseError:
        return "unknown"


def _redis() -> str:
    try:
        client = redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=0.3, socket_timeout=0.3
        )
        with client:
            client.ping()
    except redis.RedisError:
        return "unreachable: live updates are slower until it is back"
    return "ok"
