"""Who is in the tests: Alice owns, Bob is a member, Charlie is from another organisation."""

from dataclasses import dataclass

from agents_app.models import Agent, AgentKind
from agents_app.services.agents import create_agent
from chat_app.models import Thread
from chat_app.services.threads import add_participants, create_thread
from one_project.accounts.models import Organisation, Role, User
from one_project.accounts.services.organisations import add_member, create_organisation

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
    alice, charlie = make_person("Alice"), make_person("Charlie")
    organisation = create_organisation(name="Acme", owner=alice)
    people = {name: make_person(name) for name in ("Adam", "Stella", "Bob")}
    for name, role in (("Adam", Role.ADMIN), ("Stella", Role.STAFF), ("Bob", Role.MEMBER)):
        add_member(organisation, user=people[name], role=role)
    agent = create_agent(
        organisation, name="Guide", kind=AgentKind.SYSTEM_AGENT, prompt="You are Guide."
    )
    return World(
        organisation=organisation,
        elsewhere=create_organisation(name="Elsewhere", owner=charlie),
        alice=alice,
        adam=people["Adam"],
        stella=people["Stella"],
        bob=people["Bob"],
        charlie=charlie,
        agent=agent,
    )
