"""Bring the database up to date: ``python -m one_project.embedded.prepare``.

Migrations and the cache table as the owner, the rights of the application's role, the prices of
models and, under DEBUG, the development data; in one process, since starting Django for each would
take longer than the work itself.
"""

import io
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from psycopg import sql

from one_project.embedded.roles import SEQUENCE_RIGHTS, TABLE_RIGHTS

OWNER = "owner"  # the alias in DATABASES

# What role %s may not yet do in full with what the present role owns.
_LACKING = """
SELECT relname, relkind = 'S'
FROM pg_class
WHERE relowner = to_regrole(current_user) AND relnamespace = to_regnamespace(current_schema())
    AND CASE
        WHEN relkind = 'S' THEN NOT has_sequence_privilege(%s, oid, 'USAGE')
        WHEN relkind IN ('r', 'p') THEN NOT (
            has_table_privilege(%s, oid, 'SELECT') AND has_table_privilege(%s, oid, 'INSERT')
            AND has_table_privilege(%s, oid, 'UPDATE') AND has_table_privilege(%s, oid, 'DELETE')
        )
        ELSE false
    END
"""
_PASSES_SECURITY = """
SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user
"""


def migrations_are_pending() -> bool:
    """Whether any migration has not run; a plain ``migrate`` checks far more each time."""
    executor = MigrationExecutor(connections[OWNER])
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def grant_app_role() -> str:
    """Let the role of DATABASE_URL use the tables and sequences of that of DATABASE_OWNER_URL.

    Those there are and those of later migrations; a role of an own Postgres has to exist. Returns
    its name, "" when one role does everything.
    """
    app, owner = _role(connection), _role(connections[OWNER])
    if app == owner:
        return ""
    with connections[OWNER].cursor() as cursor:
        cursor.execute(_LACKING, [app] * 5)
        grants = [
            sql.SQL("GRANT {} ON {} {} TO {}").format(
                sql.SQL(SEQUENCE_RIGHTS if is_sequence else TABLE_RIGHTS),
                sql.SQL("SEQUENCE" if is_sequence else "TABLE"),
                sql.Identifier(name),
                sql.Identifier(app),
            )
            for name, is_sequence in cursor.fetchall()
        ]
        for kind, rights in (("TABLES", TABLE_RIGHTS), ("SEQUENCES", SEQUENCE_RIGHTS)):
            statement = sql.SQL("ALTER DEFAULT PRIVILEGES GRANT {} ON {} TO {}")
            what = (sql.SQL(rights), sql.SQL(kind), sql.Identifier(app))
            grants.append(statement.format(*what))
        for grant in grants:
            cursor.execute(grant.as_string(cursor.connection))
    return app


def _role(database: BaseDatabaseWrapper) -> str:
    # Asked, since the user in a URL may be one of a connection pooler.
    return str(_value(database, "SELECT current_user"))


def _value(database: BaseDatabaseWrapper, query: str) -> object:
    with database.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    return row[0] if row else None


def _warn_of_powerful_role() -> None:
    """Say so when the application's role is one for which row-level security does not exist."""
    if _value(connection, _PASSES_SECURITY):
        sys.stderr.write(
            f"Warning: row-level security does not hold for the database role "
            f"{_role(connection)!r}, a superuser or one with BYPASSRLS. See docs/isolation.md.\n"
        )


def main() -> int:
    """Do what is needed; returns 0. Errors of the commands end the process with a traceback."""
    django.setup()
    if migrations_are_pending():
        call_command("migrate", database=OWNER, interactive=False, verbosity=1)
    call_command("createcachetable", database=OWNER, verbosity=0)
    grant_app_role()
    _warn_of_powerful_role()
    call_command("seed_model_prices", stdout=io.StringIO())
    if settings.DEBUG:
        # The launcher lists the accounts once the server is ready, where they can be used.
        call_command("seed_development", stdout=io.StringIO())
        call_command("seed_flows", stdout=io.StringIO())
    connections.close_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
