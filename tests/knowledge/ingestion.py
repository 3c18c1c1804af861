"""What the tests of documents share: work done by hand, and what a person finds."""

from agents_app.models import Chunk, Collection, Document, DocumentVersion, VersionStatus
from agents_app.services.collections import create_collection
from one_project.common.tenancy import in_tenant
from tests.people import World
from tests.workflows.by_hand import drain

HANDBOOK = (
    "# Handbook\n\n## Leave\n\nWhoever is ill tells the office before nine o'clock.\n\n"
    "## Travel\n\nTickets are paid back within a month.\n"
)


def new_collection(world: World, name: str = "Rules") -> Collection:
    return create_collection(world.organisation, user=world.alice, name=name)


def work_through() -> None:
    """Workers do all there is to do."""
    drain()


def fresh(version: DocumentVersion) -> DocumentVersion:
    """The version as it is now, with its document."""
    with in_tenant(version.organisation_id):
        return DocumentVersion.objects.select_related("document", "file").get(pk=version.pk)


def passages(collection: Collection) -> list[str]:
    """Texts of the passages that are searched: those of current versions."""
    with in_tenant(collection.organisation_id):
        current = Document.objects.filter(collection=collection).values("current")
        rows = Chunk.objects.filter(version__in=current, version__status=VersionStatus.READY)
        return list(rows.order_by("document_id", "seq").values_list("text", flat=True))


def matching(collection: Collection, query: str) -> int:
    """How many passages the index of words has for a query in the collection's language."""
    with in_tenant(collection.organisation_id):
        return Chunk.objects.extra(
            where=["tsv @@ plainto_tsquery(%s::regconfig, %s)"],
            params=[collection.language, query],
        ).count()
