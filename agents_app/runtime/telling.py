"""Handlers of an agent: told of each model call that has ended (AG-16, AG-17)."""

from collections.abc import Awaitable

from agents_app.runtime.agent import RawHandler, UsageHandler, UsageReport
from agents_app.runtime.recorded import Recorder


async def tell(recorder: Recorder, raw: RawHandler | None, usage: UsageHandler | None) -> None:
    """Give the handlers the last call of ``recorder``. What they raise reaches the caller."""
    if not recorder.calls:
        return
    recorded, caller = recorder.calls[-1], recorder.caller
    if raw is not None:
        completion = recorder.answer.completion()
        response = {
            "id": completion.response_id,
            "model": recorded.model,
            "finish_reason": completion.finish_reason,
            "parts": [part.to_json() for part in completion.parts],
        }
        await settled(raw(recorder.request.to_json(), response))
    if usage is not None:
        report = UsageReport(
            organisation_id=caller.organisation_id,
            user_id=caller.user_id,
            thread_id=caller.thread_id,
            agent_name=caller.agent_name,
            model=recorded.model,
            provider=recorded.provider,
            usage=recorded.usage,
        )
        await settled(usage(report))


async def settled(value: "Awaitable[None] | None") -> None:
    """Handlers may be plain or async."""
    if value is not None:
        await value
