"""A data folder with a migrated Postgres, made once and copied for each of many stacks.

Migrating from nothing takes longer than all else a stack does to start. Whoever starts several
makes one folder (``python -m benchmarks.prepared FOLDER``) and names it in ONE_PREPARED_DATA: what
``begin`` is given then starts as a copy of it. ``FOLDER/done`` says that it is whole.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from one_project.embedded import running_postgres_roles
from one_project.embedded.data_dir import DataDir
from one_project.embedded.postgres import SECRETS

VARIABLE = "ONE_PREPARED_DATA"
DONE, FAILED = "done", "failed"


def begin(path: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Let the data folder ``path``, without a cluster yet, copy the prepared one, if there is."""
    name = environment.get(VARIABLE)
    if not name or not (Path(name) / DONE).exists():
        return
    state = DataDir(path)
    for secret in (Path(name) / "secrets").iterdir():
        shutil.copy2(secret, state.path / "secrets")
    # A program, since the files have to stay with the user who runs Postgres.
    subprocess.run(["cp", "-a", f"{name}/postgres", str(state.path / "postgres")], check=True)


def make_secrets(path: Path) -> DataDir:
    """The passwords of the roles ahead of ``make``, for who has to know them before."""
    state = DataDir(path)
    for name in SECRETS.values():
        state.secret(name)
    return state


def make(path: Path) -> None:
    """Fill ``path``: cluster, roles, all migrations, the cache table; no rows of ours."""
    with running_postgres_roles(path, fast=True) as (owner, app):
        os.environ |= {
            "DATABASE_URL": app,
            "DATABASE_OWNER_URL": owner,
            "REDIS_URL": "redis://127.0.0.1:1",  # nothing here asks it
            "DJANGO_SETTINGS_MODULE": "one_project.settings.test",
        }
        import django
        from django.core.management import call_command
        from django.db import connections

        django.setup()
        from one_project.embedded.prepare import OWNER, grant_app_role

        call_command("migrate", database=OWNER, interactive=False, verbosity=0)
        call_command("createcachetable", database=OWNER, verbosity=0)
        grant_app_role()
        connections.close_all()


def main() -> None:
    path = Path(sys.argv[1])
    try:
        make(path)
    except BaseException:
        (path / FAILED).touch()
        raise
    (path / DONE).touch()


if __name__ == "__main__":
    main()
