"""The vector that a context is going to ask for, found before it is read."""

from collections.abc import Sequence

from agents_app.providers.parts import ChatMessage
from agents_app.runtime.recorded import Caller, RecordedCall
from agents_app.search.query_vectors import query_vector
from agents_app.types import AgentOptions


async def know_vector(
    caller: Caller, options: AgentOptions, prompt: ChatMessage | None
) -> Sequence[RecordedCall]:
    """Have the prompt's vector where building the context looks, if the options want it (CX-8).

    Returns the calls of a model that it took. ``caller`` has an organisation.
    """
    wanted = options.context is not None and options.context.search_options.vector_search
    if not wanted or prompt is None or not prompt.plain_text or caller.organisation_id is None:
        return ()
    found = await query_vector(caller.organisation_id, prompt.plain_text, caller=caller)
    return found.calls
