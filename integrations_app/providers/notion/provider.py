"""Search, read and create pages of Notion, which takes three requests a second and says when to
wait."""

import re
from typing import Any, Final

from integrations_app.errors import OutcomeUnknown, SendError
from integrations_app.providers.base import Account, register
from integrations_app.providers.notion.blocks import line_of, paragraphs, title_of
from integrations_app.providers.oauth.connector import (
    Connector,
    Found,
    NotThere,
    Opened,
    is_unanswered,
)
from integrations_app.providers.places import base_url

VERSION: Final = "2022-06-28"
_ID: Final = re.compile(r"^[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$")
# Of one reading.
_MAX_BLOCKS: Final = 500
_MAX_REQUESTS: Final = 20
_MAX_DEPTH: Final = 4


@register
class Notion(Connector):
    slug = "notion"
    title = "Notion"
    description = "Agents search, read and create pages in workspaces that people connect."
    headers = {"Notion-Version": VERSION}

    async def who(self, account: Account) -> tuple[str, str]:
        # Told together with the token.
        return "", ""

    async def search(self, account: Account, query: str, *, limit: int) -> list[Found]:
        answer = await self.asked(
            account,
            f"{_base()}/search",
            method="POST",
            json={
                "query": query,
                "page_size": limit,
                "filter": {"property": "object", "value": "page"},
            },
        )
        results = answer.get("results")
        rows = results if isinstance(results, list) else []
        return [_found(one) for one in rows if isinstance(one, dict) and one.get("id")][:limit]

    async def read(self, account: Account, item_id: str) -> Opened:
        if not _ID.match(item_id):
            raise NotThere
        page = await self.asked(account, f"{_base()}/pages/{item_id}")
        walk = _Walk(self, account)
        await walk.into(item_id, 0)
        about = _found(page)
        return Opened(
            title=about.title,
            url=about.url,
            modified=about.modified,
            text="\n".join(walk.lines),
            media_type="text/markdown",
            is_cut=walk.is_cut,
        )

    async def create_page(self, account: Account, *, parent: str, title: str, text: str) -> Found:
        """A new page under ``parent``. Raises NotThere, OutcomeUnknown and as ``search``."""
        if not _ID.match(parent):
            raise NotThere("The parent page's id is not one of Notion's.")
        body: dict[str, Any] = {
            "parent": {"page_id": parent},
            "properties": {"title": {"title": [{"text": {"content": title[:2_000]}}]}},
        }
        if text.strip():
            # With the page in one request: there is no page without its text.
            body["children"] = paragraphs(text)
        try:
            page = await self.asked(account, f"{_base()}/pages", method="POST", json=body)
        except SendError as error:
            if is_unanswered(error):
                raise OutcomeUnknown(http_status=error.http_status) from None
            raise
        return _found({**page, "properties": {"": {"type": "title", "title": _said(title)}}})


class _Walk:
    """Reads blocks and what is in them, up to the limits."""

    def __init__(self, provider: Notion, account: Account) -> None:
        self._provider, self._account = provider, account
        self._requests = self._blocks = 0
        self.lines: list[str] = []
        self.is_cut = False

    async def into(self, block_id: str, depth: int) -> None:
        cursor = ""
        while True:
            if self._requests >= _MAX_REQUESTS or self._blocks >= _MAX_BLOCKS:
                self.is_cut = True
                return
            self._requests += 1
            params = {"page_size": "100", **({"start_cursor": cursor} if cursor else {})}
            answer = await self._provider.asked(
                self._account, f"{_base()}/blocks/{block_id}/children", params=params
            )
            results = answer.get("results")
            for block in results if isinstance(results, list) else []:
                if isinstance(block, dict):
                    await self._one(block, depth)
            cursor = str(answer.get("next_cursor") or "")
            if not answer.get("has_more") or not cursor:
                return

    async def _one(self, block: dict[str, Any], depth: int) -> None:
        self._blocks += 1
        if line := line_of(block, depth):
            self.lines.append(line)
        # A page below is read by itself.
        if not block.get("has_children") or block.get("type") == "child_page":
            return
        if depth + 1 >= _MAX_DEPTH or not _ID.match(str(block.get("id", ""))):
            self.is_cut = True
            return
        await self.into(str(block["id"]), depth + 1)


def _base() -> str:
    return f"{base_url('notion')}/v1"


def _said(text: str) -> list[dict[str, str]]:
    return [{"plain_text": text}]


def _found(page: dict[str, Any]) -> Found:
    return Found(
        id=str(page.get("id", "")),
        title=title_of(page),
        url=str(page.get("url") or ""),
        modified=str(page.get("last_edited_time") or ""),
    )
