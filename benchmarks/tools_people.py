"""An organisation whose agents have the sample tools, and people in it."""

import http.client
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.people import CSRF, Person, make_organisation, make_user, sign_in
from benchmarks.tools_model import HELPER

if TYPE_CHECKING:
    from agents_app.models import Agent
    from one_project.accounts.models import Organisation

TOOLS = ["trial_read", "trial_quick", "trial_write", "trial_external", "trial_asked"]


@dataclass(frozen=True, slots=True)
class Place:
    """A thread, and who asks in it."""

    thread_id: UUID
    person: Person


def make_tools_organisation(name: str) -> "Organisation":
    """An owner, an agent with the sample tools, and one it may delegate to."""
    from agents_app.models import AgentKind
    from agents_app.services.agents import create_agent

    organisation = make_organisation(name)
    guide = organisation.agents.get()
    helper = create_agent(organisation, name=HELPER, kind=AgentKind.SYSTEM_AGENT, prompt="Help.")
    for agent in (guide, helper):
        agent.tools = TOOLS
        agent.save()
    guide.delegates_to.add(helper)
    return organisation


def make_places(organisation: "Organisation", count: int) -> list[Place]:
    """``count`` new threads with a new person each."""
    from chat_app.services.threads import create_thread

    places = []
    for _ in range(count):
        user = make_user(organisation)
        thread = create_thread(organisation, user=user, agent=guide_of(organisation), title="Tools")
        places.append(Place(thread.pk, sign_in(user)))
    return places


def guide_of(organisation: "Organisation") -> "Agent":
    return organisation.agents.get(name="Guide")


def post_question(host: str, place: Place, text: str, key: UUID) -> bool:
    """Send it as the page does; whether it was taken. Raises OSError, HTTPException."""
    connection = http.client.HTTPConnection(host, timeout=20)
    fields = {"text": text, "client_key": str(key), "csrfmiddlewaretoken": CSRF}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": place.person.cookie,
        "Origin": f"http://{host}",
        "HX-Request": "true",
    }
    try:
        path = f"/chat/{place.thread_id}/messages/"
        connection.request("POST", path, urllib.parse.urlencode(fields), headers)
        return connection.getresponse().status == 200
    finally:
        connection.close()
