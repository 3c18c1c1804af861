"""Who is in the tests: Alice owns, Bob is a member, Charlie is from another organisation."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password

from agents_app.models import Agent, AgentKind
from chat_app.models import Thread
from chat_app.services.threads import add_participants, create_thread
from one_project.accounts.models import Event, Membership, Organisation, Role, User
from one_project.common.ids import new_id

PASSWORD = "correct-horse-battery"


@dataclass
class World:
    """An organisation with people of every role and an agent, and a stranger."""

    organisation: Organisation
    elsewhere: Organisation
    alice: User  # owner
    adam: User  # admin
    stella: User  # staff
    bob: User  # member
    charlie: User  # owner of another organisation
    agent: Agent

    def thread(self, *people: User, title: str = "") -> Thread:
        """A thread begun by Alice, with ``people`` in it."""
        thread = create_thread(self.organisation, user=self.alice, agent=self.agent, title=title)
        if people:
            add_participants(thread, user=self.alice, people=people)
        thread.refresh_from_db()
        return thread


def make_person(name: str) -> User:
    return User.objects.create_user(f"{name.lower()}@example.test", PASSWORD, name=name)


def make_world() -> World:
    """The rows that the services would write, in five statements instead of seventy: half of the
    tests begin with them. ``tests/common/test_people.py`` compares."""
    password = make_password(PASSWORD)
    alice, charlie, adam, stella, bob = people = [
        User(email=f"{name.lower()}@example.test", name=name, password=password)
        for name in ("Alice", "Charlie", "Adam", "Stella", "Bob")
    ]
    acme, elsewhere = (
        Organisation(name=name, slug=f"{name.lower()}-{new_id().hex[-6:]}")
        for name in ("Acme", "Elsewhere")
    )
    members = [
        Membership(organisation=organisation, user=user, role=role)
        for organisation, user, role in (
            (acme, alice, Role.OWNER),
            (acme, adam, Role.ADMIN),
            (acme, stella, Role.STAFF),
            (acme, bob, Role.MEMBER),
            (elsewhere, charlie, Role.OWNER),
        )
    ]
    agent = Agent(
        organisation=acme, name="Guide", kind=AgentKind.SYSTEM_AGENT, prompt="You are Guide."
    )
    User.objects.bulk_create(people)
    Organisation.objects.bulk_create([acme, elsewhere])
    Membership.objects.bulk_create(members)
    Agent.objects.bulk_create([agent])
    Event.objects.bulk_create(_events(members, agent))
    return World(acme, elsewhere, alice, adam, stella, bob, charlie, agent)


def _events(members: list[Membership], agent: Agent) -> Iterator[Event]:
    """What the services would have noted, in that order."""
    for member in members:
        organisation, user = member.organisation, member.user
        if organisation != agent.organisation:
            yield Event(
                organisation=agent.organisation, kind="agent_created", target=f"agent:{agent.pk}"
            )
        yield Event(
            organisation=organisation,
            kind="member_added",
            actor=user,
            target=f"user:{user.pk}",
            data={"role": member.role},
        )
        if member.role == Role.OWNER:
            yield Event(organisation=organisation, kind="organisation_created", actor=user)
