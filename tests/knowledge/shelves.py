"""Collections for the tests of pages: documents that are ready, without a worker."""

from typing import Any

from agents_app.knowledge.parse_text import headings_of
from agents_app.knowledge.parsed import ParsedDocument, ParsedPage
from agents_app.models import Collection, DocumentVersion
from agents_app.services.collections import create_collection
from agents_app.services.document_versions import (
    begin_version,
    cut_version,
    finish_version,
    keep_pages,
)
from agents_app.services.documents import add_text
from one_project.common.tenancy import in_tenant
from tests.people import World


def shelf(world: World, **more: Any) -> Collection:
    """A collection of Bob's that nobody else may read."""
    return create_collection(world.organisation, **{"user": world.bob, "name": "Rules", **more})


def queued(collection: Collection, title: str = "Handbook", text: str = "Hello") -> DocumentVersion:
    return add_text(collection, user=collection.created_by, title=title, text=text)


def ready(
    collection: Collection, *texts: str, title: str = "Handbook", paged: bool = True
) -> DocumentVersion:
    """A document with one page for each text; the same title again: its next version."""
    version = queued(collection, title, "\n\n".join(texts))
    place = (version.organisation_id, version.pk)
    assert version.work is not None
    begin_version(*place, version.work.pk)
    pages = tuple(
        ParsedPage(number if paged else None, text, tuple(headings_of(text)))
        for number, text in enumerate(texts, 1)
    )
    keep_pages(*place, ParsedDocument(title, "text/markdown", pages))
    cut_version(*place)
    finish_version(*place)
    return fresh(version)


def fresh(version: DocumentVersion) -> DocumentVersion:
    with in_tenant(version.organisation_id):
        return DocumentVersion.objects.select_related("document", "file").get(pk=version.pk)
