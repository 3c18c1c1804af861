"""What an organisation's agents may look up: small texts, found by their words."""

import re
from typing import Final

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector
from django.db import models
from django.db.models import Q
from django.db.models.expressions import Combinable

from one_project.accounts.models import Membership, Organisation, User
from one_project.common.models import ChangingEntity

CONFIG: Final = "english"
MAX_QUERY_WORDS = 32
# The index of a longer text may not fit into one row of Postgres.
TEXT_LIMIT = 100_000
TITLE_LIMIT = 200

_WORD = re.compile(r"[^\W_]+")


def document_words() -> Combinable:
    """As the index has it: words of the title count for more."""
    return SearchVector("title", weight="A", config=CONFIG) + SearchVector(
        "text", weight="B", config=CONFIG
    )


def any_word_of(text: str) -> SearchQuery | None:
    """A query that any word of a text meets; None when it has none."""
    words = list(dict.fromkeys(_WORD.findall(text.lower())))[:MAX_QUERY_WORDS]
    if not words:
        return None
    # Quoted, so that "or" and "-" in a question are words as well.
    quoted = " or ".join(f'"{word}"' for word in words)
    return SearchQuery(quoted, config=CONFIG, search_type="websearch")


class DocumentQuerySet(models.QuerySet["Document"]):
    def visible_to(self, user: User | None, organisation: Organisation) -> "DocumentQuerySet":
        """The shared ones and the person's own; for a program (None) the shared ones."""
        found = self.filter(organisation=organisation)
        if user is None:
            return found.filter(is_shared=True)
        if not Membership.objects.active().filter(user=user, organisation=organisation).exists():
            return found.none()
        return found.filter(Q(is_shared=True) | Q(created_by=user))

    def matching(self, query: SearchQuery) -> "DocumentQuerySet":
        """Those with a word of the query, best first; ``rank`` is from 0 to 1."""
        ranked = self.annotate(
            words=document_words(),
            # 32: the rank divided by itself plus one.
            rank=SearchRank(document_words(), query, normalization=models.Value(32)),
        )
        return ranked.filter(words=query).order_by("-rank", "title", "pk")


class Document(ChangingEntity):
    """A text that agents search; private to ``created_by`` unless shared."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="documents"
    )
    title = models.CharField(max_length=TITLE_LIMIT)
    text = models.TextField()
    is_shared = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="documents"
    )

    objects = DocumentQuerySet.as_manager()

    class Meta:
        indexes = [
            # The search by words.
            GinIndex(document_words(), name="document_words"),
            # A document by its title, and the list of an organisation's.
            models.Index(fields=["organisation", "title"], name="document_title"),
        ]

    def __str__(self) -> str:
        return self.title
