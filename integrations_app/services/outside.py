"""What MCP servers and HTTP interfaces have in common: their short names, pausing, removing."""

import re
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction

from integrations_app.errors import InvalidSettings
from integrations_app.models import HttpApi, McpServer
from integrations_app.services.remote_tools import Owner, forget_all
from one_project.accounts.access import access_membership
from one_project.accounts.models import Role, User
from one_project.accounts.services.events import record_event
from one_project.common.publish import publish_on_commit
from one_project.common.text import clean_line

SLUG_RULE: Final = "Small letters, digits and single -, 24 at most."
SLUG_TAKEN: Final = "Another one of the organisation has this short name."
_SLUG: Final = re.compile(r"^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$")
_KINDS: tuple[Any, ...] = (McpServer, HttpApi)


@transaction.atomic
def switch(row: Owner, *, by: User, is_active: bool) -> None:
    """Pause it, or let it be used again. Raises AccessDenied."""
    access_membership(by, row.organisation, Role.ADMIN)
    row.is_active = is_active
    row.save(update_fields=["is_active", "updated_at"])
    record(row, "outside_resumed" if is_active else "outside_paused", by)


@transaction.atomic
def remove(row: Owner, *, by: User) -> None:
    """Delete it, its credentials and its tools. Raises AccessDenied."""
    access_membership(by, row.organisation, Role.ADMIN)
    forget_all(row)
    record(row, "outside_removed", by)
    row.delete()


def set_names(row: Owner, name: str, slug: str) -> None:
    """Name and short name, unsaved. Raises InvalidSettings."""
    row.name, row.slug = clean_line(name, 120), slug.strip()
    problems: dict[str, str] = {}
    if not row.name:
        problems["name"] = "Please give it a name."
    if not _SLUG.match(row.slug) or "--" in row.slug:
        problems["slug"] = SLUG_RULE
    if problems:
        raise InvalidSettings(problems)


def save_with_slug(row: Owner) -> None:
    """Save; two of one organisation must not share their tools' prefix. Raises InvalidSettings."""
    for kind in _KINDS:
        others = kind.objects.filter(organisation=row.organisation, slug=row.slug)
        if others.exclude(pk=row.pk).exists():
            raise InvalidSettings({"slug": SLUG_TAKEN})
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise InvalidSettings({"slug": SLUG_TAKEN}) from None


def record(row: Owner, kind: str, by: User) -> None:
    """What was done to it, in the caller's transaction."""
    target = f"{row._meta.model_name}:{row.pk}"
    record_event(row.organisation, kind, actor=by, target=target, data={"name": row.name})
    wake(by.pk)


def wake(user_id: UUID) -> None:
    """Have a person's pages look again."""
    publish_on_commit(f"one:u:{user_id}", b"i\n")
