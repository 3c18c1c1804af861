"""Notion's blocks as text, and text as blocks."""

from typing import Any, Final

# Limits of Notion: letters of one piece of text, blocks of one request.
_PIECE: Final = 2_000
_BLOCKS: Final = 100
_MARKS: Final = {
    "heading_1": "# ",
    "heading_2": "## ",
    "heading_3": "### ",
    "bulleted_list_item": "- ",
    "numbered_list_item": "1. ",
    "quote": "> ",
    "callout": "> ",
}


def plain(texts: Any) -> str:
    """The letters of a list of rich texts."""
    if not isinstance(texts, list):
        return ""
    return "".join(str(one.get("plain_text", "")) for one in texts if isinstance(one, dict))


def title_of(page: dict[str, Any]) -> str:
    """The title of a page or of a row of a database; "Untitled" where there is none."""
    properties = page.get("properties")
    for one in properties.values() if isinstance(properties, dict) else ():
        if isinstance(one, dict) and one.get("type") == "title":
            return plain(one.get("title"))[:300] or "Untitled"
    return plain(page.get("title"))[:300] or "Untitled"


def line_of(block: dict[str, Any], depth: int) -> str:
    """A block in one or more lines, "" for what has no text."""
    kind = str(block.get("type", ""))
    inside = block.get(kind)
    held = inside if isinstance(inside, dict) else {}
    indent = "  " * depth
    if kind == "child_page":
        return f"{indent}[page: {held.get('title', '')}, id {block.get('id', '')}]"
    if kind == "table_row":
        cells = held.get("cells")
        return indent + " | ".join(plain(one) for one in cells) if isinstance(cells, list) else ""
    if kind == "to_do":
        mark = "- [x] " if held.get("checked") else "- [ ] "
    else:
        mark = _MARKS.get(kind, "")
    text = plain(held.get("rich_text"))
    if kind == "code" and text:
        return f"```\n{text}\n```"
    return f"{indent}{mark}{text}" if text else ""


def paragraphs(text: str) -> list[dict[str, Any]]:
    """Text as paragraphs, as many of them as one request takes."""
    pieces = [
        part[start : start + _PIECE]
        for part in text.split("\n\n")
        if part.strip()
        for start in range(0, len(part), _PIECE)
    ]
    return [
        {
            "type": "paragraph",
            "paragraph": {"rich_text": [{"type": "text", "text": {"content": piece}}]},
        }
        for piece in pieces[:_BLOCKS]
    ]
