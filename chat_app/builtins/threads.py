"""Tools on the conversation itself."""

from typing import Any

from pydantic import Field

from agents_app.models import Effect
from agents_app.runtime.recorded_embeddings import searcher
from agents_app.runtime.telling import heard
from agents_app.search.query_vectors import QueryVector, query_vector
from agents_app.tools.definitions import Arguments, ToolContext, ToolError, Waiting, tool
from chat_app.conf import TITLE_LIMIT
from chat_app.models import Message, Thread, TitleBy
from chat_app.search.finding import Found
from chat_app.services import searching as search
from chat_app.services.changes import changing
from chat_app.services.delegation import delegate
from one_project.common.database import in_thread
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
    query: str = Field(min_length=1, max_length=400, description="What was said, in any words.")
    limit: int = Field(10, ge=1, le=50)
    other_threads: bool = Field(
        False, description="Also in the person's other threads with the same people."
    )


@tool(name="search_messages", title="Search messages", effect=Effect.READ)
async def search_messages(arguments: SearchMessages, context: ToolContext) -> dict[str, Any]:
    """Find what was said earlier, in this thread or in all of the person's threads, by words and
    by meaning, and what was changed on the canvas. The best come first."""
    vector = await query_vector(context.organisation.pk, arguments.query, caller=searcher(context))
    heard(vector.calls)
    return await in_thread(search_as_told, arguments, context, vector)


def search_as_told(
    arguments: SearchMessages, context: ToolContext, vector: QueryVector
) -> dict[str, Any]:
    """What the tool answers, once it has the query's vector or none."""
    key = context.thread_id
    thread = Thread.objects.present().filter(pk=key).first() if key else None
    if thread is None:
        raise ToolError("This tool works in a thread only.")
    asked = Message.objects.filter(pk=context.message_id).first() if context.message_id else None
    found = search.search_messages(
        context.organisation,
        user=context.user,
        thread=thread,
        text=arguments.query,
        vector=vector,
        other_threads=arguments.other_threads and context.user is not None,
        # The question would be its own best answer.
        before_order=asked.order if asked else None,
        limit=arguments.limit,
    )
    # What models are not to be told is no answer to one.
    found = [one for one in found if not (one.message and "skip_context" in one.message.meta)]
    told: dict[str, Any] = {"messages": [_told(one) for one in found]}
    if vector.degraded:
        told["note"] = "Found by words only: search by meaning is not available now."
    return told


def _told(one: Found) -> dict[str, Any]:
    if one.edit is not None:
        who, text = one.edit.actor_name, f"Changed on the canvas: {one.edit.after}"
    else:
        assert one.message is not None
        who, text = one.message.author_name, one.message.text
    return {
        "author": who,
        "text": text[:EXCERPT],
        "thread": one.entry.thread.display_title,
        "at": one.entry.said_at.isoformat(timespec="minutes"),
        "relevance": one.hit.relevance,
    }


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
