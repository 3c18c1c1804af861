"""Passages that a turn was offered, by the numbers it may cite them with."""

from django.db import models

from agents_app.models.chunks import Chunk
from agents_app.models.documents import TITLE_LIMIT, Document, DocumentVersion
from one_project.accounts.models import Organisation
from one_project.common.models import Entity


class Citation(Entity):
    """``[number]`` in the answer of one turn: what the passage was when it was offered.

    A new version of the document takes the chunk away and leaves this; deleting the document takes
    this as well. ``page`` is the page's number in the version, ``page_label`` the one people see
    (None where there are no pages); ``char_start`` and ``char_end`` are places in that page's text.
    ``turn_id`` is a plain id: the apps above own turns.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    turn_id = models.UUIDField()
    number = models.PositiveIntegerField()
    chunk = models.ForeignKey(
        Chunk, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(DocumentVersion, on_delete=models.CASCADE, related_name="+")
    title = models.CharField(max_length=TITLE_LIMIT)
    heading = models.CharField(max_length=500, blank=True)
    page = models.PositiveIntegerField()
    page_label = models.PositiveIntegerField(null=True, blank=True)
    char_start = models.PositiveIntegerField()
    char_end = models.PositiveIntegerField()
    quote = models.TextField()
    relevance = models.FloatField()

    class Meta:
        constraints = [
            # Also the way to all that a turn was offered.
            models.UniqueConstraint(fields=["turn_id", "number"], name="citation_number_once"),
            models.UniqueConstraint(fields=["turn_id", "chunk"], name="citation_chunk_once"),
        ]

    def __str__(self) -> str:
        return f"[{self.number}] {self.title}"
