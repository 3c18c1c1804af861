"""Row-level security: what a transaction sees is what belongs to the tenant it works for."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, ProgrammingError, connection, connections, transaction
from django.db.migrations.state import ProjectState

from one_project.accounts.models import Organisation
from one_project.common.row_security import OnDelete, RowSecurity
from one_project.common.tenancy import SETTING, in_tenant
from one_project.embedded.prepare import grant_app_role
from one_project.embedded.roles import APP

ROOT = Path(__file__).resolve().parent.parent.parent
TABLE = "tenancy_probe"
MAKE = f"""
CREATE TABLE {TABLE} (
    id integer GENERATED ALWAYS AS IDENTITY, word text,
    organisation_id uuid NOT NULL REFERENCES accounts_organisation DEFERRABLE INITIALLY DEFERRED
)
"""


def run(statement: str, *values: object) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def add(organisation: Organisation, word: str = "word") -> None:
    run(f"INSERT INTO {TABLE} (organisation_id, word) VALUES (%s, %s)", organisation.pk, word)


def words() -> list[str]:
    return [word for (word,) in run(f"SELECT word FROM {TABLE} ORDER BY word")]


def setting() -> str:
    return run("SELECT coalesce(current_setting(%s, true), '')", SETTING)[0][0]


def make_table() -> None:
    run(MAKE)
    with connection.schema_editor(atomic=False) as editor:
        for operation in (RowSecurity(TABLE), OnDelete(TABLE)):
            operation.database_forwards("common", editor, ProjectState(), ProjectState())


def two_organisations() -> tuple[Organisation, Organisation]:
    mine = Organisation.objects.create(name="Mine", slug="mine")
    return mine, Organisation.objects.create(name="Theirs", slug="theirs")


def skip_where_there_is_no_security() -> None:
    query = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    if run(query) == [(True,)]:
        pytest.skip("the tests' database role passes row-level security")


@pytest.fixture(params=["owner", "app"])
def both(db: None, request: pytest.FixtureRequest) -> tuple[Organisation, Organisation]:
    """Two organisations with a row each; as the owner of the table and as the application."""
    skip_where_there_is_no_security()
    mine, theirs = two_organisations()
    make_table()
    for organisation, word in ((mine, "mine"), (theirs, "theirs")):
        with in_tenant(organisation.pk):
            add(organisation, word)
    if request.param == "app":
        if not run("SELECT 1 FROM pg_roles WHERE rolname = %s", APP):
            pytest.skip("this Postgres has no role for the application")
        run("SET CONSTRAINTS ALL IMMEDIATE")
        run(f"SET LOCAL ROLE {APP}")
    return mine, theirs


Two = tuple[Organisation, Organisation]


def test_without_a_tenant_the_table_looks_empty_and_refuses_rows(both: Two) -> None:
    assert words() == []
    with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        add(both[0])


def test_rows_of_others_are_out_of_reach_even_by_name(both: Two) -> None:
    mine, theirs = both
    with in_tenant(mine.pk):
        assert words() == ["mine"]
        named = f"FROM {TABLE} WHERE organisation_id = '{theirs.pk}'"
        assert run(f"SELECT * {named}") == []
        assert run(f"DELETE {named} RETURNING id") == []
        assert run(f"UPDATE {TABLE} SET word = 'seen' RETURNING word") == [("seen",)]
        for statement in (
            f"INSERT INTO {TABLE} (organisation_id) VALUES ('{theirs.pk}')",
            f"UPDATE {TABLE} SET organisation_id = '{theirs.pk}'",
        ):
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                run(statement)
    with in_tenant(theirs.pk):
        assert words() == ["theirs"]


def test_an_organisation_goes_with_its_rows(both: Two) -> None:
    mine, theirs = both
    run("DELETE FROM accounts_organisation WHERE id = %s", mine.pk)
    with in_tenant(mine.pk):
        assert words() == []
    with in_tenant(theirs.pk):
        assert words() == ["theirs"]


def test_nested_for_the_same_tenant_and_for_no_other(both: Two) -> None:
    mine, theirs = both
    with in_tenant(mine.pk):
        with in_tenant(UUID(str(mine.pk))):
            assert words() == ["mine"]
        assert words() == ["mine"]
        with pytest.raises(RuntimeError, match="one organisation only"), in_tenant(theirs.pk):
            pass
        assert words() == ["mine"]
    assert words() == []


def test_savepoint_that_is_undone_keeps_the_tenant(both: Two) -> None:
    with in_tenant(both[0].pk):
        with pytest.raises(DatabaseError), transaction.atomic():
            run("SELECT 1 / 0")
        assert words() == ["mine"]


def test_tenant_ends_with_an_error_inside_a_longer_transaction(both: Two) -> None:
    mine, theirs = both
    with pytest.raises(ValueError), in_tenant(mine.pk):
        raise ValueError
    assert (setting(), words()) == ("", [])
    with pytest.raises(DatabaseError), transaction.atomic(), in_tenant(mine.pk):
        run("SELECT 1 / 0")
    assert (setting(), words()) == ("", [])
    # As Model.save() does it: the transaction is marked, and the first error is the one told.
    with (
        pytest.raises(ValueError),
        transaction.atomic(),
        in_tenant(mine.pk),
        transaction.atomic(savepoint=False),
    ):
        raise ValueError
    assert (setting(), words()) == ("", [])
    with in_tenant(theirs.pk):
        assert words() == ["theirs"]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_left_on_the_connection_after_the_transaction() -> None:
    skip_where_there_is_no_security()
    mine, theirs = two_organisations()
    make_table()
    try:
        later: list[list[str]] = []

        def after_commit() -> None:
            with in_tenant(theirs.pk):
                later.append(words())

        with in_tenant(mine.pk):
            add(mine, "mine")
            transaction.on_commit(after_commit)
        # Already another piece of work, for whomever it likes.
        assert later == [[]]
        assert (setting(), words()) == ("", [])
        for statement in ("SELECT 1 / 0", f"INSERT INTO {TABLE} (word) VALUES ('x')"):
            with pytest.raises(DatabaseError), in_tenant(mine.pk):
                run(statement)
            assert (setting(), words()) == ("", [])
        with in_tenant(mine.pk):
            assert words() == ["mine"]
    finally:
        run(f"DROP TABLE {TABLE}")


@pytest.mark.parametrize(
    "statement",
    [
        f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {TABLE} NO FORCE ROW LEVEL SECURITY",
        f"DROP POLICY tenant ON {TABLE}",
        f"TRUNCATE {TABLE}",
        f"DROP TABLE {TABLE}",
        f"CREATE TABLE {TABLE}_2 (id integer)",
    ],
)
@pytest.mark.parametrize("both", ["app"], indirect=True)
def test_application_cannot_lift_the_security(both: Two, statement: str) -> None:
    refused = pytest.raises(ProgrammingError, match=r"must be owner|permission denied")
    with refused, transaction.atomic():
        run(statement)


@pytest.mark.parametrize("both", ["app"], indirect=True)
def test_asking_for_no_security_is_an_error_and_no_rows(both: Two) -> None:
    refused = pytest.raises(ProgrammingError, match="would be affected by row-level security")
    with refused, transaction.atomic():
        run("SET LOCAL row_security = off")
        words()


def test_migrations_of_data_use_the_connection_that_migrates() -> None:
    """Another connection would wait for ever for the tables that the migration has locked."""
    for path in (*ROOT.glob("*_app/migrations/*.py"), *ROOT.glob("one_project/*/migrations/*.py")):
        text = path.read_text()
        if "RunPython(" in text and ".objects" in text:
            assert "schema_editor.connection.alias" in text, path
            assert text.count(".objects") == text.count(".objects.using("), path


@pytest.mark.django_db(databases=["default", "owner"])
def test_application_may_use_what_the_owner_had_before_it_was_there() -> None:
    if not run("SELECT 1 FROM pg_roles WHERE rolname = %s AND current_user <> rolname", APP):
        pytest.skip("this Postgres has no role for the application")
    assert grant_app_role() == ""  # one role for everything
    with connections["owner"].cursor() as owner:
        owner.execute(MAKE)
        owner.execute(f"REVOKE ALL ON {TABLE}, {TABLE}_id_seq FROM {APP}")
        run(f"SET LOCAL ROLE {APP}")
        assert grant_app_role() == APP
        for table, right in ((TABLE, "SELECT"), (TABLE, "DELETE"), ("django_session", "INSERT")):
            owner.execute("SELECT has_table_privilege(%s, %s, %s)", [APP, table, right])
            assert owner.fetchall() == [(True,)]
        owner.execute("SELECT has_table_privilege(%s, %s, 'TRUNCATE')", [APP, TABLE])
        assert owner.fetchall() == [(False,)]
        owner.execute("SELECT has_sequence_privilege(%s, %s, 'USAGE')", [APP, f"{TABLE}_id_seq"])
        assert owner.fetchall() == [(True,)]
