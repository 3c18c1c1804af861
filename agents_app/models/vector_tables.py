"""The migration operation that makes a table of vectors, partitioned by embedding space."""

from django.db import migrations


class VectorTable(migrations.RunSQL):
    """Table ``table`` of vectors of the items in ``items``; see ``EmbeddingRow``.

    The database itself deletes a vector with its item, organisation or space: no vector outlives
    what it was made from, whoever deletes that.
    """

    def __init__(self, table: str, items: str) -> None:
        super().__init__(
            f"""
            CREATE TABLE "{table}" (
                space_id smallint NOT NULL
                    REFERENCES agents_app_embeddingspace (id) ON DELETE CASCADE,
                organisation_id uuid NOT NULL
                    REFERENCES accounts_organisation (id) ON DELETE CASCADE,
                item_id uuid NOT NULL REFERENCES "{items}" (id) ON DELETE CASCADE,
                content_hash varchar(64) NOT NULL,
                v halfvec NOT NULL,
                PRIMARY KEY (space_id, organisation_id, item_id)
            ) PARTITION BY LIST (space_id);
            -- Deleting an item.
            CREATE INDEX "{table}_item" ON "{table}" (item_id);
            -- The same text again, in another version.
            CREATE INDEX "{table}_content" ON "{table}" (space_id, organisation_id, content_hash);
            """,
            f'DROP TABLE "{table}"',
        )
        self.table = table
        self.items = items

    def deconstruct(self) -> tuple[str, list[object], dict[str, object]]:
        return type(self).__name__, [self.table, self.items], {}

    def describe(self) -> str:
        return f"Table of vectors {self.table}"
