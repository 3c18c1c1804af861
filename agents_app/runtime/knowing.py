"""The vector that a context is going to ask for, found before it is read."""

from uuid import UUID

from agents_app.providers.parts import ChatMessage
from agents_app.search.query_vectors import query_vector
from agents_app.types import AgentOptions


async def know_vector(
    organisation_id: UUID, options: AgentOptions, prompt: ChatMessage | None
) -> None:
    """Have the prompt's vector where building the context looks, if the options want it (CX-8)."""
    wanted = options.context is not None and options.context.search_options.vector_search
    if wanted and prompt is not None and prompt.plain_text:
        await query_vector(organisation_id, prompt.plain_text)
