"""Files of messages: who may attach one, what a message keeps of it, and how uses are counted."""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, Final
from urllib.parse import unquote_to_bytes
from uuid import UUID

from agents_app.errors import FileTooLarge, StoredFileNotFound
from agents_app.models import StoredFile
from agents_app.providers.parts import FilePart, Part
from agents_app.runtime.store import NewMessage
from agents_app.services.files import (
    clean_filename,
    find_file,
    part_of,
    release_files,
    store_file,
    use_files,
)
from chat_app.models import Message, Thread
from one_project.accounts.models import User
from one_project.common.errors import InvalidInput
from one_project.common.ids import parse_id

MAX_FILES: Final = 10
# FI-1: what is larger is stored, and the message keeps its id.
INLINE_BYTES: Final = 65_536
TOO_MANY: Final = f"A message can have {MAX_FILES} files at most."
_DATA_URL = re.compile(r"data:([^;,]{0,120})((?:;[^;,]{0,120})*),", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody sends: its name as they have it, and its bytes to be read once."""

    filename: str
    data: IO[bytes]


def keep_uploads(
    organisation_id: UUID, user: User, uploads: Sequence[Upload], *, beside: int = 0
) -> tuple[list[StoredFile], list[str]]:
    """Store what ``user`` wants to attach; returns the files, and a sentence for each refused one.

    ``beside``: how many are attached already. Raises InvalidInput for more than ten in all.
    """
    if not uploads:
        raise InvalidInput("Please choose a file.")
    if len(uploads) + beside > MAX_FILES:
        raise InvalidInput(TOO_MANY)
    kept: dict[UUID, StoredFile] = {}
    problems: list[str] = []
    for upload in uploads:
        try:
            row = store_file(
                organisation_id, upload.data, filename=upload.filename, created_by=user
            )
            kept[row.pk] = row
        except FileTooLarge as error:
            problems.append(f"{clean_filename(upload.filename)}: {error.user_message}")
    return list(kept.values()), problems


def attachable_files(
    organisation_id: UUID, user: User, ids: Iterable[UUID | str]
) -> list[StoredFile]:
    """The files, each once, in the order given: stored by the person, or said in a thread they see.

    Raises StoredFileNotFound for all others, and for what is no id; InvalidInput for too many.
    """
    wanted = list(dict.fromkeys(parse_id(key) for key in ids))
    if len(wanted) > MAX_FILES:
        raise InvalidInput(TOO_MANY)
    found = []
    for key in wanted:
        if key is None:
            raise StoredFileNotFound
        row = find_file(organisation_id, key)
        if user.pk not in row.stored_by and not _is_said_to(user, organisation_id, key):
            raise StoredFileNotFound
        found.append(row)
    return found


def _is_said_to(user: User, organisation_id: UUID, file_id: UUID) -> bool:
    threads = Thread.objects.visible_to(user).filter(organisation=organisation_id)
    mentions = [{"type": "file", "file_id": str(file_id)}]
    return Message.objects.filter(
        thread__in=threads.values("pk"), content__contains=mentions
    ).exists()


def attached_parts(
    organisation_id: UUID, user: User | None, ids: Sequence[UUID | str]
) -> list[Part]:
    """What a message keeps of its files. Raises as ``attachable_files``."""
    if not ids:
        return []
    if user is None:
        raise StoredFileNotFound
    return [part_of(row) for row in attachable_files(organisation_id, user, ids)]


def file_of_message(message: Message, file_id: UUID) -> StoredFile:
    """A file that the (already permitted) message carries. Raises StoredFileNotFound."""
    if str(file_id) not in file_ids(message.content):
        raise StoredFileNotFound
    return find_file(message.organisation_id, file_id)


def file_ids(content: Iterable[dict[str, Any]]) -> list[str]:
    """The stored files of a message's content, each time it is there."""
    return [part["file_id"] for part in content if part.get("type") == "file" and "file_id" in part]


def files_changed(
    organisation_id: UUID, *, before: Iterable[str] = (), after: Iterable[str] = ()
) -> None:
    """Count that messages carry the files ``after`` and no more those ``before``."""
    use_files(organisation_id, after)
    release_files(organisation_id, before)


def release_files_of(message_ids: Sequence[UUID]) -> None:
    """The messages are about to be deleted for good, in this transaction (FI-3)."""
    carrying = Message.objects.filter(pk__in=message_ids, content__contains=[{"type": "file"}])
    # Locked, so that of two who delete the same message one counts.
    rows = carrying.order_by("pk").select_for_update(of=("self",))
    lost: dict[UUID, list[str]] = {}
    for organisation_id, content in rows.values_list("organisation_id", "content"):
        lost.setdefault(organisation_id, []).extend(file_ids(content))
    for organisation_id, ids in lost.items():
        release_files(organisation_id, ids)


def without_large_data(
    organisation_id: UUID, parts: Sequence[Part], user: User | None = None
) -> list[Part]:
    """The parts, with inline data over 65,536 bytes stored as files (FI-1).

    Writes to the disk: to be called before the thread is locked. Raises FileTooLarge, and
    InvalidInput for a data address that is none.
    """
    return [
        _stored(organisation_id, part, user) if isinstance(part, FilePart) else part
        for part in parts
    ]


def stored_inputs(
    thread_id: UUID, messages: Sequence[NewMessage], user: User | None
) -> list[NewMessage]:
    """A program's messages, with their large data stored as files (FI-1)."""
    if not any(isinstance(part, FilePart) for message in messages for part in message.parts):
        return list(messages)
    found = Thread.objects.filter(pk=thread_id).values_list("organisation_id", flat=True).first()
    if found is None:
        return list(messages)  # whoever saves them says so
    return [
        replace(message, parts=tuple(without_large_data(found, message.parts, user)))
        for message in messages
    ]


def _stored(organisation_id: UUID, part: FilePart, user: User | None) -> FilePart:
    data, told = part.data, part.media_type
    if part.url is not None and part.url[:5].lower() == "data:":
        if len(part.url) <= INLINE_BYTES:
            return part
        data, told = _from_address(part.url)
    if data is None or part.file_id is not None or len(data) <= INLINE_BYTES:
        return part
    row = store_file(
        organisation_id,
        data,
        filename=part.filename or "file",
        created_by=user,
        media_type=told or part.media_type,
    )
    return replace(part_of(row), provider_metadata=part.provider_metadata)


def _from_address(url: str) -> tuple[bytes, str]:
    """Bytes and media type of a ``data:`` address."""
    head = _DATA_URL.match(url)
    if head is None:
        raise InvalidInput("This data address cannot be read.")
    data = unquote_to_bytes(url[head.end() :])
    if "base64" not in head[2].lower().split(";"):
        return data, head[1]
    try:
        return base64.b64decode(data, validate=True), head[1]
    except binascii.Error as error:
        raise InvalidInput("This data address cannot be read.") from error
