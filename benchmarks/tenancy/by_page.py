"""Every address, asked in the whole application in this process, signed in as different people.

What belongs to another organisation has to be answered exactly as what does not exist; an
address without an id, with words and fields that name what is the other's, without its marker.
"""

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from benchmarks.tenancy.ledger import Ledger, undone
from benchmarks.tenancy.side import QUESTION, Side

if TYPE_CHECKING:
    from django.test import Client

WAY: Final = "pages"
PLACEHOLDER: Final = re.compile(r"<uuid:(\w+)>")
# A run has no words of anybody's, nor has a test of a set-up; above the first page of a short
# thread there is nothing; what a PDF says is compressed.
WITHOUT_MARKER: Final = frozenset(
    {
        "workflows:run",
        "workflows:live",
        "chat:earlier",
        "chat:budget",
        "connections:trial",
        "usage:invoice_pdf",
    }
)
MOVES: Final = "switch_organisation"
FIELDS: Final = (
    "agent", "people", "collection", "collections", "files", "file", "thread", "current", "tool",
    "tools", "prompt", "delegates_to", "attached_prompts", "share_people", "message", "version",
    "document", "answer", "base_version", "inputs", "organisation", "v", "m", "team", "user",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """An address, how it is asked, and the ids in it."""

    name: str
    route: str
    method: str
    form: dict[str, Any]
    shown_to: str  # somebody who is shown it at home, "" for nobody

    @property
    def placeholders(self) -> list[str]:
        return PLACEHOLDER.findall(self.route)

    def path(self, ids: dict[str, UUID]) -> str:
        return "/" + PLACEHOLDER.sub(lambda found: str(ids[found[1]]), self.route)


class ByPage:
    """The addresses are those that ``tests.security.test_every_url`` declares."""

    def __init__(self, sides: list[Side]) -> None:
        self.sides = sides
        self.clients: dict[tuple[str, str], Client] = {}
        self.pages = _pages()
        known = set(sides[0].ids)
        unknown = {name for page in self.pages for name in page.placeholders} - known
        if unknown:
            raise RuntimeError(f"nothing of the trial's has an id for {', '.join(unknown)}")

    def probe(self, ledger: Ledger, rng: random.Random, mine: Side, other: Side) -> None:
        page = rng.choice(self.pages)
        role = rng.choice([*mine.people, "nobody"])
        headers = rng.choice([{}, {"HX-Request": "true"}])
        if page.placeholders and rng.random() < 0.75:
            self._by_address(ledger, rng, (mine, other), page, role, headers)
        else:
            self._by_field(ledger, rng, (mine, other), page, role, headers)

    def _by_address(
        self,
        ledger: Ledger,
        rng: random.Random,
        sides: tuple[Side, Side],
        page: Page,
        role: str,
        headers: dict[str, str],
    ) -> None:
        """With all ids the other's, or, of several, only some."""
        mine, other = sides
        foreign = rng.sample(page.placeholders, rng.randint(1, len(page.placeholders)))
        unknown = {name: UUID(int=rng.getrandbits(128), version=4) for name in foreign}
        ids = {**mine.ids, **{name: other.ids[name] for name in foreign}}
        found = self._ask(page, mine, role, ids, page.form, headers)
        missing = self._ask(page, mine, role, {**mine.ids, **unknown}, page.form, headers)
        leak = ""
        if other.marker in found[1].lower():
            leak = "its marker is on the page"
        elif found[0] != missing[0] or found[0] >= 500:
            leak = f"answered with {found[0]}, what does not exist with {missing[0]}"
        elif found[0] in (403, 404) and _visible(found[1]) != _visible(missing[1]):
            leak = "it looks otherwise than what does not exist"
        elif found[0] < 300 and role in mine.people and len(foreign) == len(page.placeholders):
            # Nobody, who has not signed in, is sent to do so, fragments with 200.
            leak = f"answered with {found[0]}"
        ledger.probe(WAY, f"{page.name} as {role}, {', '.join(foreign)}", leak)

    def _by_field(
        self,
        ledger: Ledger,
        rng: random.Random,
        sides: tuple[Side, Side],
        page: Page,
        role: str,
        headers: dict[str, str],
    ) -> None:
        """One's own address, with fields that name things of the other."""
        mine, other = sides
        fields = rng.sample(FIELDS, 4)
        form = {**page.form, **{name: str(_likely(name, other, rng)) for name in fields}}
        form["q"] = rng.choice([QUESTION, "budget", "feast", "bread"])
        status, text = self._ask(page, mine, role, mine.ids, form, headers)
        leak = "its marker is on the page" if other.marker in text.lower() else ""
        moved = page.name == MOVES and "organisation" in fields and role in mine.people
        if status >= 500 or (moved and status < 400):
            leak = leak or f"answered with {status}"
        ledger.probe(WAY, f"{page.name} as {role}, {', '.join(fields)}", leak)

    def _ask(
        self,
        page: Page,
        side: Side,
        role: str,
        ids: dict[str, UUID],
        form: dict[str, Any],
        headers: dict[str, str],
    ) -> tuple[int, str]:
        """Status and all that is told, headers included."""
        form = {
            name: str(side.organisation.pk) if value == "own" else value
            for name, value in form.items()
        }
        client = self._client(side, role)
        with undone():
            answer: Any = getattr(client, page.method)(page.path(ids), form, headers=headers)
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            answer.close()
        text = body.decode("utf-8", "replace")
        told = "\n".join(f"{name}: {value}" for name, value in answer.items())
        return answer.status_code, f"{told}\n\n{text}"

    def _client(self, side: Side, role: str) -> "Client":
        from django.test import Client

        found = self.clients.get((side.marker, role))
        if found is None:
            found = Client(HTTP_HOST="127.0.0.1", raise_request_exception=False)
            if role in side.people:
                found.force_login(side.people[role])
            self.clients[side.marker, role] = found
        return found

    def controls(self, ledger: Ledger) -> None:
        """At home, the same addresses show what is there."""
        for side in self.sides:
            for page in self.pages:
                if page.placeholders and page.shown_to and page.name not in WITHOUT_MARKER:
                    status, text = self._ask(page, side, page.shown_to, side.ids, page.form, {})
                    shown = side.marker in _visible(text).lower()
                    ledger.control(WAY, page.name, seen=status == 200 and shown)


def _pages() -> list[Page]:
    from tests.security.test_every_url import OWN, ROWS, WHO

    found = []
    for name, (method, statuses, form) in ROWS.items():
        shown = [who for who, status in zip(WHO, statuses, strict=True) if status == 200]
        people = [who for who in shown if who not in ("anonymous", "outsider")]
        role = people[0] if method == "get" and people else ""
        route = OWN[name].replace("<slug:provider>", "smtp")
        found.append(Page(name, route, method, form, role))
    return found


def _likely(field: str, other: Side, rng: random.Random) -> UUID:
    """An id of the other's that this field may be about."""
    if field == "organisation":
        return other.organisation.pk
    for name, key in other.ids.items():
        if name.removesuffix("_id") in field and rng.random() < 0.8:
            return key
    return rng.choice(list(other.ids.values()))


def _visible(text: str) -> str:
    """What the page is about, without its frame and without the tokens of forms."""
    body = text.partition("\n\n")[2]
    main = body.split("<main", 1)[-1].split("</main", 1)[0]
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", main)
