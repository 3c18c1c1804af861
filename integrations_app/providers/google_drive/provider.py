"""Search and read Google Drive by its REST interface, version 3."""

import re
from typing import Any, Final

from integrations_app.providers.base import Account, register
from integrations_app.providers.google_drive.forms import GoogleDriveSettings
from integrations_app.providers.oauth.connector import (
    MAX_FILE_BYTES,
    Connector,
    Found,
    NotThere,
    Opened,
)
from integrations_app.providers.places import base_url

_ID: Final = re.compile(r"^[A-Za-z0-9_-]{5,200}$")
_FIELDS: Final = "id,name,mimeType,webViewLink,modifiedTime,description"
# What Google's own kinds are exported as.
_EXPORTS: Final = {
    "application/vnd.google-apps.document": "text/markdown",
    "application/vnd.google-apps.spreadsheet": "text/csv",
    "application/vnd.google-apps.presentation": "text/plain",
}
_OWN_KIND: Final = "application/vnd.google-apps."
# Drives of teams, too.
_EVERYWHERE: Final = {"supportsAllDrives": "true"}


@register
class GoogleDrive(Connector):
    slug = "google_drive"
    title = "Google Drive"
    description = "Agents search and read the files of people who connect their account."
    settings_model = GoogleDriveSettings

    async def who(self, account: Account) -> tuple[str, str]:
        about = await self.asked(account, f"{_base()}/about", params={"fields": "user"})
        user = about.get("user")
        found = user if isinstance(user, dict) else {}
        return str(found.get("permissionId", "")), str(found.get("emailAddress", ""))

    async def search(self, account: Account, query: str, *, limit: int) -> list[Found]:
        quoted = query.replace("\\", "\\\\").replace("'", "\\'")
        answer = await self.asked(
            account,
            f"{_base()}/files",
            params={
                "q": f"fullText contains '{quoted}' and trashed = false",
                "pageSize": str(limit),
                "fields": f"files({_FIELDS})",
                "includeItemsFromAllDrives": "true",
                **_EVERYWHERE,
            },
        )
        files = answer.get("files")
        rows = files if isinstance(files, list) else []
        return [_found(one) for one in rows if isinstance(one, dict) and one.get("id")][:limit]

    async def read(self, account: Account, item_id: str) -> Opened:
        if not _ID.match(item_id):
            raise NotThere
        place = f"{_base()}/files/{item_id}"
        file = await self.asked(account, place, params={"fields": _FIELDS, **_EVERYWHERE})
        kind = str(file.get("mimeType", ""))
        wanted = _EXPORTS.get(kind)
        if wanted is None and kind.startswith(_OWN_KIND):
            raise NotThere("This is a folder, or a kind of file that has no text.")
        content = await self.fetched(
            account,
            f"{place}/export" if wanted else place,
            params={"mimeType": wanted} if wanted else {"alt": "media", **_EVERYWHERE},
            max_bytes=MAX_FILE_BYTES,
            cut=True,
        )
        about = _found(file)
        return Opened(
            title=about.title,
            url=about.url,
            modified=about.modified,
            text=content.body.decode("utf-8", errors="replace") if wanted else None,
            body=b"" if wanted else content.body,
            media_type=wanted or kind,
            is_cut=content.is_cut,
        )


def _base() -> str:
    return base_url("google_drive")


def _found(file: dict[str, Any]) -> Found:
    return Found(
        id=str(file.get("id", "")),
        title=str(file.get("name", ""))[:300],
        url=str(file.get("webViewLink", "")),
        modified=str(file.get("modifiedTime", "")),
        snippet=str(file.get("description", ""))[:300],
    )
