"""The pages of collections and documents: what people see, send, and get told."""

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings

from agents_app.models import Agent, Collection, Document, DocumentVersion, VersionStatus
from agents_app.services.document_versions import end_version
from agents_app.services.documents import add_page, add_upload
from agents_app.services.sharing import Sharing, share
from one_project.accounts.models import Grant
from one_project.common.tenancy import in_tenant
from tests.agents.browsing import client_of, own_agent, queries, send, text_of, typed
from tests.knowledge.shelves import fresh, queued, ready, shelf
from tests.people import World

pytestmark = pytest.mark.django_db


def file(name: str = "guide.md", data: bytes = b"# Guide\n\nBe kind.") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def documents(world: World) -> list[Document]:
    with in_tenant(world.organisation.pk):
        return list(Document.objects.select_related("collection").order_by("title"))


# All collections


def test_the_first_visit_says_what_it_is_for(world: World) -> None:
    text = text_of(world.bob, "/knowledge/")
    assert "What agents should know" in text
    assert 'type="file"' in text
    assert "New collection" in text
    # There is no model in the tests.
    assert "found by their words only" in text


def test_a_person_sees_own_and_shared_collections_with_what_is_on_its_way(world: World) -> None:
    mine, other = shelf(world), shelf(world, user=world.stella, name="Prices")
    shelf(world, user=world.alice, name="Salaries")
    queued(mine)
    share(other, by=world.stella, sharing=Sharing(mode="organisation"))
    text = text_of(world.bob, "/knowledge/")
    assert all(word in text for word in ("Rules", "1 on the way", "Private", "Prices"))
    assert "Shared by Stella" in text
    assert "Salaries" not in text
    assert "Rules" not in text_of(world.charlie, "/knowledge/")
    live = re.search(r'hx-get="(/knowledge/live/\?v=\w+)"', text)
    assert live is not None
    assert client_of(world.bob).get(live[1]).status_code == 204
    queued(mine, "More")
    assert "2 on the way" in text_of(world.bob, live[1])
    names = [
        one["name"]
        for one in client_of(world.bob)
        .get("/knowledge/", headers={"Accept": "application/json"})
        .json()["collections"]
    ]
    assert names == ["Prices", "Rules"]


def test_pages_cost_the_same_however_much_they_show(world: World) -> None:
    mine = shelf(world)
    queued(mine)
    few = [queries(world.bob, url) for url in ("/knowledge/", f"/knowledge/{mine.pk}/")]
    for number in range(4):
        queued(mine, f"Handbook {number}")
        shelf(world, name=f"Rules {number}")
    many = [queries(world.bob, url) for url in ("/knowledge/", f"/knowledge/{mine.pk}/")]
    assert many == few


# Adding


def test_dropped_files_go_to_ones_own_documents_and_bad_ones_are_named(world: World) -> None:
    with override_settings(ONE_KNOWLEDGE_MAX_BYTES=100):
        files = {"upload": [file(), file("large.txt", b"x" * 200)]}
        response = client_of(world.bob).post("/knowledge/upload/", files, follow=True)
    text = response.content.decode()
    assert "1 document is on its way. large.txt: This file is too large" in text
    (document,) = documents(world)
    assert document.collection.personal_of_id == world.bob.pk
    assert "guide.md" in text
    assert "guide.md" not in text_of(world.bob, "/knowledge/")


def test_files_go_into_the_chosen_collection_and_folder(world: World) -> None:
    mine = shelf(world)
    sent = {"upload": file(), "collection": str(mine.pk)}
    response = client_of(world.bob).post("/knowledge/upload/", sent, headers={"HX-Request": "true"})
    assert response["HX-Redirect"] == f"/knowledge/{mine.pk}/"
    url = f"/knowledge/{mine.pk}/upload/"
    json = {"Accept": "application/json"}
    answer = client_of(world.bob).post(url, {"upload": file(), "folder": "a/../b"}, headers=json)
    assert answer.json()["documents"][0]["status"] == "queued"
    again = client_of(world.bob).post(url, {"upload": file(), "folder": "a/b"}, follow=True)
    assert "1 is here already." in again.content.decode()
    assert [one.folder for one in documents(world)] == ["", "a/b"]
    narrowed = text_of(world.bob, f"/knowledge/{mine.pk}/?folder=a")
    assert narrowed.count('class="line doc"') == 1


def test_an_upload_of_nothing_is_told_beside_the_field(world: World) -> None:
    mine = shelf(world)
    for url in ("/knowledge/upload/", f"/knowledge/{mine.pk}/upload/"):
        page = client_of(world.bob).post(url, {"folder": "kept here"})
        assert page.status_code == 422
        assert "Please choose a file." in page.content.decode()
        part = client_of(world.bob).post(url, headers={"HX-Request": "true"})
        assert part.status_code == 422
        assert 'hx-swap-oob="true"' in part.content.decode()
    assert 'value="kept here"' in page.content.decode()


def test_texts_and_web_pages_are_added_and_what_was_typed_stays(world: World) -> None:
    mine = shelf(world)
    url = f"/knowledge/{mine.pk}/text/"
    wrong = send(world.bob, url, {"title": "", "text": "Keep <me>"})
    assert wrong.status_code == 422
    assert "Please give the text a title." in wrong.content.decode()
    assert "Keep &lt;me&gt;" in wrong.content.decode()
    assert send(world.bob, url, {"title": "Note", "text": "Keep me"}).status_code == 303
    url = f"/knowledge/{mine.pk}/web/"
    wrong = send(world.bob, url, {"url": "ftp://example.test", "kind": "page"})
    assert wrong.status_code == 422
    assert 'value="ftp://example.test"' in wrong.content.decode()
    assert "field-error" in wrong.content.decode()
    for kind in ("page", "sitemap"):
        sent = {"url": f"https://example.test/{kind}", "kind": kind, "limit": "5"}
        assert send(world.bob, url, sent).status_code == 303
    assert [one.title for one in documents(world)] == ["Note", "https://example.test/page"]


# Documents on their way


def ask(text: str) -> str:
    found = re.search(r'<div id="ask"\s+hx-get="([^"]+)"', text)
    assert found is not None
    return found[1].replace("&amp;", "&")


def move(version: DocumentVersion, **values: Any) -> None:
    with in_tenant(version.organisation_id):
        DocumentVersion.objects.filter(pk=version.pk).update(**values)


def test_progress_is_told_line_by_line_and_the_end_is_announced(world: World) -> None:
    mine = shelf(world)
    version, other = queued(mine), queued(mine, "Other")
    text = text_of(world.bob, f"/knowledge/{mine.pk}/")
    assert "Waiting for its turn" in text
    assert 'hx-trigger="every 1s"' in text
    url = ask(text)
    assert client_of(world.bob).get(url).status_code == 204
    move(version, status=VersionStatus.PARSING, pages_done=33, pages_total=200)
    text = text_of(world.bob, url)
    assert "Reading page 34 of 200" in text
    assert 'value="33" max="200"' in text
    assert str(other.document_id) not in text
    move(version, status=VersionStatus.EMBEDDING, chunks_done=120, chunks_total=480)
    text = text_of(world.bob, ask(text))
    assert "Embedding 120 of 480" in text
    move(version, status=VersionStatus.FAILED, error="This file is <damaged>.")
    text = text_of(world.bob, ask(text))
    assert "This file is &lt;damaged&gt;." in text
    assert "Handbook could not be read." in text
    assert "Try again" in text
    # A document that has come meanwhile: the whole list.
    queued(mine, "Third")
    assert 'id="documents"' in text_of(world.bob, ask(text))


def test_a_version_is_stopped_and_tried_again_by_those_who_may_change_it(world: World) -> None:
    mine = shelf(world)
    version = queued(mine)
    share(mine, by=world.bob, sharing=Sharing(mode="organisation"))
    base = f"/knowledge/documents/{version.document_id}"
    assert "/cancel/" not in text_of(world.stella, f"/knowledge/{mine.pk}/")
    assert send(world.stella, f"{base}/cancel/", {}).status_code == 404
    assert send(world.bob, f"{base}/cancel/", {"version": "1"}).status_code == 303
    assert fresh(version).status == VersionStatus.CANCELED
    assert "This was stopped." in text_of(world.bob, f"/knowledge/{mine.pk}/")
    assert send(world.bob, f"{base}/cancel/", {}).status_code == 409
    assert send(world.bob, f"{base}/retry/", {"version": "7"}).status_code == 404
    quiet = client_of(world.bob).post(f"{base}/retry/", headers={"HX-Request": "true"})
    assert quiet.status_code == 204
    assert fresh(version).status == VersionStatus.QUEUED


def test_documents_are_found_by_title_and_paged(world: World) -> None:
    mine = shelf(world)
    for number in range(31):
        queued(mine, f"Minutes {number:02}")
    queued(mine, "Budget <b>")
    page = f"/knowledge/{mine.pk}/"
    text = text_of(world.bob, page)
    assert "Budget &lt;b&gt;" in text
    more = re.search(r'href="(\?[^"]*cursor=[^"]+)"', text)
    assert more is not None
    assert "Minutes 30" in text_of(world.bob, page + more[1].replace("&amp;", "&"))
    assert "Minutes" not in text_of(world.bob, page + "?q=budget").split('id="documents"')[1]
    assert "No document is like that" in text_of(world.bob, page + "?q=nothing")


# Settings


def test_a_collection_is_made_changed_shared_and_deleted(world: World) -> None:
    wrong = send(world.bob, "/knowledge/new/", {"name": " ", "description": "Kept"})
    assert wrong.status_code == 422
    assert "Kept" in wrong.content.decode()
    made = {"name": "Rules", "description": "What holds", "language": "german"}
    page = send(world.bob, "/knowledge/new/", made)["Location"]
    assert "Only you can read it." in text_of(world.bob, page)
    changed = {"name": "Laws", "description": "", "language": "english"}
    assert send(world.bob, f"{page}settings/", changed).status_code == 303
    assert "Laws" in text_of(world.bob, page)
    assert client_of(world.stella).get(page).status_code == 404
    nobody = {"share_mode": "chosen", "share_addresses": "nobody@example.test"}
    wrong = send(world.bob, f"{page}share/", nobody)
    assert wrong.status_code == 422
    assert "Nobody here has this address" in wrong.content.decode()
    chosen = {"share_mode": "chosen", f"share_user_{world.stella.pk}": "use"}
    assert send(world.bob, f"{page}share/", chosen).status_code == 303
    text = text_of(world.stella, page)
    assert "Settings" not in text
    assert 'type="file"' not in text
    assert client_of(world.stella).get(f"{page}settings/").status_code == 404
    assert send(world.bob, f"{page}delete/", {}).status_code == 303
    assert client_of(world.bob).get(page).status_code == 404
    assert not Grant.objects.filter(object_type="collection").exists()


# Reading


TEXT = "# Travel <&>\n\nTickets are paid back\nwithin a month.\n\n- Trains & buses\n"


def test_a_page_is_read_with_its_headings_and_the_passage_marked(world: World) -> None:
    version = ready(shelf(world), "First page.", TEXT)
    url = f"/knowledge/documents/{version.document_id}/"
    text = text_of(world.bob, url)
    assert "First page." in text
    assert 'rel="next"' in text
    start = TEXT.index("paid")
    text = text_of(
        world.bob, f"{url}?version=1&page=2&from={start}&to={TEXT.index('- Trains') + 8}"
    )
    assert "<h2>Travel &lt;&amp;&gt;</h2>" in text
    assert text.count('id="passage"') == 1
    assert '<mark id="passage" tabindex="-1">paid back\nwithin a month.</mark>' in text
    assert "<p><mark>- Trains</mark> &amp; buses</p>" in text
    assert "is not in this version" in text_of(world.bob, f"{url}?page=2&from=5&to=90000")


def test_an_older_version_says_so_and_missing_ones_look_like_forbidden_ones(world: World) -> None:
    mine = shelf(world)
    version = ready(mine, "Old words.")
    ready(mine, "New words.")
    url = f"/knowledge/documents/{version.document_id}/"
    assert "New words." in text_of(world.bob, url)
    old = text_of(world.bob, f"{url}?version=1&page=1")
    assert "Old words." in old
    assert "This is version 1 of 2" in old

    def shown(person: Any, address: str) -> tuple[int, str]:
        response = client_of(person).get(address)
        return response.status_code, response.content.decode().split("<main")[1].split("</main")[0]

    missing = shown(world.bob, f"/knowledge/documents/{mine.pk}/")
    assert missing[0] == 404
    for person, address in (
        (world.bob, f"{url}?version=9"),
        (world.bob, f"{url}?page=2"),
        (world.bob, f"{url}?version=x"),
        (world.stella, url),
        (world.adam, url),
        (world.charlie, url),
        (world.charlie, f"{url}file/"),
    ):
        assert shown(person, address) == missing, address


def test_a_document_that_cannot_be_read_yet_or_at_all_says_why(world: World) -> None:
    version = queued(shelf(world))
    url = f"/knowledge/documents/{version.document_id}/"
    assert "Waiting for its turn" in text_of(world.bob, url)
    end_version(version.organisation_id, version.pk, VersionStatus.FAILED, text="It is scanned.")
    text = text_of(world.bob, url)
    assert "It is scanned." in text
    assert "Try again" in text


def test_the_original_is_only_ever_saved(world: World) -> None:
    hostile = file("x.html", b"<script>alert(1)</script>")
    version = add_upload(shelf(world), user=world.bob, file=hostile, filename="x.html")
    response = client_of(world.bob).get(f"/knowledge/documents/{version.document_id}/file/")
    assert b"".join(response) == b"<script>alert(1)</script>"  # type: ignore[arg-type]
    assert response["Content-Disposition"] == 'attachment; filename="x.html"'
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "private" in response["Cache-Control"]
    web = add_page(version.document.collection, user=world.bob, url="https://example.test/")
    url = f"/knowledge/documents/{web.document_id}/file/"
    assert client_of(world.bob).get(url).status_code == 404


def test_a_document_is_renamed_weighed_and_deleted(world: World) -> None:
    mine = shelf(world)
    version = ready(mine, "Words.")
    base = f"/knowledge/documents/{version.document_id}"
    assert send(world.bob, f"{base}/rename/", {"title": "Guide"}).status_code == 303
    assert send(world.bob, f"{base}/weigh/", {"importance": "2.5"}).status_code == 303
    text = text_of(world.bob, f"{base}/")
    assert "Guide" in text
    assert "importance 2.5" in text
    for path, sent in (("rename", {"title": ""}), ("weigh", {"importance": "11"})):
        wrong = send(world.bob, f"{base}/{path}/", sent)
        assert wrong.status_code == 422
        assert "field-error" in wrong.content.decode()
    assert send(world.bob, f"{base}/refresh/", {}).status_code == 409
    assert send(world.bob, f"{base}/delete/", {}).status_code == 303
    assert documents(world) == []


# A question to try


def test_a_question_shows_passages_with_a_way_to_them(world: World) -> None:
    version = ready(shelf(world), "First page.", TEXT)
    text = text_of(world.bob, "/knowledge/search/?q=are+tickets+paid")
    link = re.search(rf'href="(/knowledge/documents/{version.document_id}/[^"]+)#passage"', text)
    assert link is not None
    assert "page 2" in text
    assert "Found by words only" in text
    assert 'id="passage"' in text_of(world.bob, link[1].replace("&amp;", "&"))
    for person, query in ((world.bob, "zebra"), (world.alice, "tickets"), (world.charlie, "paid")):
        found = text_of(person, f"/knowledge/search/?q={query}")
        assert "Nothing in what you may read answers this." in found


# What an agent may look into


def collections_of(agent: Agent) -> set[str]:
    with in_tenant(agent.organisation_id):
        return {one.name for one in Collection.objects.filter(agents=agent)}


def test_an_agent_is_given_only_collections_that_its_editor_may_read(world: World) -> None:
    agent = own_agent(world)
    mine, hidden = shelf(world), shelf(world, user=world.stella, name="Salaries")
    url = f"/agents/{agent.pk}/edit/"
    text = text_of(world.bob, url)
    assert "Rules" in text
    assert "Salaries" not in text
    form = typed(text) | {"knowledge": "granted", "collections": [str(mine.pk)]}
    assert send(world.bob, url, form).status_code == 303
    agent.refresh_from_db()
    assert agent.knowledge == "granted"
    assert collections_of(agent) == {"Rules"}
    form = typed(text_of(world.bob, url)) | {"collections": [str(hidden.pk)]}
    assert send(world.bob, url, form).status_code == 422
    assert collections_of(agent) == {"Rules"}
    # An admin who may not read it neither sees nor loses it.
    text = text_of(world.adam, url)
    assert "Rules" not in text
    assert send(world.adam, url, typed(text)).status_code == 303
    assert collections_of(agent) == {"Rules"}
