"""Bring the database up to date: ``python -m one_project.embedded.prepare``.

Migrations, the cache table and, under DEBUG, the development data; in one process, since
starting Django three times would take longer than the work itself.
"""

import io
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def migrations_are_pending() -> bool:
    """Whether any migration has not run; a plain ``migrate`` checks far more each time."""
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def main() -> int:
    """Do what is needed; returns 0. Errors of the commands end the process with a traceback."""
    django.setup()
    if migrations_are_pending():
        call_command("migrate", interactive=False, verbosity=1)
    call_command("createcachetable", verbosity=0)
    if settings.DEBUG:
        # The launcher lists the accounts once the server is ready, where they can be used.
        call_command("seed_development", stdout=io.StringIO())
    connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
