"""The searchable pieces of documents."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from agents_app.models.documents import Document, DocumentVersion
from agents_app.models.embeddings import EmbeddingRow
from one_project.accounts.models import Organisation
from one_project.common.models import Entity


class Chunk(Entity):
    """A passage of one page: ``text`` is that page's text from ``char_start`` to ``char_end``.

    ``page`` is the page's number in the version. ``heading`` is the way to it ("Guide > Install").
    ``content_hash`` names what is embedded (``agents_app.search.texts``), so that the same passage
    in a new version costs nothing. ``tsv`` also carries ``o:<organisation>``, which lets the index
    of words find one tenant's rows.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    version = models.ForeignKey(DocumentVersion, on_delete=models.CASCADE, related_name="chunks")
    seq = models.PositiveIntegerField()
    page = models.PositiveIntegerField()
    char_start = models.PositiveIntegerField()
    char_end = models.PositiveIntegerField()
    heading = models.CharField(max_length=500, blank=True)
    text = models.TextField()
    content_hash = models.CharField(max_length=64)
    tsv = SearchVectorField()

    class Meta:
        constraints = [
            # Also the way from a version to its passages, in order: neighbours, deletion.
            models.UniqueConstraint(fields=["version", "seq"], name="chunk_seq_once"),
        ]
        indexes = [
            # The scope of a search: all passages of the versions that are current.
            models.Index(fields=["organisation", "version"], name="chunk_of_tenant"),
            # Words, where a tenant has too many passages to look at each.
            GinIndex(fields=["tsv"], name="chunk_words"),
        ]

    def __str__(self) -> str:
        return f"chunk {self.seq} of {self.version_id}"


class ChunkEmbedding(EmbeddingRow):
    """See ``EmbeddingRow``; the foreign key lets no vector outlive its passage."""

    item = models.ForeignKey(Chunk, on_delete=models.CASCADE, related_name="+", db_column="item_id")

    class Meta(EmbeddingRow.Meta):
        db_table = "agents_app_chunkembedding"
