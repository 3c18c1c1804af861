"""The vacuum: files that no message has carried for a day, and blobs that no row names."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agents_app.models import StoredFile
from agents_app.providers.blobs import PREFIXES, old_blobs, remove_blob
from agents_app.services.files import lock_blob
from one_project.accounts.models import Organisation
from one_project.common.tenancy import in_tenant

logger = logging.getLogger(__name__)

KEEP: Final = timedelta(hours=24)
PAGE: Final = 100


def vacuum_files(*, force: bool = False) -> int:
    """Remove what nobody uses and nobody has touched for 24 h (FI-4); returns how many files.

    ``force``: however lately they were touched. Each page of 100 is a transaction of its own.
    """
    now = timezone.now()
    before = now if force else now - KEEP
    # Folders are looked through in turns: all of them once in 24 runs.
    folders = PREFIXES if force else PREFIXES[now.hour :: 24]
    gone = 0
    for key in Organisation.objects.order_by("pk").values_list("pk", flat=True).iterator():
        while count := _remove_page(key, before):
            gone += count
        for prefix in folders:
            _remove_orphans(key, prefix, now - KEEP)
    return gone


def _remove_page(organisation_id: UUID, before: datetime) -> int:
    with in_tenant(organisation_id):
        unused = StoredFile.objects.filter(
            organisation_id=organisation_id, refcount=0, touched_at__lt=before
        )
        # A row that somebody is just beginning to use is theirs.
        page = unused.order_by("touched_at").select_for_update(skip_locked=True)[:PAGE]
        rows = dict(page.values_list("pk", "storage_name"))
        StoredFile.objects.filter(pk__in=rows).delete()
        for name in set(rows.values()):
            transaction.on_commit(partial(remove_unnamed, organisation_id, [name]))
    return len(rows)


def remove_unnamed(organisation_id: UUID, names: Sequence[str]) -> None:
    """Remove those of the blobs that no row of the organisation names any more.

    While we look nobody else can register them, so a blob that is being stored again stays.
    """
    for name in names:
        with in_tenant(organisation_id):
            lock_blob(name)
            rows = StoredFile.objects.filter(
                organisation_id=organisation_id, sha256=name.rpartition("/")[2]
            )
            if rows.exists():
                continue
            try:
                remove_blob(name)
            except OSError as error:
                # It stays as an orphan, which a later run finds.
                logger.warning("the blob %s was not removed: %s", name, error)


def _remove_orphans(organisation_id: UUID, prefix: str, before: datetime) -> None:
    """What a crash has left between the blob and its row, or after its last row."""
    names = list(old_blobs(organisation_id, prefix, before))
    for start in range(0, len(names), PAGE):
        page = names[start : start + PAGE]
        with in_tenant(organisation_id):
            rows = StoredFile.objects.filter(
                organisation_id=organisation_id,
                sha256__in=[name.rpartition("/")[2] for name in page],
            )
            known = set(rows.values_list("storage_name", flat=True))
        remove_unnamed(organisation_id, [name for name in page if name not in known])
