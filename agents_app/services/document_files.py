"""The files of documents, when nothing of a document needs them any more."""

from collections.abc import Callable, Collection
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from agents_app.models import DocumentVersion, StoredFile
from agents_app.services.files import release_files
from agents_app.services.keeping_files import remove_unnamed
from one_project.workflows.models import WorkItem
from one_project.workflows.services.work import cancel_work


def forget_versions(
    organisation_id: UUID, versions: QuerySet[DocumentVersion], delete: Callable[[], object]
) -> None:
    """Have ``delete`` remove the rows of ``versions``; their work ends, their files go, too."""
    rows = list(versions.values_list("file_id", "work_id", "created_by_id"))
    delete()
    works = [work for _, work, _ in rows if work]
    for item in WorkItem.objects.filter(pk__in=works).open():
        cancel_work(item)
    let_go_files(
        organisation_id,
        [file for file, _, _ in rows if file],
        {person for _, _, person in rows if person},
    )


def let_go_files(organisation_id: UUID, files: Collection[UUID], people: Collection[UUID]) -> None:
    """One use less of each; those that nobody uses any more go at once, with their bytes.

    ``people``: who have brought them. What somebody else has brought, too, and may be about to
    send, is left to the vacuum. Call it within ``in_tenant``.
    """
    release_files(organisation_id, files)
    unused = StoredFile.objects.filter(
        organisation_id=organisation_id,
        pk__in=set(files),
        refcount=0,
        stored_by__contained_by=list(people),
    )
    rows = unused.select_for_update(skip_locked=True)
    found = dict(rows.values_list("pk", "storage_name"))
    StoredFile.objects.filter(pk__in=found).delete()
    for name in set(found.values()):
        transaction.on_commit(partial(remove_unnamed, organisation_id, [name]))
