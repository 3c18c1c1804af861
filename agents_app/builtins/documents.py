"""What the organisation has written down."""

from typing import Any

from pydantic import Field

from agents_app.models import Effect
from agents_app.services.knowledge import remove_document, search_documents
from agents_app.tools.definitions import Arguments, ToolContext, ToolError, tool
from one_project.common.errors import AppError


class SearchKnowledge(Arguments):
    query: str = Field(min_length=1, max_length=400, description="Words that the answer contains.")
    limit: int = Field(5, ge=1, le=20)


@tool(name="search_knowledge", title="Search the documents")
def search_knowledge(arguments: SearchKnowledge, context: ToolContext) -> list[dict[str, Any]]:
    """Search the organisation's documents and get the best passages, each with its title and a
    relevance from 0 to 1. An empty list means that nothing was found."""
    found = search_documents(
        context.organisation, user=context.user, query=arguments.query, limit=arguments.limit
    )
    return [
        {"title": one.title, "content": one.content, "relevance": one.relevance} for one in found
    ]


class DeleteDocument(Arguments):
    title: str = Field(min_length=1, max_length=200, description="The whole title.")


@tool(
    name="delete_document",
    title="Delete a document",
    effect=Effect.DESTRUCTIVE,
    in_transaction=True,
)
def delete_document(arguments: DeleteDocument, context: ToolContext) -> dict[str, str]:
    """Delete a document of the organisation for good, by its title."""
    try:
        title = remove_document(context.organisation, user=context.user, title=arguments.title)
    except AppError as error:
        raise ToolError(error.user_message, code=error.code) from error
    return {"deleted": title}
