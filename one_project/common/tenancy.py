"""Which organisation a transaction works for, as Postgres' row-level security sees it.

Tables under ``RowSecurity`` (``one_project.common.row_security``) show and take rows of that one
organisation only; without any they look empty. It is a wall behind the others: statements name
the organisation themselves, so that a mistake in one of them finds nothing instead of too much.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Final
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import TransactionStatus

SETTING: Final = "one.organisation"
# Kept on Django's connection, which belongs to one thread.
_HELD: Final = "one_tenant"


@contextmanager
def in_tenant(organisation_id: UUID, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Within the block, secured tables have the rows of this organisation.

    Opens a transaction where none is open; the setting ends with it, so that a pooled connection
    carries nothing to its next user. Nested for the same organisation it costs nothing. Raises
    RuntimeError for another one: no piece of work belongs to two. ``using`` is for migrations of
    data, which run on another connection.
    """
    connection = connections[using]
    held = getattr(connection, _HELD, None)
    if held is not None:
        if held != organisation_id:
            raise RuntimeError("A transaction works for one organisation only.")
        yield
        return
    is_within = connection.in_atomic_block
    with nullcontext() if is_within else transaction.atomic(using=using):
        _set(connection, str(organisation_id))
        setattr(connection, _HELD, organisation_id)
        try:
            yield
        finally:
            setattr(connection, _HELD, None)
            if is_within and _takes_statements(connection):
                _set(connection, "")


def _takes_statements(connection: BaseDatabaseWrapper) -> bool:
    """False after an error: then the end of the savepoint or transaction takes the setting."""
    return (
        not connection.needs_rollback
        and not connection.closed_in_transaction
        and connection.connection.info.transaction_status == TransactionStatus.INTRANS
    )


def _set(connection: BaseDatabaseWrapper, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, true)", [SETTING, value])
