"""How each service does OAuth 2: addresses, scopes, and what it does its own way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.urls import reverse

from integrations_app.errors import UnknownProvider
from integrations_app.providers.places import base_url, replaced

# Id and name of the account over there, where the answer with the token tells them.
Identity = Callable[[Mapping[str, Any]], tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthService:
    """One service. ``*_place`` are names of ``places``; paths are taken under them.

    A place that the operator has replaced answers at /authorize, /token and /revoke. ``pkce``
    False: the service takes no code challenge from apps that hold a secret. ``issuer``: what
    ``iss`` in its answers must be (RFC 9207), where it sends one.
    """

    slug: str
    place: str
    authorize_path: str
    token_path: str
    token_place: str = ""
    revoke_path: str = ""
    scopes: Callable[[Any], Sequence[str]]
    separator: str = " "
    extra: Mapping[str, str] = field(default_factory=dict)
    auth_method: str = "client_secret_post"
    json_body: bool = False
    pkce: Callable[[Any], bool] = lambda settings: True
    issuer: str = ""
    identity: Identity | None = None

    def authorize_url(self, form: Any) -> str:
        return _address(self.place, self.authorize_path, "authorize", form)

    def token_url(self, form: Any) -> str:
        return _address(self.token_place or self.place, self.token_path, "token", form)

    def revoke_url(self, form: Any) -> str:
        """Where a token is given back; "" where the service has no such address."""
        if not self.revoke_path:
            return ""
        return _address(self.token_place or self.place, self.revoke_path, "revoke", form)

    def is_issuer(self, issuer: str) -> bool:
        """Whether ``iss`` may be what came back; a service that is replaced is not known by it."""
        return not self.issuer or bool(replaced(self.place)) or issuer == self.issuer


def _address(place: str, path: str, kind: str, form: Any) -> str:
    if replaced(place):
        return f"{base_url(place)}/{kind}"
    return base_url(place) + path.replace("{tenant}", getattr(form, "tenant", "") or "common")


def _slack_scopes(form: Any) -> Sequence[str]:
    return ("chat:write", "channels:read", "groups:read", "im:write", "users:read")


def _slack_team(token: Mapping[str, Any]) -> tuple[str, str]:
    team = token.get("team")
    found = team if isinstance(team, dict) else {}
    return str(found.get("id", "")), str(found.get("name", ""))


def _notion_workspace(token: Mapping[str, Any]) -> tuple[str, str]:
    return str(token.get("workspace_id") or ""), str(token.get("workspace_name") or "")


def _never(form: Any) -> bool:
    return False


_ALL: Final = (
    OAuthService(
        slug="slack",
        place="slack_oauth",
        authorize_path="/oauth/v2/authorize",
        token_path="/api/oauth.v2.access",  # noqa: S106  an address
        revoke_path="/api/auth.revoke",
        scopes=_slack_scopes,
        separator=",",
        # Slack takes PKCE only from apps that declare themselves public, for good, and whose
        # refresh tokens then last for 30 days; ours hold a secret.
        pkce=lambda form: bool(getattr(form, "pkce", False)),
        identity=_slack_team,
    ),
    OAuthService(
        slug="google_drive",
        place="google_oauth",
        authorize_path="/o/oauth2/v2/auth",
        token_place="google_token",  # noqa: S106  a name
        token_path="/token",  # noqa: S106  an address
        revoke_path="/revoke",
        scopes=lambda form: (f"https://www.googleapis.com/auth/{form.scope}",),
        # Without both, Google gives no refresh token the second time.
        extra={"access_type": "offline", "prompt": "consent"},
        issuer="https://accounts.google.com",
    ),
    OAuthService(
        slug="notion",
        place="notion_oauth",
        authorize_path="/v1/oauth/authorize",
        token_path="/v1/oauth/token",  # noqa: S106  an address
        revoke_path="/v1/oauth/revoke",
        scopes=lambda form: (),
        extra={"owner": "user"},
        auth_method="client_secret_basic",
        json_body=True,
        # Its token endpoint knows no code_verifier.
        pkce=_never,
        identity=_notion_workspace,
    ),
    OAuthService(
        slug="onedrive",
        place="microsoft_oauth",
        authorize_path="/{tenant}/oauth2/v2.0/authorize",
        token_path="/{tenant}/oauth2/v2.0/token",  # noqa: S106  an address
        scopes=lambda form: ("offline_access", "Files.Read"),
        extra={"prompt": "select_account"},
    ),
)
_BY_SLUG: Final = {one.slug: one for one in _ALL}


def service_of(slug: str) -> OAuthService:
    """Raises UnknownProvider for one whose accounts are not linked by OAuth."""
    found = _BY_SLUG.get(slug)
    if found is None:
        raise UnknownProvider("Accounts cannot be connected to this provider.")
    return found


def has_service(slug: str) -> bool:
    """Whether accounts are linked to this provider by OAuth."""
    return slug in _BY_SLUG


def redirect_uri() -> str:
    """Where services send people back to, to be registered with the app over there as it is."""
    return f"{str(settings.ONE_URL).rstrip('/')}{reverse('connections:callback')}"
