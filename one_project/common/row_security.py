"""The migration operation that puts a table under row-level security."""

from django.db import migrations

from one_project.common.tenancy import SETTING


def policy_sql(table: str) -> str:
    """Statements that put ``table`` under the policy; a partition needs them as well as its
    parent, since it can be asked by its own name."""
    tenant = f"nullif(current_setting('{SETTING}', true), '')::uuid"
    return f"""
        ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY;
        ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenant ON "{table}" USING (organisation_id = (SELECT {tenant}));
    """


class RowSecurity(migrations.RunSQL):
    """Rows of ``table`` are those of the organisation that ``in_tenant`` has named.

    Forced, so that it holds for the owner as well. Without a tenant the setting is empty, which is
    no UUID: ``nullif`` makes that "no rows" instead of an error. Foreign keys are checked, and
    cascade, past it (Postgres does so by itself).
    """

    def __init__(self, table: str) -> None:
        super().__init__(
            policy_sql(table),
            f"""
            DROP POLICY tenant ON "{table}";
            ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY;
            ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY;
            """,
        )
        self.table = table

    def deconstruct(self) -> tuple[str, list[object], dict[str, object]]:
        return type(self).__name__, [self.table], {}

    def describe(self) -> str:
        return f"Row-level security on {self.table}"


class OnDelete(migrations.RunSQL):
    """Have the database itself do ``action`` (CASCADE, SET NULL) for the foreign key on ``column``.

    Django looks after the rows it can see, and without a tenant these are none: Postgres, which
    looks past row-level security here, takes care of the rest.
    """

    def __init__(
        self, table: str, column: str = "organisation_id", action: str = "CASCADE"
    ) -> None:
        sql = _FOREIGN_KEY.format(table=table, column=column, action=action)
        super().__init__(sql, migrations.RunSQL.noop)
        self.described = (table, column, action)

    def deconstruct(self) -> tuple[str, list[object], dict[str, object]]:
        return type(self).__name__, list(self.described), {}

    def describe(self) -> str:
        table, column, action = self.described
        return f"{table}.{column}: ON DELETE {action}"


_FOREIGN_KEY = """
DO $$
DECLARE found record;
BEGIN
    SELECT c.conname, c.confrelid::regclass AS target INTO STRICT found
    FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    WHERE c.conrelid = '"{table}"'::regclass AND c.contype = 'f' AND a.attname = '{column}';
    EXECUTE format('ALTER TABLE "{table}" DROP CONSTRAINT %I', found.conname);
    EXECUTE format(
        'ALTER TABLE "{table}" ADD CONSTRAINT %I FOREIGN KEY ("{column}") REFERENCES %s '
        'ON DELETE {action} DEFERRABLE INITIALLY DEFERRED', found.conname, found.target
    );
END $$;
"""
