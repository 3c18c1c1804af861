"""Search and read OneDrive by Microsoft Graph."""

import re
from typing import Any, Final
from urllib.parse import quote

from integrations_app.providers.base import Account, register
from integrations_app.providers.oauth.connector import (
    MAX_FILE_BYTES,
    Connector,
    Found,
    NotThere,
    Opened,
)
from integrations_app.providers.onedrive.forms import OneDriveSettings
from integrations_app.providers.places import base_url

_ID: Final = re.compile(r"^[A-Za-z0-9!._-]{3,200}$")
_FIELDS: Final = "id,name,webUrl,lastModifiedDateTime,file,description"


@register
class OneDrive(Connector):
    slug = "onedrive"
    title = "OneDrive"
    description = "Agents search and read the files of people who connect their account."
    settings_model = OneDriveSettings

    async def who(self, account: Account) -> tuple[str, str]:
        drive = await self.asked(account, f"{_base()}/me/drive", params={"$select": "id,owner"})
        owner = drive.get("owner")
        user = owner.get("user") if isinstance(owner, dict) else None
        named = user if isinstance(user, dict) else {}
        name = named.get("email") or named.get("displayName") or ""
        return str(named.get("id") or drive.get("id") or ""), str(name)

    async def search(self, account: Account, query: str, *, limit: int) -> list[Found]:
        # A quote is doubled within the quotes of the function.
        asked = quote(query.replace("'", "''"), safe="")
        answer = await self.asked(
            account,
            f"{_base()}/me/drive/root/search(q='{asked}')",
            params={"$top": str(limit), "$select": _FIELDS},
        )
        value = answer.get("value")
        rows = value if isinstance(value, list) else []
        files = [one for one in rows if isinstance(one, dict) and one.get("id") and "file" in one]
        return [_found(one) for one in files][:limit]

    async def read(self, account: Account, item_id: str) -> Opened:
        if not _ID.match(item_id):
            raise NotThere
        place = f"{_base()}/me/drive/items/{item_id}"
        file = await self.asked(account, place, params={"$select": _FIELDS})
        kind = file.get("file")
        if not isinstance(kind, dict):
            raise NotThere("This is a folder, which has no text.")
        # It answers with a redirect to a signed address elsewhere; the token stays here.
        content = await self.fetched(
            account, f"{place}/content", max_bytes=MAX_FILE_BYTES, cut=True
        )
        about = _found(file)
        return Opened(
            title=about.title,
            url=about.url,
            modified=about.modified,
            body=content.body,
            media_type=str(kind.get("mimeType", "")),
            is_cut=content.is_cut,
        )


def _base() -> str:
    return base_url("onedrive")


def _found(file: dict[str, Any]) -> Found:
    return Found(
        id=str(file.get("id", "")),
        title=str(file.get("name", ""))[:300],
        url=str(file.get("webUrl", "")),
        modified=str(file.get("lastModifiedDateTime", "")),
        snippet=str(file.get("description") or "")[:300],
    )
