"""The socket of the pages of flows and lessons: it says that something changed, never what."""

from uuid import UUID

from chat_app.consumers import InboxConsumer
from chat_app.live import records
from chat_app.live.hub import get_hub
from flows_app.live.announce import flows_channel
from one_project.accounts.access import find_membership
from one_project.accounts.models import Role, User
from one_project.common.database import in_thread


class FlowsConsumer(InboxConsumer):
    """As the inbox; staff are told of all work of their organisation as well."""

    async def connect(self) -> None:
        await super().connect()
        if self.viewer is None:
            return
        channels = await in_thread(_channels, self.scope["user"].pk)
        self.channels = (*self.channels, *channels)
        await get_hub().join(self.viewer, *channels)
        # Whatever happened between the page and this moment.
        self.viewer.give(records.INBOX)


def _channels(user_id: UUID) -> tuple[str, ...]:
    user = User.objects.get(pk=user_id)
    membership = find_membership(user)
    if membership is None or membership.role == Role.MEMBER:
        return ()
    return (flows_channel(membership.organisation_id),)
