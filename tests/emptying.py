"""Emptying the database after a test that has committed: what has rows, and nothing else.

Django truncates every table and makes content types and permissions anew: half a second for what a
test has put into a dozen tables. Here those that have rows are emptied past triggers and row-level
security, as a superuser; what migrations of Django's own apps have made stays.
"""

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.db import connection, connections
from django.test import TransactionTestCase

KEPT = ("django_migrations", "django_content_type", "auth_permission")
_TABLES = """
SELECT quote_ident(relname) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> ALL(%s)
"""


# Kept, since connecting takes as long as the work.
_connections: dict[str, psycopg.Connection[Any]] = {}


def empty(superuser_url: str) -> None:
    """Delete all rows of the test database."""
    place = urlsplit(superuser_url)._replace(path=f"/{connection.settings_dict['NAME']}")
    url = urlunsplit(place)
    try:
        _empty(url)
    except psycopg.OperationalError as error:
        if isinstance(error, psycopg.errors.LockNotAvailable):
            raise
        _empty(url)  # a test has ended all connections


def _empty(url: str) -> None:
    if url not in _connections or _connections[url].closed:
        _connections[url] = psycopg.connect(url)
    database = _connections[url]
    try:
        with database.transaction():
            _delete_rows(database)
    except psycopg.Error:
        _connections.pop(url).close()
        raise


def _delete_rows(database: psycopg.Connection[Any]) -> None:
    tables = [str(row[0]) for row in database.execute(_TABLES, [list(KEPT)])]
    asked = " UNION ALL ".join(
        f"SELECT {number} WHERE EXISTS (SELECT FROM {name})" for number, name in enumerate(tables)
    )
    filled = [tables[row[0]] for row in database.execute(asked.encode(), prepare=True)]
    database.execute("SET LOCAL session_replication_role = replica")
    # A test that hangs on to a lock is told so, instead of everything waiting for it.
    database.execute("SET LOCAL lock_timeout = '60s'")
    for name in filled:
        database.execute(f"DELETE FROM {name}".encode())


def let_django() -> None:
    """Without a superuser Django truncates the tables, which triggers refuse for some."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname)"
            " FROM pg_trigger WHERE NOT tgisinternal AND tgtype & 32 <> 0"
        )
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)


def use(superuser_url: str) -> None:
    """Have tests of pytest-django and Django end so."""

    def teardown(case: object) -> None:
        with suppress(Exception):
            for one in connections.all(initialized_only=True):
                one.close()
        empty(superuser_url)

    is_class = isinstance(vars(TransactionTestCase)["_fixture_teardown"], classmethod)
    made = classmethod(teardown) if is_class else teardown
    TransactionTestCase._fixture_teardown = made  # type: ignore[assignment,method-assign]
