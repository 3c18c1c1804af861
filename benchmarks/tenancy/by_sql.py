"""Statements of the application's own role, on every table under row-level security.

Each runs in a transaction of its own, for no organisation or for the asker's, and is rolled back.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg

from benchmarks.tenancy.ledger import Ledger
from benchmarks.tenancy.side import Side

WAY: Final = "sql"
TABLES: Final = """
SELECT c.relname, array_agg(a.attname ORDER BY a.attnum) FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    AND a.attgenerated = ''
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND (
    c.oid = ANY(%(names)s::regclass[]) OR i.inhparent = ANY(%(names)s::regclass[]))
GROUP BY c.relname ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True)
class Table:
    """keys: of some rows of each organisation, by its id."""

    name: str
    columns: list[str]
    keys: dict[UUID, list[UUID]]

    @property
    def key(self) -> str:
        return "id" if "id" in self.columns else "item_id"


@dataclass(frozen=True, slots=True)
class Given:
    """What a statement may use: the table, another one, and the two organisations."""

    table: Table
    beside: Table
    mine: Side
    other: Side
    key: UUID

    def words(self) -> dict[str, str]:
        return {
            "t": self.table.name,
            "k": self.table.key,
            "b": self.beside.name,
            "mine": str(self.mine.organisation.pk),
            "other": str(self.other.organisation.pk),
            "row": str(self.key),
            "marker": self.other.marker,
            "columns": ", ".join(f'"{name}"' for name in self.table.columns),
        }


# What must find nothing: {other} is the other organisation, {row} one of its rows.
READS: Final = (
    "SELECT * FROM {t}",
    "SELECT * FROM ONLY {t}",
    "TABLE {t}",
    "SELECT * FROM {t} WHERE organisation_id = '{other}'",
    "SELECT * FROM {t} WHERE organisation_id <> '{mine}'",
    "SELECT * FROM {t} WHERE {k} = '{row}'",
    "SELECT * FROM {t} WHERE {k} = '{row}' OR true",
    "SELECT * FROM {t} ORDER BY {k} DESC LIMIT 50",
    "SELECT t.* FROM accounts_organisation o JOIN {t} t ON t.organisation_id = o.id",
    (
        "SELECT t.* FROM accounts_organisation o LEFT JOIN {t} t ON t.organisation_id = o.id "
        "WHERE o.id = '{other}' AND t.{k} IS NOT NULL"
    ),
    "SELECT b.* FROM {t} t FULL JOIN {b} b USING (organisation_id)",
    "SELECT b.* FROM {b} b, LATERAL (SELECT FROM {t} WHERE organisation_id = '{other}') t",
    "SELECT (SELECT row_to_json(t) FROM {t} t WHERE organisation_id = '{other}' LIMIT 1)::text",
    "WITH all_rows AS MATERIALIZED (SELECT * FROM {t}) SELECT * FROM all_rows",
    "SELECT max({k}::text), string_agg(t::text, ' ') FROM {t} t",
    "SELECT t::text FROM {t} t WHERE t::text LIKE '%{marker}%'",
    "SELECT t::text FROM {t} t UNION SELECT b::text FROM {b} b",
    "SELECT json_agg(t)::text FROM {t} t",
    "SELECT * FROM {t} FOR UPDATE",
    "SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats WHERE tablename = '{t}'",
    "DEALLOCATE ALL; PREPARE one AS SELECT * FROM {t}; EXECUTE one",
    "DECLARE c CURSOR FOR SELECT * FROM {t}; FETCH ALL FROM c",
    "COPY {t} TO STDOUT",
    (
        "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; "
        "SELECT * FROM {t} WHERE organisation_id = '{other}'"
    ),
    "UPDATE {t} SET organisation_id = organisation_id RETURNING *",
    "DELETE FROM {t} USING accounts_organisation o WHERE o.id = '{other}' RETURNING {t}.*",
)
# Errors are told too: those of a condition that looks at rows before the policy does.
ORACLES: Final = (
    "SELECT 1 FROM {t} t WHERE organisation_id = '{other}' AND (t::text)::int > 0",
    "SELECT 1 / (t.organisation_id <> '{other}')::int FROM {t} t",
    "SELECT 1 FROM {t} t WHERE 1 / (t::text NOT LIKE '%{marker}%')::int = 1",
)
# What must change nothing, or be refused.
WRITES: Final = (
    "UPDATE {t} SET organisation_id = '{mine}' WHERE organisation_id = '{other}'",
    "UPDATE {t} SET organisation_id = '{mine}' WHERE {k} = '{row}'",
    "UPDATE {t} SET organisation_id = '{other}'",
    "DELETE FROM {t} WHERE organisation_id = '{other}'",
    "DELETE FROM {t} WHERE {k} = '{row}'",
    "INSERT INTO {t} ({columns}) SELECT {foreign_row} FROM {t} LIMIT 1",
    (
        "INSERT INTO {t} ({columns}) SELECT {same_key} FROM {t} LIMIT 1 "
        "ON CONFLICT DO NOTHING RETURNING *"
    ),
    (
        "MERGE INTO {t} t USING accounts_organisation o ON t.organisation_id = o.id "
        "AND o.id = '{other}' WHEN MATCHED THEN DELETE"
    ),
)
# What must be refused, whatever is in the table.
REFUSED: Final = (
    "SET LOCAL row_security = off; SELECT * FROM {t}",
    "ALTER TABLE {t} DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE {t} NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE {t} OWNER TO CURRENT_USER",
    "ALTER POLICY tenant ON {t} USING (true)",
    "DROP POLICY tenant ON {t}",
    "CREATE POLICY everybody ON {t} USING (true)",
    "TRUNCATE {t}",
    "DROP TABLE {t}",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "SET LOCAL ROLE one; SELECT * FROM {t}",
    "SET SESSION AUTHORIZATION one",
    (
        "CREATE TRIGGER tells BEFORE UPDATE ON {t} FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "CREATE INDEX ON {t} ({k})",
    "CREATE RULE tells AS ON SELECT TO {t} DO INSTEAD SELECT * FROM {b}",
    "SELECT * FROM pg_statistic",
    "COPY {t} TO PROGRAM 'cat'",
)
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "read": READS,
    "oracle": ORACLES,
    "write": WRITES,
    "refused": REFUSED,
}
# What comes through where the organisation is one's own.
OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "read": tuple(one for one in READS if "<>" not in one and "pg_stats" not in one),
    "oracle": ORACLES,
    "write": WRITES[:5],
}


class BySql:
    """``app_url``: of the role ``one_app``."""

    def __init__(self, app_url: str, sides: list[Side]) -> None:
        self.connection = psycopg.connect(app_url)
        self.sides = sides
        self.tables = self._tables()

    def _tables(self) -> list[Table]:
        found = []
        values = {"names": list(secured_tables())}
        for name, columns in self.connection.execute(TABLES, values).fetchall():
            table = Table(name, columns, {})
            for side in self.sides:
                own = f"WHERE organisation_id = '{side.organisation.pk}' ORDER BY 1 LIMIT 20"
                rows = self._rows(side, f"SELECT {table.key} FROM {name} {own}")
                table.keys[side.organisation.pk] = [row[0] for row in rows]
            found.append(table)
        return found

    def unfilled(self) -> list[str]:
        """Tables without a row of some organisation: what is not there cannot leak."""
        return [table.name for table in self.tables if not all(table.keys.values())]

    def _rows(self, side: Side | None, statement: str) -> list[tuple[Any, ...]]:
        try:
            self._enter(side)
            return self.connection.execute(statement).fetchall()
        finally:
            self.connection.rollback()

    def _enter(self, side: Side | None) -> None:
        if side is not None:
            value = str(side.organisation.pk)
            self.connection.execute("SELECT set_config('one.organisation', %s, true)", [value])

    def probe(self, ledger: Ledger, rng: random.Random, mine: Side, other: Side) -> None:
        filled = [table for table in self.tables if all(table.keys.values())]
        table, beside = rng.choice(filled), rng.choice(filled)
        key = rng.choice(table.keys[other.organisation.pk])
        given = Given(table, beside, mine, other, key)
        kind = rng.choice([*KINDS, "read"])
        template = rng.choice(KINDS[kind])
        asker = rng.choice([mine, mine, None])
        leak = self._tried(kind, template, given, asker)
        who = "with its own tenant" if asker else "without a tenant"
        ledger.probe(WAY, f"{template} on {table.name}, {who}", leak)

    def _tried(self, kind: str, template: str, given: Given, asker: Side | None) -> str:
        """What leaked, "" for nothing."""
        statement = template.format(**_filled(given))
        try:
            self._enter(asker)
            text, changed = self._run(statement)
        except psycopg.Error as error:
            if isinstance(error, psycopg.errors.SyntaxError | psycopg.errors.UndefinedColumn):
                raise
            if kind == "oracle" and isinstance(error, psycopg.errors.DivisionByZero):
                return "the error tells of a row"
            told = str(error).partition("LINE 1")[0].lower()
            return "the error tells of it" if given.other.marker in told else ""
        finally:
            self.connection.rollback()
        if kind == "refused":
            return "was not refused"
        if given.other.is_in(text):
            return "rows came back"
        # Its own rows it may rewrite; of the other's none is there to change.
        return f"{changed} rows changed" if kind == "write" and changed else ""

    def _run(self, statement: str) -> tuple[str, int]:
        """All that came back as text, and how many rows the last one changed."""
        with self.connection.cursor() as cursor:
            if statement.startswith("COPY") and "PROGRAM" not in statement:
                with cursor.copy(statement) as copy:
                    return "".join(str(row) for row in copy.rows()), 0
            cursor.execute(statement.encode())
            texts, changed = [], 0
            while True:
                if cursor.description:
                    texts.append(str(cursor.fetchall()))
                else:
                    changed = max(cursor.rowcount, 0)
                if not cursor.nextset():
                    return " ".join(texts), changed

    def controls(self, ledger: Ledger) -> None:
        """The same statements in one's own organisation, and the marker in what they give."""
        for side in self.sides:
            for table in self.tables:
                rows = self._rows(side, f"SELECT * FROM {table.name}")
                ledger.control(WAY, f"reading {table.name}", seen=side.is_in(str(rows)))
            given = Given(self.chunks, self.chunks, side, side, self._key(side))
            for kind, templates in OWN.items():
                for template in templates:
                    seen = bool(self._tried(kind, template, given, side))
                    ledger.control(WAY, template, seen=seen)

    @property
    def chunks(self) -> Table:
        return next(table for table in self.tables if table.name == "agents_app_chunk")

    def _key(self, side: Side) -> UUID:
        return self.chunks.keys[side.organisation.pk][0]

    def close(self) -> None:
        self.connection.close()


def secured_tables() -> Iterator[str]:
    """Those that migrations have put under row-level security; partitions are to be, besides."""
    from django.db.migrations.loader import MigrationLoader

    from one_project.common.row_security import RowSecurity

    for migration in MigrationLoader(None).disk_migrations.values():
        for one in migration.operations:
            for operation in (one, *getattr(one, "database_operations", ())):
                if isinstance(operation, RowSecurity):
                    yield operation.table


def _filled(given: Given) -> dict[str, str]:
    words = given.words()
    foreign = {"organisation_id": f"'{words['other']}'::uuid"}
    fresh = {**foreign, "id": "gen_random_uuid()"}
    same = {**foreign, given.table.key: f"'{words['row']}'::uuid"}
    return {
        **words,
        "foreign_row": ", ".join(fresh.get(name, f'"{name}"') for name in given.table.columns),
        "same_key": ", ".join(same.get(name, f'"{name}"') for name in given.table.columns),
    }
