"""What was said earlier and elsewhere that the question is about: the search part of a context."""

from django.db.models import Exists, OuterRef, QuerySet

from agents_app.search.query_vectors import known_vector
from agents_app.types import ContextOptions
from chat_app.models import EntryKind, Message, Thread, ThreadParticipant
from chat_app.models.messages import MessageQuerySet
from chat_app.search.finding import WORDS_ONLY, Where, find_entries
from chat_app.search.ranges import with_ranges
from one_project.accounts.models import Organisation, User


def recall(
    thread: Thread,
    text: str,
    context: ContextOptions,
    *,
    organisation: Organisation,
    person: User | None,
    before_order: int | None,
    rows: MessageQuerySet,
) -> list[Message]:
    """The hits for ``text`` and what stands around them, in the order of time (CX-4 to CX-7).

    person: whose other threads are searched, where the options say so. before_order: of this
    thread, only what is older. The vector of the text is taken from where ``query_vector`` has put
    it; without one the words have to do, and with neither nothing is found.
    """
    wanted = context.search_options
    vector = known_vector(organisation.pk, text) if wanted.vector_search else WORDS_ONLY
    others = context.search_other_threads and person is not None
    found = find_entries(
        Where(
            organisation=organisation,
            threads=threads_shown_to_all(thread, person if others else None),
            thread_id=thread.pk,
            before_order=before_order,
            kinds=(EntryKind.MESSAGE,),
        ),
        text,
        limit=wanted.limit,
        vector=vector,
        # An embedder that is away must not leave a search for meaning with nothing.
        text_search=wanted.text_search or vector.vector is None,
        threshold=wanted.vector_score_threshold,
        strict=False,
    )
    hits = [one.message for one in found if one.message is not None]
    told = {message.pk: message for message in rows.filter(pk__in=[hit.pk for hit in hits])}
    return with_ranges(
        [told[hit.pk] for hit in hits if hit.pk in told],
        rows,
        before=wanted.message_range_before,
        after=wanted.message_range_after,
        thread_id=thread.pk,
        before_order=before_order,
    )


def threads_shown_to_all(thread: Thread, person: User | None) -> QuerySet[Thread]:
    """This thread and, of a person, those in which everybody takes part who takes part here: what
    is found there is shown here."""
    here = Thread.objects.filter(pk=thread.pk)
    if person is None:
        return here
    people = ThreadParticipant.objects.filter(thread=thread.pk, user__isnull=False)
    there = ThreadParticipant.objects.filter(thread=OuterRef(OuterRef("pk")), user__isnull=False)
    missing = people.exclude(user=person).exclude(user_id__in=there.values("user_id"))
    mine = Thread.objects.visible_to(person).filter(
        ~Exists(missing), organisation=thread.organisation_id
    )
    return mine | here
