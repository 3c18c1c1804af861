"""search_messages: for people and for the agents that work for them."""

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.contrib.postgres.search import SearchHeadline, SearchQuery
from django.db.models import F, TextField
from django.db.models.functions import Coalesce
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from agents_app.search.query_vectors import QueryVector
from agents_app.search.texts import folded
from chat_app.models import EntryKind, SearchEntry, Thread
from chat_app.runtime.recall import threads_shown_to_all
from chat_app.search.finding import WORDS_ONLY, Found, Where, find_entries
from one_project.accounts.access import access_membership
from one_project.accounts.models import Organisation, User
from one_project.common.errors import InvalidInput
from one_project.common.tenancy import in_tenant

MAX_RESULTS: Final = 50
SNIPPET_WORDS: Final = 30
# Characters of the private use area, which no text of ours holds after cleaning.
_START, _STOP = "\ue000", "\ue001"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A hit as a page shows it. html: the passage, its words marked, safe to show."""

    found: Found
    html: SafeString


def search_messages(
    organisation: Organisation,
    *,
    user: User | None = None,
    thread: Thread | None = None,
    text: str,
    vector: QueryVector = WORDS_ONLY,
    other_threads: bool = False,
    limit: int = 10,
    before_order: int | None = None,
    threshold: float = -1.0,
    edits: bool = True,
    prefix: bool = False,
) -> list[Found]:
    """The best messages and edits of the canvas, best first.

    thread: the present one. Alone it is all that is searched; with ``other_threads`` also those of
    ``user`` in which everybody takes part who takes part in it. Without a thread all of the
    person's threads are searched. before_order: of the present thread only what was said before.
    Raises InvalidInput with neither a person nor a thread (T-S2), NotFound for an outsider.
    """
    if user is None and thread is None:
        raise InvalidInput("A search needs a person or a thread.")
    if user is not None:
        access_membership(user, organisation)
    if thread is not None:
        threads = threads_shown_to_all(thread, user if other_threads else None)
    else:
        assert user is not None
        threads = Thread.objects.visible_to(user).filter(organisation=organisation)
    return find_entries(
        Where(
            organisation=organisation,
            threads=threads,
            thread_id=thread.pk if thread else None,
            before_order=before_order,
            kinds=(EntryKind.MESSAGE, EntryKind.EDIT) if edits else (EntryKind.MESSAGE,),
        ),
        text,
        limit=max(0, min(limit, MAX_RESULTS)),
        vector=vector,
        threshold=threshold,
        prefix=prefix,
    )


def snippets(
    organisation: Organisation, text: str, found: list[Found], *, prefix: bool = False
) -> list[Snippet]:
    """The passages of the hits that have the words of ``text``, with these marked."""
    if not found:
        return []
    query = _any_word(text, prefix=prefix)
    headline = SearchHeadline(
        Coalesce(F("message__text"), F("edit__after"), output_field=TextField()),
        query,
        config=settings.ONE_SEARCH_LANGUAGE,
        start_sel=_START,
        stop_sel=_STOP,
        max_words=SNIPPET_WORDS,
        min_words=SNIPPET_WORDS // 2,
    )
    keys = [one.entry.pk for one in found]
    with in_tenant(organisation.pk):
        rows = SearchEntry.objects.filter(organisation=organisation, pk__in=keys)
        passages = dict(rows.annotate(passage=headline).values_list("pk", "passage"))
    return [Snippet(one, _marked(str(passages.get(one.entry.pk, "")))) for one in found]


def _any_word(text: str, *, prefix: bool) -> SearchQuery:
    words = [word for word in folded(text).split() if any(sign.isalnum() for sign in word)][:32]
    quoted = ["'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for word in words]
    if quoted and prefix:
        quoted[-1] += ":*"
    return SearchQuery(" | ".join(quoted), search_type="raw", config=settings.ONE_SEARCH_LANGUAGE)


def _marked(passage: str) -> SafeString:
    html = str(escape(passage)).replace(_START, "<mark>").replace(_STOP, "</mark>")
    return mark_safe(html)  # noqa: S308 - escaped above; the marks are ours
