"""The bytes of stored files, in Django's storage ``files`` (a folder, unless set otherwise).

Names are made of an organisation's key and a hash: nothing that people write is part of a path.
"""

import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Final
from uuid import UUID

from django.core.files import File
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils import timezone

from one_project.common.ids import new_id

# The first two digits of the hash: 256 folders for each organisation.
PREFIXES: Final = tuple(f"{number:02x}" for number in range(256))


def _storage() -> Storage:
    return storages["files"]


def blob_name(organisation_id: UUID, sha256: str) -> str:
    """``<organisation>/<first two digits>/<hash>``."""
    return f"{organisation_id}/{sha256[:2]}/{sha256}"


def has_blob(name: str, size: int) -> bool:
    """Whether the whole of it is there."""
    storage = _storage()
    return storage.exists(name) and storage.size(name) == size


def put_blob(name: str, file: IO[bytes]) -> None:
    """Write all of ``file``; under its name there is nothing or the whole, also after a crash."""
    file.seek(0)
    storage = _storage()
    if not isinstance(storage, FileSystemStorage):
        # Object stores put a whole object or none.
        if storage.exists(name):
            storage.delete(name)
        storage.save(name, File(file))
        return
    target = Path(storage.path(name))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f".{new_id()}.part")
    try:
        with part.open("xb") as out:
            shutil.copyfileobj(file, out, 256 * 1024)
            out.flush()
            os.fsync(out.fileno())
        part.chmod(0o600)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def open_blob(name: str) -> IO[bytes]:
    """Raises OSError where it is gone."""
    return _storage().open(name, "rb")


def remove_blob(name: str) -> None:
    """It may be gone already."""
    _storage().delete(name)


def old_blobs(organisation_id: UUID, prefix: str, before: datetime) -> Iterator[str]:
    """Names in one folder of an organisation, unfinished ones too, not written since ``before``."""
    storage, folder = _storage(), f"{organisation_id}/{prefix}"
    try:
        _, names = storage.listdir(folder)
    except (OSError, RuntimeError):
        return  # no such folder, or a storage that cannot list, whose owner has rules for old files
    for name in names:
        path = f"{folder}/{name}"
        try:
            written = storage.get_modified_time(path)
        except OSError:
            continue  # somebody else has just removed it
        if (written if timezone.is_aware(written) else timezone.make_aware(written)) < before:
            yield path
