"""What the templates need of files: those of a message, and how large they are in words."""

from dataclasses import dataclass

from django import template
from django.template.defaultfilters import filesizeformat
from django.urls import reverse

from agents_app.models.files import PICTURES
from chat_app.models import Message

register = template.Library()

# Larger ones are links: a page of pictures stays quick.
SHOWN_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Attachment:
    """url: of the file, to be saved. picture: address of what the page shows, or empty."""

    filename: str
    size: str
    url: str
    picture: str


@register.filter
def attachments(message: Message) -> list[Attachment]:
    """The stored files that a message carries, in its order."""
    found = []
    for part in message.content:
        if part.get("type") != "file" or "file_id" not in part:
            continue
        place = {
            "thread_id": message.thread_id,
            "message_id": message.pk,
            "file_id": part["file_id"],
        }
        size = part.get("size") or 0
        shown = part.get("media_type") in PICTURES and size <= SHOWN_BYTES
        found.append(
            Attachment(
                filename=part.get("filename") or "file",
                size=in_bytes(size),
                url=reverse("chat:attachment", kwargs=place),
                picture=reverse("chat:picture", kwargs=place) if shown else "",
            )
        )
    return found


@register.filter
def in_bytes(size: int) -> str:
    """As "12.5 KB"."""
    return filesizeformat(size)
