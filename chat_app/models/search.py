"""What can be found of a conversation: messages and edits of the canvas, by words and meaning."""

from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from agents_app.models.embeddings import EmbeddingRow
from chat_app.models.canvas import ThreadEdit
from chat_app.models.messages import Message
from chat_app.models.threads import Thread
from one_project.accounts.models import Organisation
from one_project.common.models import Entity, choice_check


class EntryKind(models.TextChoices):
    MESSAGE = "message"
    EDIT = "edit"


class SearchEntry(Entity):
    """One searchable thing of a thread; there is none for what must not be found.

    Kept in the transaction that changes the message. ``tsv`` holds its own words with weight A and
    those of the message before with C; ``content_hash`` names the text that is embedded, which is
    both. ``hidden``: found in its own thread only.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=7, choices=EntryKind.choices)
    message = models.OneToOneField(
        Message, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    edit = models.OneToOneField(
        ThreadEdit, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    order = models.BigIntegerField()
    step_order = models.BigIntegerField(default=0)
    said_at = models.DateTimeField()
    hidden = models.BooleanField(default=False)
    content_hash = models.CharField(max_length=64)
    tsv = SearchVectorField()

    class Meta:
        constraints = [
            choice_check("entry_kind_known", "kind", EntryKind),
            models.CheckConstraint(
                name="entry_of_one_thing",
                condition=Q(kind="message", message__isnull=False, edit=None)
                | Q(kind="edit", message=None, edit__isnull=False),
            ),
        ]
        indexes = [
            # The scope of every search: the threads a person may see.
            models.Index(fields=["organisation", "thread", "order"], name="entry_of_thread"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.order}"


class EntryEmbedding(EmbeddingRow):
    """See ``EmbeddingRow``."""

    item = models.ForeignKey(
        SearchEntry, on_delete=models.CASCADE, related_name="+", db_column="item_id"
    )

    class Meta(EmbeddingRow.Meta):
        db_table = "chat_app_entryembedding"
