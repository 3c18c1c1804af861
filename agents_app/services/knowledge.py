"""Documents that agents look things up in: added, found by their words, removed."""

from dataclasses import dataclass
from uuid import UUID

from django.contrib.postgres.search import SearchHeadline
from django.db import transaction

from agents_app.models.documents import (
    CONFIG,
    TEXT_LIMIT,
    TITLE_LIMIT,
    Document,
    any_word_of,
)
from one_project.accounts.access import access_membership, find_membership
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import AccessDenied, Conflict, InvalidInput, NotFound
from one_project.common.text import clean_line, clean_text

PASSAGE_WORDS = 120
MAX_RESULTS = 20


@dataclass(frozen=True, slots=True)
class Passage:
    """The best part of a document. relevance: from 0 to 1."""

    title: str
    content: str
    relevance: float


@transaction.atomic
def add_document(
    organisation: Organisation,
    *,
    title: str,
    text: str,
    created_by: User | None = None,
    is_shared: bool = False,
) -> Document:
    """A new document. ``created_by`` None means the installation itself, and needs ``is_shared``.

    Raises InvalidInput for an empty title or text or one that is too long, NotFound for outsiders.
    """
    title, text = clean_line(title, TITLE_LIMIT), clean_text(text).strip()
    if not title or not text:
        raise InvalidInput("A document needs a title and a text.")
    if len(text) > TEXT_LIMIT:
        raise InvalidInput(f"A document has at most {TEXT_LIMIT:,} characters.")
    if created_by is not None:
        access_membership(created_by, organisation)
    elif not is_shared:
        raise InvalidInput("A document that belongs to nobody has to be shared.")
    document = Document.objects.create(
        organisation=organisation,
        title=title,
        text=text,
        created_by=created_by,
        is_shared=is_shared,
    )
    record_event(organisation, "document_added", actor=created_by, target=f"document:{document.pk}")
    return document


def search_documents(
    organisation: Organisation, *, user: User | None, query: str, limit: int = 5
) -> list[Passage]:
    """The passages that share most words with the query, best first.

    ``user`` None: a program asks, which sees what is shared.
    """
    words = any_word_of(query)
    if words is None:
        return []
    visible = Document.objects.visible_to(user, organisation)
    best = visible.matching(words).only("pk")[: min(limit, MAX_RESULTS)]
    ranks: dict[UUID, float] = {row.pk: getattr(row, "rank", 0.0) for row in best}
    # Apart from the ranking: cutting out a passage reads the text again, so only of these few.
    headline = SearchHeadline(
        "text",
        words,
        config=CONFIG,
        start_sel="",
        stop_sel="",
        max_words=PASSAGE_WORDS,
        min_words=PASSAGE_WORDS // 2,
    )
    rows = Document.objects.filter(pk__in=ranks).annotate(passage=headline)
    found = {
        row.pk: Passage(row.title, str(getattr(row, "passage", "")), round(ranks[row.pk], 3))
        for row in rows
    }
    return [found[pk] for pk in ranks if pk in found]


@transaction.atomic
def remove_document(organisation: Organisation, *, user: User | None, title: str) -> str:
    """Delete the document of this title for good; returns the title.

    People remove their own, admins also shared ones, programs (``user`` None) what is shared.
    Raises NotFound when there is none for this person, Conflict when several have the title,
    AccessDenied for a shared one of somebody else.
    """
    wanted = clean_line(title, TITLE_LIMIT)
    visible = Document.objects.visible_to(user, organisation).filter(title__iexact=wanted)
    found = list(visible.select_for_update()[:2])
    if not found:
        raise NotFound("There is no document of this title.")
    if len(found) > 1:
        raise Conflict("Several documents have this title; please remove it by hand.")
    document = found[0]
    if user is not None and document.created_by_id != user.pk:
        membership = find_membership(user, organisation.pk)
        if membership is None or not membership.is_admin:
            raise AccessDenied("Only its owner or an admin can delete this document.")
    record_event(organisation, "document_removed", actor=user, target=f"document:{document.pk}")
    document.delete()
    return document.title
