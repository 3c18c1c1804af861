"""Collections: who reads and changes them, and what becomes of what is in them."""

from io import BytesIO

import pytest

from agents_app.access import (
    access_collection,
    access_collection_to_edit,
    access_document,
    access_document_to_edit,
)
from agents_app.errors import CollectionNotFound, DocumentNotFound, InvalidFields
from agents_app.knowledge.parsed import ParsedDocument, ParsedPage
from agents_app.models import Chunk, Collection, Document, DocumentVersion, StoredFile
from agents_app.search.chunk_texts import rewrite_chunks
from agents_app.services.collections import (
    create_collection,
    delete_collection,
    personal_collection,
    update_collection,
)
from agents_app.services.document_reading import list_collections, list_documents
from agents_app.services.document_versions import begin_version, cut_version, keep_pages
from agents_app.services.documents import add_text, add_upload
from agents_app.services.ingesting import rewrite_document
from agents_app.services.sharing import ORGANISATION, PRIVATE, Sharing, mode_of, share
from one_project.accounts.models import Event, Grant, User
from one_project.common.errors import NotFound
from one_project.common.tenancy import in_tenant
from one_project.workflows.models import WorkItem
from tests.knowledge.ingestion import matching, new_collection
from tests.people import World

pytestmark = pytest.mark.django_db


def readers(world: World, collection: Collection) -> list[str]:
    return [
        person.name for person in everybody(world) if can(access_collection, person, collection)
    ]


def editors(world: World, collection: Collection) -> list[str]:
    found = access_collection_to_edit
    return [person.name for person in everybody(world) if can(found, person, collection)]


def everybody(world: World) -> list[User]:
    return [world.alice, world.adam, world.stella, world.bob, world.charlie]


def can(access: object, person: User, collection: Collection) -> bool:
    try:
        access(person, collection.organisation, collection.pk)  # type: ignore[operator]
    except CollectionNotFound:
        return False
    return True


def test_collection_is_private_until_it_is_shared(world: World) -> None:
    collection = new_collection(world)
    # Also from admins: they manage what they can see.
    assert readers(world, collection) == editors(world, collection) == ["Alice"]
    share(collection, by=world.alice, sharing=Sharing(mode=ORGANISATION))
    assert readers(world, collection) == ["Alice", "Adam", "Stella", "Bob"]
    assert editors(world, collection) == ["Alice", "Adam"]
    assert mode_of(collection, list(Grant.objects.filter(object_id=collection.pk))) == ORGANISATION
    share(collection, by=world.alice, sharing=Sharing(mode=PRIVATE))
    chosen = Sharing(mode="chosen", people={world.bob.pk: "manage", world.stella.pk: "use"})
    share(collection, by=world.alice, sharing=chosen)
    assert readers(world, collection) == ["Alice", "Stella", "Bob"]
    assert editors(world, collection) == ["Alice", "Bob"]


def test_outsider_cannot_see_documents_even_in_their_own_organisation(world: World) -> None:
    version = add_text(new_collection(world), user=world.alice, title="Plan", text="Secret.")
    document = version.document
    assert access_document(world.alice, world.organisation, document.pk).title == "Plan"
    assert access_document_to_edit(world.alice, world.organisation, document.pk)
    for person, organisation in (
        (world.bob, world.organisation),
        (world.charlie, world.organisation),
        (world.charlie, world.elsewhere),
        (world.alice, world.elsewhere),
    ):
        for access in (access_document, access_document_to_edit):
            with pytest.raises(DocumentNotFound):
                access(person, organisation, document.pk)
    with pytest.raises(DocumentNotFound):
        access_document(world.alice, world.organisation, "no id")


def test_personal_collection_is_made_once(world: World) -> None:
    mine = personal_collection(world.organisation, world.bob)
    assert personal_collection(world.organisation, world.bob).pk == mine.pk
    assert personal_collection(world.organisation, world.alice).pk != mine.pk
    assert editors(world, mine) == ["Bob"]
    [row] = list_collections(world.bob, world.organisation)
    assert (row.collection.name, row.documents, row.may_edit) == ("My documents", 0, True)
    with pytest.raises(NotFound):
        personal_collection(world.organisation, world.charlie)


def test_lists_say_how_far_documents_are(world: World) -> None:
    collection = new_collection(world)
    for number in range(5):
        file = BytesIO(b"words %d" % number)
        name, folder = f"{number}.txt", "../a//b" if number else ""
        add_upload(collection, user=world.alice, file=file, filename=name, folder=folder)
    share(collection, by=world.alice, sharing=Sharing(mode=ORGANISATION))
    [row] = list_collections(world.bob, world.organisation)
    assert (row.documents, row.on_the_way, row.failed, row.may_edit) == (5, 5, 0, False)

    def listed(**wanted: object) -> list[str]:
        found = list_documents(world.bob, world.organisation, collection, **wanted)  # type: ignore[arg-type]
        return [one.document.title for one in found.rows]

    first = list_documents(world.bob, world.organisation, collection, page_size=3)
    assert (first.folders, len(first.rows)) == (["a/b"], 3)
    assert first.rows[0].newest
    assert listed(cursor=first.next_cursor) == ["3.txt", "4.txt"]
    assert listed(query="2.T") == ["2.txt"]
    assert listed(folder="a") == ["1.txt", "2.txt", "3.txt", "4.txt"]
    assert len(listed(cursor="made up")) == 5


def test_another_language_indexes_the_words_again(world: World) -> None:
    collection = new_collection(world)
    version = add_text(collection, user=world.alice, title="Rad", text="Die Häuser der Straßen.")
    place = (world.organisation.pk, version.pk)
    assert version.work_id
    begin_version(*place, version.work_id)
    page = ParsedPage(None, "Die Häuser der Straßen.")
    assert keep_pages(*place, ParsedDocument("", "text/plain", (page,)))
    assert cut_version(*place)
    assert cut_version(*place) is None  # once
    assert matching(collection, "hauser") == 1
    changed = update_collection(collection, user=world.alice, language="german")
    work = WorkItem.objects.get(function=rewrite_document.name)
    rewrite_document(world.organisation.pk, version.document_id)
    assert work.arguments["document_id"] == str(version.document_id)
    assert matching(changed, "Haus") == 1
    with in_tenant(world.organisation.pk):
        assert rewrite_chunks(version, title="Rad", language="german") == []
    with pytest.raises(InvalidFields):
        update_collection(collection, user=world.alice, language="klingon")
    with pytest.raises(InvalidFields):
        create_collection(world.organisation, user=world.alice, name=" ")


def test_deleted_collection_leaves_nothing(world: World) -> None:
    collection = new_collection(world)
    share(collection, by=world.alice, sharing=Sharing(mode=ORGANISATION))
    add_text(collection, user=world.alice, title="Plan", text="Words.")
    delete_collection(collection, user=world.alice)
    with in_tenant(world.organisation.pk):
        for model in (Collection, Document, DocumentVersion, Chunk, StoredFile):
            assert not model.objects.exists()
    assert not Grant.objects.filter(object_id=collection.pk).exists()
    assert not WorkItem.objects.filter(pool="knowledge").open().exists()
    kinds = Event.objects.filter(target=f"collection:{collection.pk}").values_list(
        "kind", flat=True
    )
    assert {"collection_added", "access_granted", "access_revoked", "collection_removed"} == set(
        kinds
    )
    with pytest.raises(CollectionNotFound):
        delete_collection(collection, user=world.alice)
    with pytest.raises(CollectionNotFound):
        add_text(collection, user=world.alice, title="Plan", text="Words.")
