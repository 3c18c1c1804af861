"""The roles of the embedded Postgres, and what each of them may do.

``one`` owns the database and its tables and runs migrations. ``one_app`` is what web, worker and
scheduler are: it reads and writes rows and can neither change a table nor pass its row-level
security. All functions work on connections of the superuser and may be repeated.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    # Imported late elsewhere: finding the programs does without it.
    import psycopg

OWNER: Final = "one"
APP: Final = "one_app"

TABLE_RIGHTS: Final = "SELECT, INSERT, UPDATE, DELETE"
SEQUENCE_RIGHTS: Final = "USAGE"

# What ``tsvector @@ tsquery`` calls, both ways round. Postgres uses an index for a condition under
# row-level security only if its function is known to tell nothing of the rows it does not return
# (docs/isolation.md says what that means for these two).
SEARCH_FUNCTIONS: Final = (
    "pg_catalog.ts_match_vq(tsvector, tsquery)",
    "pg_catalog.ts_match_qv(tsquery, tsvector)",
)

_READY = """
SELECT
    EXISTS (
        SELECT FROM pg_roles WHERE rolname = %(app)s AND rolcanlogin
        AND NOT (rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole)
    )
    AND EXISTS (
        SELECT FROM pg_default_acl, aclexplode(defaclacl) AS right_
        WHERE defaclrole = to_regrole(%(owner)s) AND right_.grantee = to_regrole(%(app)s)
    )
    AND NOT EXISTS (
        SELECT FROM pg_proc
        WHERE oid = ANY (%(functions)s::regprocedure[]) AND NOT proleakproof
    )
"""


def make_role(connection: "psycopg.Connection[Any]", name: str, password: str) -> None:
    """Make the role ``name``, or give it this password and the rights it should have."""
    from psycopg import sql

    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    connection.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE {} PASSWORD {}").format(
            sql.SQL("ALTER" if exists else "CREATE"),
            sql.Identifier(name),
            sql.SQL("CREATEDB" if name == OWNER else "NOCREATEDB"),  # tests make databases
            sql.Literal(password),
        )
    )


def are_ready(database: "psycopg.Connection[Any]") -> bool:
    """Whether ``allow`` has been done in this database and the application's role is as it was."""
    names = {"owner": OWNER, "app": APP, "functions": list(SEARCH_FUNCTIONS)}
    return bool((database.execute(_READY, names).fetchone() or [False])[0])


def allow(database: "psycopg.Connection[Any]") -> None:
    """Let ``one_app`` use what ``one`` has made and will make in this database.

    A database made later from it (``template1``) is the same.
    """
    future = f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT"
    statements = [
        f"{future} {TABLE_RIGHTS} ON TABLES TO {APP}",
        f"{future} {SEQUENCE_RIGHTS} ON SEQUENCES TO {APP}",
        f"GRANT {TABLE_RIGHTS} ON ALL TABLES IN SCHEMA public TO {APP}",
        f"GRANT {SEQUENCE_RIGHTS} ON ALL SEQUENCES IN SCHEMA public TO {APP}",
        # The owner can try what the application may do (SET ROLE); it gains nothing by it.
        f"GRANT {APP} TO {OWNER} WITH INHERIT FALSE, SET TRUE",
        *(f"ALTER FUNCTION {function} LEAKPROOF" for function in SEARCH_FUNCTIONS),
    ]
    for statement in statements:
        database.execute(statement.encode())
