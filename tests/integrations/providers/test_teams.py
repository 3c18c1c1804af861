"""Microsoft Teams: what workflows get, and which addresses are theirs."""

import pytest

from integrations_app.errors import (
    BadTarget,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    Transient,
)
from integrations_app.providers.base import Content
from integrations_app.providers.teams.forms import is_workflow
from integrations_app.types import EndpointType
from tests.integrations.providers.message_accounts import (
    account_for,
    place,
    send,
    whole_chain,
)

TEAMS = account_for("teams", {}, {})


@pytest.fixture
def workflow(settings, faulty_server):
    """A place at the faulty server, which the operator has allowed."""
    settings.ONE_PROVIDER_URLS = {"teams": faulty_server.url}
    url = f"{faulty_server.url}/workflows/1/invoke?sig=canary-teams-sig"
    return place(EndpointType.TEAMS_WEBHOOK, url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://prod-12.westeurope.logic.azure.com:443/workflows/1/triggers/manual", True),
        ("https://default1.2f.environment.api.powerplatform.com/powerautomate/x", True),
        ("https://example.webhook.office.com/webhookb2/1", True),
        ("http://prod-12.westeurope.logic.azure.com/workflows/1", False),
        ("https://prod-12.westeurope.logic.azure.com:8443/workflows/1", False),
        ("https://logic.azure.com.example.org/workflows/1", False),
        ("https://example.org/logic.azure.com", False),
        ("https://[", False),
    ],
)
def test_which_addresses_are_workflows(url, expected):
    assert is_workflow(url) is expected


async def test_what_is_sent(faulty_server, workflow):
    faulty_server.answers_with("", status=202, headers={"x-ms-workflow-run-id": "0858"})
    assert (await send("teams", TEAMS, workflow)).message_id == "0858"
    body = faulty_server.json()
    assert body["type"] == "message"
    card = body["attachments"][0]["content"]
    assert [part["text"] for part in card["body"]] == ["Hello", "Good <!channel> & good day."]
    assert card["actions"][0]["url"] == "https://example.org/1"
    await send("teams", TEAMS, workflow, Content(text="Only text", url="javascript:x"))
    card = faulty_server.json()["attachments"][0]["content"]
    assert len(card["body"]) == 1
    assert "actions" not in card


async def test_other_addresses_are_not_asked():
    with pytest.raises(BadTarget):
        await send("teams", TEAMS, place(EndpointType.TEAMS_WEBHOOK, "https://example.org/"))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, BadTarget),
        (401, BadTarget),
        (400, Permanent),
        (302, Permanent),
        (429, RateLimited),
        (503, Transient),
        (502, OutcomeUnknown),
    ],
)
async def test_what_teams_says_is_understood(faulty_server, workflow, status, error):
    faulty_server.answers_with({"error": {"message": "canary-said"}}, status=status)
    with pytest.raises(error) as raised:
        await send("teams", TEAMS, workflow)
    assert "canary" not in whole_chain(raised.value)


async def test_silence_is_unknown(faulty_server, workflow):
    faulty_server.drips()
    with pytest.raises(OutcomeUnknown):
        await send("teams", TEAMS, workflow, deadline=0.3)
