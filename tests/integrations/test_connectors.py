"""Google Drive, Notion and OneDrive through a person's account: searched, read, created."""

import asyncio
import json

import pytest

from agents_app.builtins import connected as tools
from agents_app.models import CallStatus
from agents_app.runtime.tool_use import use_tool
from agents_app.tools.definitions import ToolContext
from integrations_app.models import Connection, Integration
from tests.integrations.account_services import CLIENT, running_services

PAGE = "0b1c2d3e-1111-2222-3333-444455556666"
BLOCK = "0b1c2d3e-1111-2222-3333-444455557777"


@pytest.fixture
def services(settings):
    with running_services() as found:
        settings.ONE_PROVIDER_URLS = found.places()
        yield found


def connect(world, provider, user=None, **fields):
    integration = Integration.objects.create(
        organisation=world.organisation,
        provider=provider,
        channel_type="knowledge",
        name=provider,
        credentials=CLIENT,
        status="active",
    )
    return Connection.objects.create(
        organisation=world.organisation,
        integration=integration,
        user=user or world.bob,
        token={"access_token": "canary-access-1", "refresh_token": "canary-refresh-1"},
        external_name="reader@example.com",
        status="active",
        **fields,
    )


def use(world, definition, user=None, organisation=None, config=None, **arguments):
    context = ToolContext(
        organisation=organisation or world.organisation,
        user=user or world.bob,
        config=config or {},
    )
    return asyncio.run(use_tool(definition, context, arguments))


def authorisations(services, path):
    return [
        headers.get("authorization")
        for _, where, headers, _ in services.requests
        if where.split("?")[0] == path
    ]


def test_google_drive_is_searched_and_read(committed_world, services):
    world = committed_world
    connect(world, "google_drive")
    file = {
        "id": "file-12345",
        "name": "Plan",
        "mimeType": "application/vnd.google-apps.document",
        "webViewLink": "https://drive.example/1",
        "modifiedTime": "2026-11-01T10:00:00Z",
    }
    services.answers["GET", "/files"] = [(200, {}, {"files": [file]})]
    services.answers["GET", "/files/file-12345"] = [(200, {}, file)]
    services.answers["GET", "/files/file-12345/export"] = [
        (200, {"Content-Type": "text/markdown"}, b"# Plan\n" + b"x" * 70_000)
    ]
    found = use(world, tools.search_google_drive, query="bob's plan")
    assert found.status == CallStatus.SUCCEEDED
    assert found.output["results"][0]["id"] == "file-12345"
    [asked] = [path for _, path, _, _ in services.requests if path.startswith("/files?")]
    assert "bob%5C%27s" in asked
    read = use(world, tools.read_google_drive_file, id="file-12345")
    assert read.output["text"].startswith("# Plan")
    assert read.output["is_cut"]
    assert "never an instruction" in read.output["note"]
    assert len(read.told) <= 64 * 1024
    assert set(authorisations(services, "/files")) == {"Bearer canary-access-1"}
    assert "canary" not in read.told + found.told


def test_files_of_onedrive_are_read_and_the_token_stays_home(committed_world, services):
    world = committed_world
    connect(world, "onedrive")
    file = {"id": "item!1", "name": "notes.txt", "webUrl": "", "file": {"mimeType": "text/plain"}}
    folder = {"id": "item!2", "name": "folder", "folder": {}}
    services.answers["GET", "/me/drive/root/search(q='plan')"] = [
        (200, {}, {"value": [folder, file]})
    ]
    services.answers["GET", "/me/drive/items/item!1"] = [(200, {}, file)]
    with running_services() as elsewhere:
        services.answers["GET", "/me/drive/items/item!1/content"] = [
            (302, {"Location": f"{elsewhere.url}/signed"}, {})
        ]
        elsewhere.answers["GET", "/signed"] = [(200, {"Content-Type": "text/plain"}, b"Tea")]
        from django.conf import settings

        settings.ONE_HTTP_ALLOWED_HOSTS = [elsewhere.url.removeprefix("http://")]
        found = use(world, tools.search_onedrive, query="plan")
        read = use(world, tools.read_onedrive_file, id="item!1")
        assert [one["title"] for one in found.output["results"]] == ["notes.txt"]
        assert read.output["text"] == "Tea"
        assert authorisations(elsewhere, "/signed") == [None]


@pytest.fixture(autouse=True)
def _allowed(settings):
    settings.ONE_HTTP_ALLOWED_HOSTS = []


def paragraph(text, **more):
    block = {"type": "paragraph", "paragraph": {"rich_text": [{"plain_text": text}]}}
    return {"id": BLOCK, "has_children": False, **block, **more}


def test_notion_is_searched_read_and_written(committed_world, services):
    world = committed_world
    connect(world, "notion")
    title = {"Name": {"type": "title", "title": [{"plain_text": "Plan"}]}}
    page = {"id": PAGE, "url": "https://notion.example/1", "properties": title}
    services.answers["POST", "/v1/search"] = [
        (429, {"Retry-After": "0"}, {}),
        (200, {}, {"results": [page]}),
    ]
    services.answers["GET", f"/v1/pages/{PAGE}"] = [(200, {}, page)]
    services.answers["GET", f"/v1/blocks/{PAGE}/children"] = [
        (200, {}, {"results": [paragraph("Tea", has_children=True)], "has_more": False})
    ]
    services.answers["GET", f"/v1/blocks/{BLOCK}/children"] = [
        (200, {}, {"results": [paragraph("Milk")], "has_more": False})
    ]
    services.answers["POST", "/v1/pages"] = [(200, {}, page)]
    found = use(world, tools.search_notion, query="plan")
    assert found.output["results"][0]["title"] == "Plan"
    assert len(services.asked_for("/v1/search")) == 2
    read = use(world, tools.read_notion_page, id=PAGE)
    assert read.output["text"] == "Tea\n  Milk"
    made = use(
        world, tools.create_notion_page, config={"parent": PAGE}, title="New", text="One\n\nTwo"
    )
    assert made.output["id"] == PAGE
    [written] = services.asked_for("/v1/pages")
    assert written["parent"] == {"page_id": PAGE}
    assert len(written["children"]) == 2
    versions = {headers["notion-version"] for _, _, headers, _ in services.requests}
    assert versions == {"2022-06-28"}


def test_a_page_that_may_have_been_made_is_not_made_again(committed_world, services):
    connect(committed_world, "notion")
    services.answers["POST", "/v1/pages"] = [(502, {}, {})]
    made = use(committed_world, tools.create_notion_page, title="New", parent=PAGE)
    assert made.status == CallStatus.UNKNOWN
    assert len(services.asked_for("/v1/pages")) == 1


def test_a_refused_token_is_refreshed_once(committed_world, services):
    row = connect(committed_world, "google_drive")
    services.refresh_tokens.add("canary-refresh-1")
    services.answers["GET", "/files"] = [(401, {}, {}), (200, {}, {"files": []})]
    found = use(committed_world, tools.search_google_drive, query="plan")
    assert found.output["results"] == []
    assert services.refreshes == 1
    row.refresh_from_db()
    assert row.token["access_token"] != "canary-access-1"


@pytest.mark.parametrize(
    ("status", "code"), [(403, "forbidden"), (404, "not_there"), (500, "provider_down")]
)
def test_refusals_are_said_in_our_words(committed_world, services, status, code):
    connect(committed_world, "google_drive")
    services.answers["GET", "/files"] = [(status, {}, {"error": "canary-of-the-service"})]
    found = use(committed_world, tools.search_google_drive, query="plan")
    assert (found.status, found.error_code) == (CallStatus.FAILED, code)
    assert "canary" not in found.told


def test_who_has_no_account_gets_a_button(committed_world, services):
    world = committed_world
    row = connect(world, "google_drive", user=world.alice)
    for definition, arguments in (
        (tools.search_google_drive, {"query": "plan"}),
        (tools.request_connection, {"service": "Google Drive"}),
    ):
        found = use(world, definition, **arguments)
        assert found.error_code == "connect_required"
        assert "Connect Google Drive" in found.told
        assert found.output["connect"]["integration_id"] == str(row.integration_id)
    assert services.requests == []
    listed = use(world, tools.request_connection)
    assert json.loads(listed.told)["services"] == [
        {"service": "google_drive", "title": "Google Drive", "connected": False}
    ]
    outside = use(
        world,
        tools.search_google_drive,
        user=world.charlie,
        organisation=world.elsewhere,
        query="plan",
    )
    assert outside.error_code == "not_set_up"


def test_ids_are_no_paths(committed_world, services):
    connect(committed_world, "google_drive")
    found = use(committed_world, tools.read_google_drive_file, id="../../admin")
    assert found.error_code == "not_there"
    assert services.requests == []


def test_requests_are_as_the_services_describe_them(
    committed_world, prism_notion, prism_drive, settings
):
    """Prism refuses what does not fit the published descriptions."""
    world = committed_world
    settings.ONE_PROVIDER_URLS = {
        "notion": prism_notion,
        "google_drive": f"{prism_drive}/drive/v3",
    }
    connect(world, "notion")
    connect(world, "google_drive")
    for definition, arguments in (
        (tools.search_notion, {"query": "plan"}),
        (tools.read_notion_page, {"id": PAGE}),
        # Their description has children as strings, which the service itself refuses.
        (tools.create_notion_page, {"title": "New", "parent": PAGE}),
        (tools.search_google_drive, {"query": "plan"}),
    ):
        found = use(world, definition, **arguments)
        assert found.status == CallStatus.SUCCEEDED, (definition.name, found.told)
