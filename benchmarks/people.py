"""People with sessions and threads, made directly in the database of the stack."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from one_project.accounts.models import Organisation, User

# Any value will do as long as cookie and form agree (Django compares the two).
CSRF = "benchmarkbenchmarkbenchmark00000"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in."""

    user_id: str
    session: str

    @property
    def cookie(self) -> str:
        return f"sessionid={self.session}; csrftoken={CSRF}"


@dataclass(frozen=True, slots=True)
class Room:
    """A thread and who looks at it; the first of them speaks. ``seq`` is its number now."""

    thread_id: str
    seq: int
    people: tuple[Person, ...]


def make_organisation(name: str) -> "Organisation":
    """An organisation with an owner and one agent."""
    from agents_app.models import AgentKind
    from agents_app.services.agents import create_agent
    from one_project.accounts.models import User
    from one_project.accounts.services.organisations import create_organisation

    owner = User.objects.create_user(f"owner@{name}.test", None, name="Owner")
    organisation = create_organisation(name=name, owner=owner)
    create_agent(organisation, name="Guide", kind=AgentKind.SYSTEM_AGENT, prompt="You are a guide.")
    return organisation


def make_rooms(organisation: "Organisation", count: int, viewers: int = 1) -> list[Room]:
    """``count`` new threads with ``viewers`` new people each."""
    from agents_app.models import Agent
    from chat_app.models import Thread
    from chat_app.services.threads import create_thread

    agent = Agent.objects.get(organisation=organisation)
    rooms = []
    for _ in range(count):
        users = [make_user(organisation) for _ in range(viewers)]
        thread = create_thread(
            organisation, user=users[0], agent=agent, title="Measured", participants=users[1:]
        )
        seq = Thread.objects.get(pk=thread.pk).seq
        rooms.append(Room(str(thread.pk), seq, tuple(sign_in(user) for user in users)))
    return rooms


def make_user(organisation: "Organisation") -> "User":
    """A new member of the organisation, without a password."""
    from one_project.accounts.models import User
    from one_project.accounts.services.organisations import add_member
    from one_project.common.ids import new_id

    user = User.objects.create_user(f"{new_id()}@bench.test", None, name="Viewer")
    add_member(organisation, user=user)
    return user


def sign_in(user: "User") -> Person:
    """A session as a sign-in leaves it."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return Person(str(user.pk), str(session.session_key))
