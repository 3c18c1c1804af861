"""Emptying the database after a test that has committed: what has rows, and nothing else.

Django truncates every table and makes content types and permissions anew: half a second for what a
test has put into a dozen tables. Here those that have rows are emptied past triggers and row-level
security, as a superuser; what migrations of Django's own apps have made stays.
"""

from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.db import connection, connections
from django.test import TransactionTestCase

KEPT = ("django_migrations", "django_content_type", "auth_permission")
_TABLES = """
SELECT quote_ident(relname) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> ALL(%s)
"""


def empty(superuser_url: str) -> None:
    """Delete all rows of the test database."""
    url = urlsplit(superuser_url)._replace(path=f"/{connection.settings_dict['NAME']}")
    with psycopg.connect(urlunsplit(url)) as database:
        tables = [str(row[0]) for row in database.execute(_TABLES, [list(KEPT)])]
        asked = " UNION ALL ".join(
            f"SELECT {number} WHERE EXISTS (SELECT FROM {name})"
            for number, name in enumerate(tables)
        )
        filled = [tables[row[0]] for row in database.execute(asked.encode())]
        database.execute("SET LOCAL session_replication_role = replica")
        # A test that hangs on to a lock is told so, instead of everything waiting for it.
        database.execute("SET LOCAL lock_timeout = '60s'")
        for name in filled:
            database.execute(f"DELETE FROM {name}".encode())


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
