"""Collections of documents: made, changed, deleted with all that is in them.

Whoever calls has made sure (``access_collection_to_edit``) that the person may do so. Sharing is
``services.sharing``: a new collection is its maker's alone.
"""

from functools import partial
from typing import Any, Final

from django.conf import settings

from agents_app.errors import CollectionNotFound, InvalidFields
from agents_app.models import Collection, Document, DocumentVersion
from agents_app.models.collections import GRANTED, LANGUAGES
from agents_app.services.document_files import forget_versions
from agents_app.services.document_versions import lock_collection
from agents_app.services.ingesting import rewrite_document
from one_project.accounts.access import access_membership
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.accounts.services.grants import revoke_all
from one_project.common.tenancy import in_tenant
from one_project.common.text import clean_line
from one_project.workflows.services.work import NewWork, enqueue_many

NAME_LIMIT: Final = 120
DESCRIPTION_LIMIT: Final = 500
PERSONAL: Final = "My documents"


def create_collection(
    organisation: Organisation,
    *,
    user: User | None,
    name: str,
    description: str = "",
    language: str | None = None,
) -> Collection:
    """A new collection, private to ``user``; None: the organisation's own, for its admins.

    ``language``: of its documents' words, a name of LANGUAGES. Raises InvalidFields, and NotFound
    for outsiders.
    """
    if user is not None:
        access_membership(user, organisation)
    with in_tenant(organisation.pk):
        collection = Collection.objects.create(
            organisation=organisation,
            name=_name(name),
            description=clean_line(description, DESCRIPTION_LIMIT),
            language=_language(language or settings.ONE_SEARCH_LANGUAGE),
            created_by=user,
        )
        _record("collection_added", collection, user)
    return collection


def personal_collection(organisation: Organisation, user: User) -> Collection:
    """Where a person's documents go unless they say otherwise; made when it is first needed.

    Raises NotFound for outsiders.
    """
    access_membership(user, organisation)
    with in_tenant(organisation.pk):
        collection, is_new = Collection.objects.get_or_create(
            organisation=organisation,
            personal_of=user,
            defaults={
                "name": PERSONAL,
                "language": _language(settings.ONE_SEARCH_LANGUAGE),
                "created_by": user,
            },
        )
        if is_new:
            _record("collection_added", collection, user)
    collection.organisation = organisation
    return collection


def update_collection(
    collection: Collection,
    *,
    user: User | None,
    name: str | None = None,
    description: str | None = None,
    language: str | None = None,
) -> Collection:
    """Change what is given. Another language has the words of all its documents indexed again.

    Raises InvalidFields, CollectionNotFound.
    """
    with in_tenant(collection.organisation_id):
        row = lock_collection(collection.pk)
        if row is None:
            raise CollectionNotFound
        row.name = row.name if name is None else _name(name)
        if description is not None:
            row.description = clean_line(description, DESCRIPTION_LIMIT)
        changed = language is not None and _language(language) != row.language
        row.language = language if changed and language else row.language
        row.save(update_fields=["name", "description", "language", "updated_at"])
        if changed:
            _rewrite_words(row)
        _record("collection_changed", row, user)
    return row


def _rewrite_words(collection: Collection) -> None:
    ids = Document.objects.filter(collection=collection).values_list("pk", flat=True)
    place = collection.organisation_id
    calls = [
        NewWork(
            step=rewrite_document, arguments={"organisation_id": place, "document_id": document_id}
        )
        for document_id in ids
    ]
    enqueue_many(calls, organisation=collection.organisation)


def delete_collection(collection: Collection, *, user: User | None) -> None:
    """Delete it and every trace of its documents. Raises CollectionNotFound."""
    with in_tenant(collection.organisation_id):
        row = lock_collection(collection.pk)
        if row is None:
            raise CollectionNotFound
        documents = Document.objects.filter(collection=row)
        # In one order for all: what ends a version holds its document.
        locked = documents.select_for_update(no_key=True).order_by("pk").values_list("pk")
        count = len(list(locked))
        versions = DocumentVersion.objects.filter(document__collection=row)
        forget_versions(row.organisation_id, versions, partial(_delete, row))
        revoke_all(row.organisation, GRANTED, row.pk, by=user)
        _record("collection_removed", row, user, documents=count)


def _delete(collection: Collection) -> None:
    """The database deletes what hangs on it: documents, versions, pages, passages, vectors."""
    Collection.objects.filter(pk=collection.pk)._raw_delete("default")


def _name(name: str) -> str:
    found = clean_line(name, NAME_LIMIT)
    if not found:
        raise InvalidFields({"name": "Please give the collection a name."})
    return found


def _language(language: str) -> str:
    if language not in LANGUAGES:
        raise InvalidFields({"language": "Please choose one of the languages."})
    return language


def _record(kind: str, collection: Collection, user: User | None, **data: Any) -> None:
    target = f"collection:{collection.pk}"
    record_event(collection.organisation, kind, actor=user, target=target, data=data)
