"""Tools on the conversation itself."""

from typing import Any
from uuid import UUID

from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector
from django.db.models import Exists, OuterRef, QuerySet
from pydantic import Field

from agents_app.models import Effect
from agents_app.tools.definitions import Arguments, ToolContext, ToolError, Waiting, tool
from chat_app.conf import TITLE_LIMIT
from chat_app.models import Message, MessageStatus, Thread, ThreadParticipant, TitleBy
from chat_app.services.changes import changing
from chat_app.services.delegation import delegate
from one_project.accounts.models import User
from one_project.common.text import clean_line

EXCERPT = 500


class UpdateThreadTitle(Arguments):
    title: str = Field(min_length=1, max_length=TITLE_LIMIT)


@tool(name="update_thread_title", title="Name the thread", effect=Effect.WRITE, in_transaction=True)
def update_thread_title(arguments: UpdateThreadTitle, context: ToolContext) -> dict[str, str]:
    """Give this conversation a short title that says what it is about."""
    title = clean_line(arguments.title, TITLE_LIMIT)
    if context.thread_id is None or not title:
        raise ToolError("There is no thread to name, or the title is empty.")
    with changing(context.thread_id) as change:
        change.set_thread(title=title, title_by=TitleBy.AGENT)
    return {"title": title}


class SearchMessages(Arguments):
    query: str = Field(min_length=1, max_length=400)
    limit: int = Field(10, ge=1, le=50)
    other_threads: bool = Field(
        False, description="Also in the person's other threads with the same people."
    )


@tool(name="search_messages", title="Search messages", effect=Effect.READ)
def search_messages(arguments: SearchMessages, context: ToolContext) -> list[dict[str, Any]]:
    """Find earlier messages by their words, in this thread or in all of the person's threads."""
    if context.thread_id is None:
        raise ToolError("This tool works in a thread only.")
    messages = (
        Message.objects.current()
        .without_tools()
        .filter(organisation=context.organisation, status=MessageStatus.SUCCESS)
    )
    messages = messages.exclude(meta__contains={"skip_context": True})
    if arguments.other_threads and context.user is not None:
        messages = messages.filter(thread__in=_shared_by_all(context.thread_id, context.user))
    else:
        messages = messages.filter(thread_id=context.thread_id)
    if context.message_id is not None:
        messages = messages.exclude(pk=context.message_id)
    words = [word for word in arguments.query.split() if word.strip("\"'()&|!:*")]
    query = SearchQuery(" OR ".join(words), config="simple", search_type="websearch")
    vector = SearchVector("text", config="simple")
    found = (
        messages.annotate(words=vector, rank=SearchRank(vector, query))
        .filter(words=query)
        .select_related("thread")
        .order_by("-rank", "-created_at")[: arguments.limit]
    )
    return [
        {
            "author": message.author_name,
            "text": message.text[:EXCERPT],
            "thread": message.thread.display_title,
            "at": message.created_at.isoformat(timespec="minutes"),
        }
        for message in found
    ]


def _shared_by_all(thread_id: UUID, user: User) -> QuerySet[Thread]:
    """Threads of the person in which everybody takes part who takes part here: what is found is
    shown here."""
    here = ThreadParticipant.objects.filter(thread=thread_id, user__isnull=False)
    there = ThreadParticipant.objects.filter(thread=OuterRef(OuterRef("pk")), user__isnull=False)
    missing = here.exclude(user=user).exclude(user_id__in=there.values("user_id"))
    return Thread.objects.visible_to(user).filter(~Exists(missing))


class Delegate(Arguments):
    agent: str = Field(description="The name of the agent.")
    task: str = Field(
        min_length=1,
        max_length=8000,
        description="What it is to do, with everything it needs to know.",
    )


@tool(
    name="delegate_to_agent",
    title="Delegate to an agent",
    effect=Effect.WRITE,
    in_transaction=True,
)
def delegate_to_agent(arguments: Delegate, context: ToolContext) -> Waiting:
    """Have another agent do a piece of the work; its answer is the result."""
    return delegate(context, agent=arguments.agent, task=arguments.task)
