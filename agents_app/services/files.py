"""Files that messages carry: stored once, counted by use, read again.

Bytes lie in ``providers.blobs``, one blob for all rows of an organisation with the same hash. The
blob is written before its row, and removed after its last row (``keeping_files``); a lock on the
hash keeps the two apart.
"""

import hashlib
import logging
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import IO, Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from agents_app.errors import FileDamaged, FileTooLarge, StoredFileNotFound
from agents_app.models import StoredFile
from agents_app.models.files import NAME_LIMIT, PICTURES
from agents_app.providers.blobs import blob_name, has_blob, open_blob, put_blob
from agents_app.providers.parts import FilePart
from agents_app.runtime.file_types import media_type_of, picture_size
from one_project.accounts.models import Organisation, User
from one_project.common.ids import parse_id
from one_project.common.tenancy import in_tenant
from one_project.common.text import clean_line

logger = logging.getLogger(__name__)

CHUNK: Final = 256 * 1024
# Below this a file is kept in memory while it is stored.
SPOOL: Final = 1024 * 1024
# Bytes from the start, by which a picture tells its size: cameras write much before it.
HEAD: Final = 256 * 1024
# Characters that turn the direction of text: they make "exe.txt" look like another name.
_TURNS: Final = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F])

Data = bytes | IO[bytes] | Iterable[bytes]


def store_file(
    organisation: Organisation | UUID,
    data: Data,
    *,
    filename: str,
    created_by: User | None = None,
    media_type: str = "",
    expected_sha256: str | None = None,
    max_bytes: int | None = None,
) -> StoredFile:
    """Keep the bytes under a name; what is there already is found and touched (FI-2).

    ``data`` is read once, in pieces. ``media_type`` counts only where the bytes do not tell
    (FI-7). Nobody uses the file yet (FI-3): a day later it is gone, unless a message carries it.
    Raises FileTooLarge (over ``max_bytes``, else ONE_FILE_MAX_BYTES), and FileDamaged where the
    hash is another.
    """
    tenant = organisation.pk if isinstance(organisation, Organisation) else organisation
    limit: int = max_bytes or settings.ONE_FILE_MAX_BYTES
    with _spooled(data, limit) as file:
        sha256, size, head = _looked_at(file, limit)
        if expected_sha256 is not None and expected_sha256.lower() != sha256:
            raise FileDamaged(detail=f"expected {expected_sha256[:64]}, got {sha256}")
        row = StoredFile(
            organisation_id=tenant,
            sha256=sha256,
            size=size,
            filename=clean_filename(filename),
            media_type=media_type_of(file, head, media_type),
            storage_name=blob_name(tenant, sha256),
            created_by=created_by,
            stored_by=[created_by.pk] if created_by else [],
        )
        if row.media_type in PICTURES and (found := picture_size(head)):
            row.meta = {"width": found[0], "height": found[1]}
        if not has_blob(row.storage_name, size):
            put_blob(row.storage_name, file)
        with in_tenant(tenant):
            lock_blob(row.storage_name)
            # Since we looked, a vacuum may have taken the blob with its last row.
            if not has_blob(row.storage_name, size):
                put_blob(row.storage_name, file)
            return _registered(row)


def _registered(row: StoredFile) -> StoredFile:
    """The row, or the one that was there. The blob is locked, so nobody is faster."""
    found = StoredFile.objects.filter(
        organisation_id=row.organisation_id,
        sha256=row.sha256,
        filename=row.filename,
        media_type=row.media_type,
    ).first()
    if found is not None:
        found.stored_by = list(dict.fromkeys([*found.stored_by, *row.stored_by]))
        kept = StoredFile.objects.filter(pk=found.pk)
        if kept.update(stored_by=found.stored_by, touched_at=Now()):
            return found
        # A vacuum was just taking it.
    row.save(force_insert=True)
    return row


def lock_blob(storage_name: str) -> None:
    """Until the end of the transaction nobody else registers or removes this blob."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 5))", [storage_name])


def use_files(organisation_id: UUID, ids: Iterable[UUID | str]) -> None:
    """One more use for each mention of a file, in the caller's transaction (FI-3).

    Raises StoredFileNotFound where one is gone or of another organisation.
    """
    counted = _counted(ids)
    if not counted:
        return
    with in_tenant(organisation_id):
        for key, times in counted:
            row = StoredFile.objects.filter(pk=key, organisation_id=organisation_id)
            if not row.update(refcount=F("refcount") + times, touched_at=Now()):
                raise StoredFileNotFound


def release_files(organisation_id: UUID, ids: Iterable[UUID | str]) -> None:
    """One use less for each mention, in the caller's transaction; never below none (FI-3)."""
    counted = _counted(ids)
    if not counted:
        return
    with in_tenant(organisation_id):
        for key, times in counted:
            row = StoredFile.objects.filter(pk=key, organisation_id=organisation_id)
            used = row.filter(refcount__gte=times)
            if not used.update(refcount=F("refcount") - times, touched_at=Now()):
                logger.error("file %s was released more often than it was used", key)
                row.update(refcount=0)


def get_file(organisation_id: UUID, file_id: UUID | str, *, inline: bool = False) -> FilePart:
    """The file as a part of a message: ``is_image`` for pictures (FI-5).

    ``inline``: with its bytes. Raises StoredFileNotFound, also for files of other organisations.
    """
    row = find_file(organisation_id, file_id)
    data = None
    if inline:
        with open_file(row) as file:
            data = file.read()
    return part_of(row, data)


def part_of(row: StoredFile, data: bytes | None = None) -> FilePart:
    """What a message keeps of a stored file."""
    return FilePart(
        row.media_type, filename=row.filename, file_id=str(row.pk), size=row.size, data=data
    )


def find_file(organisation_id: UUID, file_id: UUID | str) -> StoredFile:
    """The row, without its text. Raises StoredFileNotFound, also for other organisations' files."""
    wanted = parse_id(file_id)
    if wanted is None:
        raise StoredFileNotFound
    with in_tenant(organisation_id):
        rows = StoredFile.objects.filter(pk=wanted, organisation_id=organisation_id)
        found = rows.defer("text").first()
    if found is None:
        raise StoredFileNotFound
    return found


def open_file(row: StoredFile) -> IO[bytes]:
    """Its bytes, to be closed by the caller. Raises StoredFileNotFound where the blob is lost."""
    try:
        return open_blob(row.storage_name)
    except OSError as error:
        logger.error("the blob of file %s cannot be opened: %s", row.pk, error)
        raise StoredFileNotFound from error


def clean_filename(name: str) -> str:
    """A name without folders, controls and turned letters: 255 characters with its ending."""
    last = name.replace("\\", "/").rpartition("/")[2]
    line = clean_line(last.translate(_TURNS), 4 * NAME_LIMIT)
    if len(line) > NAME_LIMIT:
        stem, dot, ending = line.rpartition(".")
        kept = f"{dot}{ending}" if stem and len(ending) <= 20 else ""
        line = line[: NAME_LIMIT - len(kept)] + kept
    return line if line.strip(". ") else "file"


def _counted(ids: Iterable[UUID | str]) -> list[tuple[UUID, int]]:
    """By key in one order for everybody, so that two callers never wait for each other."""
    counted = Counter(str(key) for key in ids)
    keys = {parse_id(key): times for key, times in counted.items()}
    if None in keys or {str(key) for key in keys} != counted.keys():
        raise StoredFileNotFound
    return sorted((key, times) for key, times in keys.items() if key)


@contextmanager
def _spooled(data: Data, limit: int) -> Iterator[IO[bytes]]:
    """The bytes as a file that can be read twice. Raises FileTooLarge."""
    if isinstance(data, bytes):
        yield BytesIO(data)
        return
    source: Any = data
    if hasattr(source, "seek") and hasattr(source, "read"):
        yield source
        return
    with tempfile.SpooledTemporaryFile(SPOOL) as file:
        total = 0
        for piece in source:
            total += len(piece)
            _check_size(total, limit)
            file.write(piece)
        yield file


def _looked_at(file: IO[bytes], limit: int) -> tuple[str, int, bytes]:
    """Hash (hex), size and first bytes. Raises FileTooLarge."""
    file.seek(0)
    digest, size, head = hashlib.sha256(), 0, b""
    while piece := file.read(CHUNK):
        size += len(piece)
        _check_size(size, limit)
        digest.update(piece)
        head = head or piece[:HEAD]
    return digest.hexdigest(), size, head


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise FileTooLarge(f"This file is too large: the limit is {limit / 1024**2:,.4g} MiB.")
