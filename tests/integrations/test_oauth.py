"""Linking accounts by OAuth 2: consent, tokens that are refreshed once, and their end."""

import asyncio
import threading
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from django.db import connections as databases
from django.utils import timezone

from integrations_app.errors import AuthFailed, ConnectRequired, ConsentFailed, NotUsable, Transient
from integrations_app.models import Connection, Integration, OAuthAttempt
from integrations_app.providers.oauth.services import redirect_uri
from integrations_app.providers.registry import provider_of
from integrations_app.runtime.accounts import account_of
from integrations_app.services.connections import (
    begin_connect,
    connection_for,
    finish_connect,
    revoke,
    token_of,
)
from one_project.accounts.models import Team, TeamMember
from one_project.common.errors import AccessDenied
from tests.integrations.account_services import CLIENT, running_services

BROWSER = "browser-1"


@pytest.fixture
def services(settings):
    with running_services() as found:
        settings.ONE_PROVIDER_URLS = found.places()
        yield found


def make_integration(world, provider="google_drive", **fields):
    given = {"settings": {}, "credentials": CLIENT, "status": "active", "name": provider, **fields}
    return Integration.objects.create(
        organisation=world.organisation, provider=provider, channel_type="knowledge", **given
    )


def name_the_account(services):
    about = {"user": {"permissionId": "42", "emailAddress": "reader@example.com"}}
    services.answers["GET", "/about"] = [(200, {}, about)]


def connected(world, services, user=None, owner="me", provider="google_drive", integration=None):
    name_the_account(services)
    user = user or world.bob
    integration = integration or make_integration(world, provider)
    url = begin_connect(user, integration, owner, "/chat/", browser=BROWSER)
    code, state = services.consent(url)
    return finish_connect(user, state=state, code=code, browser=BROWSER)


def test_a_person_connects_an_account(world, services):
    done = connected(world, services)
    row = Connection.objects.get()
    assert done.return_to == "/chat/"
    assert (row.user, row.status, row.external_id) == (world.bob, "active", "42")
    assert row.external_name == "reader@example.com"
    assert row.token["access_token"].startswith("canary-access-")
    assert timedelta(minutes=58) < row.expires_at - timezone.now() < timedelta(minutes=61)
    [exchanged] = services.asked_for("/token")
    assert exchanged["redirect_uri"] == redirect_uri()
    assert 43 <= len(exchanged["code_verifier"]) <= 128
    sealed = Connection.objects.values_list("token", flat=True)
    assert "canary" not in str(list(sealed))


def test_the_consent_page_is_asked_with_pkce(world, services):
    url = begin_connect(world.bob, make_integration(world), "me", "", browser=BROWSER)
    asked = parse_qs(urlsplit(url).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["scope"] == ["https://www.googleapis.com/auth/drive.readonly"]
    assert asked["access_type"] == ["offline"]
    kept = OAuthAttempt.objects.get()
    assert asked["state"][0] not in (kept.state_hash, kept.browser_hash)
    assert CLIENT["client_secret"] not in url


def test_a_state_counts_once_and_in_its_own_browser_only(world, services):
    name_the_account(services)
    integration = make_integration(world)
    url = begin_connect(world.bob, integration, "me", "", browser=BROWSER)
    code, state = services.consent(url)
    for user, browser in ((world.bob, "another"), (world.stella, BROWSER)):
        with pytest.raises(ConsentFailed):
            finish_connect(user, state=state, code=code, browser=browser)
    assert not Connection.objects.exists()
    finish_connect(world.bob, state=state, code=code, browser=BROWSER)
    with pytest.raises(ConsentFailed):
        finish_connect(world.bob, state=state, code=code, browser=BROWSER)
    assert len(services.asked_for("/token")) == 1


def test_an_old_state_is_worth_nothing(world, services):
    url = begin_connect(world.bob, make_integration(world), "me", "", browser=BROWSER)
    code, state = services.consent(url)
    OAuthAttempt.objects.update(expires_at=timezone.now())
    with pytest.raises(ConsentFailed):
        finish_connect(world.bob, state=state, code=code, browser=BROWSER)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"error": "access_denied"}, "did not allow"),
        ({"code": "forged"}, "not valid any more"),
        ({"code": "", "error": "canary-what"}, "begin again"),
    ],
)
def test_a_refusal_is_said_in_words(world, services, given, words):
    url = begin_connect(world.bob, make_integration(world), "me", "/chat/", browser=BROWSER)
    _, state = services.consent(url)
    with pytest.raises(ConsentFailed) as caught:
        finish_connect(world.bob, state=state, browser=BROWSER, **given)
    assert words in caught.value.user_message
    assert "canary" not in caught.value.user_message
    assert caught.value.return_to == "/chat/"
    assert not Connection.objects.exists()


def test_an_answer_of_another_issuer_is_refused(world, services, settings):
    url = begin_connect(world.bob, make_integration(world), "me", "", browser=BROWSER)
    code, state = services.consent(url)
    settings.ONE_PROVIDER_URLS = {}
    with pytest.raises(ConsentFailed, match="another service"):
        finish_connect(
            world.bob, state=state, code=code, browser=BROWSER, issuer="https://evil.example"
        )
    assert services.asked_for("/token") == []


def test_who_may_connect_for_whom(world, services):
    integration = make_integration(world)
    team = Team.objects.create(organisation=world.organisation, name="Sales")
    TeamMember.objects.create(team=team, user=world.stella)
    for user, owner in ((world.bob, "organisation"), (world.bob, team), (world.charlie, "me")):
        with pytest.raises(AccessDenied):
            begin_connect(user, integration, owner, "", browser=BROWSER)
    shared = connected(world, services, world.adam, "organisation", integration=integration)
    teams = connected(world, services, world.stella, team, integration=integration)
    own = connected(world, services, world.bob, "me", integration=integration)
    assert connection_for(integration, world.bob) == own.connection
    assert connection_for(integration, world.stella) == teams.connection
    assert connection_for(integration, world.alice) == shared.connection
    assert connection_for(integration, None) == shared.connection
    with pytest.raises(ConnectRequired) as caught:
        connection_for(integration, world.charlie)
    assert caught.value.integration_id == integration.pk


def test_a_paused_integration_connects_nobody(world, services):
    integration = make_integration(world, status="inactive")
    with pytest.raises(NotUsable):
        begin_connect(world.bob, integration, "me", "", browser=BROWSER)


def test_the_first_connection_makes_a_draft_active(world, services):
    integration = make_integration(world, status="draft")
    connected(world, services, integration=integration)
    integration.refresh_from_db()
    assert integration.status == "active"


@pytest.mark.parametrize("provider", ["notion", "onedrive", "slack"])
def test_the_other_services_are_connected_in_their_own_way(world, services, provider):
    services.extra = {
        "notion": {"workspace_id": "w1", "workspace_name": "Team space"},
        "slack": {"ok": True, "team": {"id": "w1", "name": "Team space"}},
    }.get(provider, {})
    drive = {"id": "d", "owner": {"user": {"id": "w1", "displayName": "Team space"}}}
    services.answers["GET", "/me/drive"] = [(200, {}, drive)]
    done = connected(world, services, provider=provider)
    assert (done.connection.external_id, done.connection.external_name) == ("w1", "Team space")
    _, _, headers, body = next(one for one in services.requests if one[1] == "/token")
    assert ("code_verifier" in body) == (provider == "onedrive")
    assert ("authorization" in headers) == (provider == "notion")


def test_an_app_is_tested_without_a_person(world, services):
    integration = make_integration(world)
    provider = provider_of("google_drive")
    said = asyncio.run(provider.test_connection(account_of(integration)))
    assert "knows this app" in said
    integration.credentials = {**CLIENT, "client_secret": "canary-wrong"}
    with pytest.raises(AuthFailed) as caught:
        asyncio.run(provider.test_connection(account_of(integration)))
    assert "canary" not in f"{caught.value} {caught.value.detail} {caught.value.user_message}"


def outdated(world, services, **fields):
    row = connected(world, services).connection
    values = {"expires_at": timezone.now() + timedelta(seconds=5), **fields}
    Connection.objects.filter(pk=row.pk).update(**values)
    row.refresh_from_db()
    return row


def test_eight_who_need_a_token_at_once_refresh_it_once(committed_world, services):
    row = outdated(committed_world, services)
    services.delay = 0.2
    found, together = [], threading.Barrier(8)

    def ask():
        together.wait()
        try:
            found.append(asyncio.run(token_of(row))["access_token"])
        finally:
            databases.close_all()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    row.refresh_from_db()
    assert services.refreshes == 1
    assert set(found) == {row.token["access_token"]}
    assert len(found) == 8
    # The rotated one is kept with it.
    assert row.token["refresh_token"] in services.refresh_tokens


def test_a_valid_token_asks_nobody_and_a_refused_one_does(committed_world, services):
    row = connected(committed_world, services).connection
    first = asyncio.run(token_of(row))["access_token"]
    assert services.refreshes == 0
    assert asyncio.run(token_of(row, refused=first))["access_token"] != first
    assert services.refreshes == 1


def test_a_service_that_is_away_expires_nothing(committed_world, services):
    row = outdated(committed_world, services)
    services.broken = True
    old = row.token["access_token"]
    assert asyncio.run(token_of(row))["access_token"] == old
    Connection.objects.update(expires_at=timezone.now() - timedelta(seconds=5))
    with pytest.raises(Transient):
        asyncio.run(token_of(row))
    row.refresh_from_db()
    assert row.status == "active"


def test_a_consent_that_is_over_expires_the_connection_and_tells(committed_world, services):
    row = outdated(committed_world, services)
    services.refresh_tokens.clear()
    with pytest.raises(ConnectRequired) as caught:
        asyncio.run(token_of(row))
    assert caught.value.integration_id == row.integration_id
    row.refresh_from_db()
    assert (row.status, row.token) == ("expired", {})
    from integrations_app.models import Notification

    told = Notification.objects.get(user=committed_world.bob)
    assert "Google Drive" in told.payload["title"]
    with pytest.raises(ConnectRequired):
        connection_for(row.integration, committed_world.bob)


def test_revoking_gives_the_token_back_and_forgets_it(world, services):
    row = connected(world, services).connection
    given = row.token["refresh_token"]
    assert revoke(row, by=world.bob)
    row.refresh_from_db()
    assert (row.status, row.token) == ("revoked", {})
    assert services.revoked == [given]


def test_a_token_that_cannot_be_given_back_is_forgotten_all_the_same(world, services, settings):
    row = connected(world, services).connection
    settings.ONE_PROVIDER_URLS = {"google_token": "http://127.0.0.1:9"}
    assert not revoke(row, by=world.bob)
    row.refresh_from_db()
    assert (row.status, row.token) == ("revoked", {})


def test_through_the_pages(world, services, client):
    name_the_account(services)
    integration = make_integration(world)
    client.force_login(world.bob)
    sent = client.get(f"/connections/{integration.pk}/connect/?next=/chat/")
    assert sent.status_code == 302
    code, state = services.consent(sent.headers["Location"])
    wrong = client.get("/connections/callback/", {"state": "nonsense", "code": code})
    assert wrong.status_code == 422
    assert "Please begin again" in wrong.content.decode()
    back = client.get("/connections/callback/", {"state": state, "code": code})
    assert (back.status_code, back.headers["Location"]) == (302, "/chat/")
    row = Connection.objects.get()
    away = client.get(f"/connections/{integration.pk}/connect/?next=https://evil.example/")
    assert away.status_code == 302
    assert OAuthAttempt.objects.order_by("-created_at")[0].return_to.startswith("/connections/")
    gone = client.post(f"/connections/linked/{row.pk}/revoke/")
    assert gone.status_code == 303
    row.refresh_from_db()
    assert row.status == "revoked"


def test_against_a_server_that_we_did_not_write(committed_world, oauth_server, settings):
    """Its own check of PKCE, its own tokens, refreshed by it."""
    settings.ONE_PROVIDER_URLS = {
        "google_oauth": oauth_server,
        "google_token": oauth_server,
        "google_drive": oauth_server,
    }
    world = committed_world
    url = begin_connect(world.bob, make_integration(world), "me", "", browser=BROWSER)

    def consented():
        sent_back = httpx2.get(url, follow_redirects=False)
        given = parse_qs(urlsplit(sent_back.headers["location"]).query)
        return {"code": given["code"][0], "state": given["state"][0]}

    row = finish_connect(world.bob, browser=BROWSER, **consented()).connection
    assert row.token["access_token"].count(".") == 2
    Connection.objects.update(expires_at=timezone.now())
    assert asyncio.run(token_of(row))["access_token"].count(".") == 2
    row.refresh_from_db()
    assert row.expires_at > timezone.now()
    assert revoke(row, by=world.bob)
