"""Tell pages that something has changed: no ids of things travel, each page reads its own part."""

from collections.abc import Iterable
from uuid import UUID

from chat_app.live.records import INBOX, user_channel
from one_project.common.publish import publish_on_commit


def flows_channel(organisation_id: UUID | str) -> str:
    """Followed by the pages of an organisation's staff."""
    return f"one:f:{organisation_id}"


def announce_flows(organisation_id: UUID, people: Iterable[UUID | None] = ()) -> None:
    """After the commit: to staff's pages of this organisation, and to these people's."""
    publish_on_commit(flows_channel(organisation_id), INBOX)
    for person in {one for one in people if one is not None}:
        publish_on_commit(user_channel(person), INBOX)
