"""What the demo model says of what its tools returned."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from agents_app.providers.demo.request import Message
from agents_app.providers.demo.tool_use import current_turn
from agents_app.providers.demo.words import shortened

MAX_QUOTE = 600
MAX_PASSAGES = 3
_REFUSED = ("denied", "not_allowed", "forbidden", "expired", "rejected")


def result_answer(messages: Sequence[Message]) -> str | None:
    """What the tools of this turn returned, as an answer; None when none was called."""
    turn = current_turn(messages)
    names = {call_id: name for message in turn for call_id, name in message.calls.items()}
    results = [message for message in turn if message.role == "tool"]
    if not results:
        return None
    return "\n\n".join(_told(names.get(one.call_id, "the tool"), one.text) for one in results)


def _told(name: str, text: str) -> str:
    value = _read(text)
    problem = _problem(text, value)
    if problem is not None:
        return _refused(name, problem)
    teller = _TELLERS.get(name)
    told = teller(value) if teller else None
    if told:
        return told
    lines = list(_lines(value))
    return f"Here is what `{name}` returned:\n\n" + "\n".join(lines or ["- nothing"])


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _problem(text: str, value: Any) -> str | None:
    """What went wrong, or None. Errors come as text or as an object that holds one."""
    if isinstance(value, Mapping) and value.get("error"):
        error = value["error"]
        inner = error if isinstance(error, Mapping) else value
        said = inner.get("reason") or inner.get("message") or inner.get("error")
        code = str(inner.get("code") or value.get("code") or error)
        prefix = "Denied. " if any(word in code.lower() for word in _REFUSED) else ""
        return f"{prefix}{_short(said)}"
    stripped = text.strip()
    is_error = False
    while stripped.lower().startswith("error"):
        is_error, stripped = True, stripped[len("error") :].lstrip(" :")
    return stripped if is_error or stripped.lower().startswith("denied") else None


def _refused(name: str, problem: str) -> str:
    line = " ".join(problem.split())
    if not line.lower().startswith(_REFUSED):
        return f"The tool `{name}` reported a problem:\n\n> {line}"
    reason = line.partition("Reason:")[2].strip()
    if not reason:
        reason = line.partition(".")[2].strip() or line.partition(":")[2].strip()
    because = f" The reason given: {reason.rstrip('.')}." if reason else ""
    return f"I was not allowed to use `{name}`, so I left it at that.{because}"


def _time(value: Any) -> str | None:
    if not isinstance(value, Mapping) or "time" not in value:
        return None
    day, _, clock = str(value["time"]).partition("T")
    weekday = f"{value['weekday']}, " if value.get("weekday") else ""
    return f"It is **{clock[:5]}** on {weekday}{day} ({value.get('timezone', 'UTC')})."


def _sum(value: Any) -> str | None:
    if not isinstance(value, Mapping) or "result" not in value:
        return None
    return f"{value.get('expression', 'The result')} = **{value['result']}**"


def _task(value: Any) -> str | None:
    if not isinstance(value, Mapping) or "title" not in value:
        return None
    priority = f" with {value['priority']} priority" if value.get("priority") else ""
    return f"I have created the task “{value['title']}”{priority}."


def _weather(value: Any) -> str | None:
    if not isinstance(value, Mapping) or "temperature_c" not in value:
        return None
    place = value.get("city") or "there"
    return f"In {place} it is **{value['temperature_c']} °C**, {value.get('sky', 'unknown')}."


def _page(value: Any) -> str | None:
    if not isinstance(value, Mapping) or not value.get("text"):
        return None
    title = value.get("title") or value.get("url")
    return f"The page **{_short(title)}** begins:\n\n{_quote(value['text'])}"


def _passages(value: Any) -> str | None:
    passages = _entries(value, "passages")
    if not passages:
        return None if passages is None else "I searched the documents and found nothing about it."
    return "This is what I found in the documents:\n\n" + "\n\n".join(
        map(_passage, passages[:MAX_PASSAGES])
    )


def _entries(value: Any, name: str) -> list[Mapping[str, Any]] | None:
    """The list of a search: by itself, or under a name; None for what is none."""
    found = value.get(name) if isinstance(value, Mapping) else value
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        return None
    return found


def _passage(one: Mapping[str, Any]) -> str:
    number = one.get("cite")
    mark = f" [{number}]" if isinstance(number, int) else ""
    page = f", page {one['page']}" if one.get("page") else ""
    quote = _quote(_short(one.get("content", "")))
    return f"{quote}\n>\n> — {one.get('title', 'untitled')}{page}{mark}"


def _said(value: Any) -> str | None:
    said = _entries(value, "messages")
    if not said:
        return None if said is None else "I searched the messages and found nothing about it."
    quotes = [
        f"{_quote(_short(one.get('text', '')))}\n>\n> — {one.get('author') or 'Someone'} in "
        f"“{one.get('thread', 'a thread')}”, {str(one.get('at', ''))[:10]}"
        for one in said[:MAX_PASSAGES]
    ]
    return "This is what was said:\n\n" + "\n\n".join(quotes)


def _person(value: Any) -> str | None:
    return "I have called a person of the staff. They will take over here as soon as they can."


def _answered(value: Any) -> str | None:
    return f"Thank you, I have your answer: “{shortened(_short(value), MAX_QUOTE)}”"


def _delegated(value: Any) -> str | None:
    return f"The other agent answers:\n\n{_quote(_short(value))}"


def _renamed(value: Any) -> str | None:
    if not isinstance(value, Mapping) or "title" not in value:
        return None
    return f"This thread is now called “{value['title']}”."


def _sent(value: Any) -> str | None:
    return "The message has been sent."


def _deleted(value: Any) -> str | None:
    if not isinstance(value, Mapping) or "deleted" not in value:
        return None
    return f"The document “{value['deleted']}” has been deleted."


def _canvas(value: Any) -> str | None:
    if not isinstance(value, Mapping) or "version" not in value:
        return None
    return f"The canvas “{value.get('canvas')}” is now at version {value['version']}."


def _canvas_text(value: Any) -> str | None:
    if not isinstance(value, Mapping) or "text" not in value:
        return None
    quoted = "\n> ".join(shortened(str(value["text"]), MAX_QUOTE).splitlines())
    return f"The canvas “{value.get('canvas')}” says:\n\n> {quoted}"


_TELLERS: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "ask_human": _answered,
    "calculator": _sum,
    "call_human": _person,
    "create_task": _task,
    "current_time": _time,
    "delegate_to_agent": _delegated,
    "delete_document": _deleted,
    "edit_canvas": _canvas,
    "fetch_web_page": _page,
    "get_weather": _weather,
    "post_webhook": _sent,
    "read_canvas": _canvas_text,
    "rewrite_canvas": _canvas,
    "search_knowledge": _passages,
    "search_messages": _said,
    "update_thread_title": _renamed,
}


def _quote(text: object) -> str:
    return "> " + shortened(str(text), MAX_QUOTE)


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield f"- **{name}:** {_short(item)}"
    elif isinstance(value, list):
        for item in value[:20]:
            yield f"- {_short(item)}"
    else:
        yield str(value)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text.split())
