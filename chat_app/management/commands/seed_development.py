"""``seed_development``: accounts and agents to try ONE with; only with DEBUG on."""

from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from agents_app.models import Agent, AgentKind
from agents_app.services.agents import create_agent
from one_project.accounts.models import Organisation, Role, User
from one_project.accounts.services.organisations import add_member, create_organisation

PASSWORD = "one-demo"  # noqa: S105 - printed at every start, and made with DEBUG only
PEOPLE = [
    # e-mail, name, organisation, role, opens the Django admin
    ("admin@one.test", "Alex Admin", "one", Role.OWNER, True),
    ("staff@one.test", "Sam Staff", "one", Role.STAFF, False),
    ("learner@one.test", "Lee Learner", "one", Role.MEMBER, False),
    ("outsider@one.test", "Ola Outsider", "elsewhere", Role.OWNER, False),
]
ORGANISATIONS = {"one": "One Company", "elsewhere": "Elsewhere"}
AGENTS = [
    {
        "name": "Guide",
        "avatar": "🧭",
        "description": "Answers everyday questions, explains, and helps you find your way.",
        "prompt": "You are Guide, a calm and helpful assistant in ONE, a chat where people and "
        "agents work together. Answer in Markdown, briefly and to the point. Say so when you do "
        "not know something.",
        "starters": [
            "What can you do for me?",
            "Explain how streaming answers work",
            "Show me a table of the planets",
        ],
        "tags": ["general"],
    },
    {
        "name": "Coder",
        "avatar": "🛠️",
        "description": "Writes and reviews code, and explains it line by line.",
        "prompt": "You are Coder, a careful programmer in ONE. Answer with working code in fenced "
        "blocks with their language, then explain what matters in a few sentences.",
        "starters": [
            "Write a Python function that reverses the words of a sentence",
            "Review this function for edge cases",
            "What is a race condition? Show an example",
        ],
        "tags": ["code"],
    },
]


class Command(BaseCommand):
    help = "Create the development accounts and agents where they are missing (DEBUG only)."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("Development accounts are made with DEBUG only.")
        for email, name, slug, role, is_admin in PEOPLE:
            if not User.objects.filter(email=email).exists():
                self._person(email, name, slug, role, is_admin)
        for organisation in Organisation.objects.filter(slug__in=ORGANISATIONS):
            if not Agent.objects.filter(organisation=organisation).exists():
                for agent in AGENTS:
                    create_agent(organisation, kind=AgentKind.SYSTEM_AGENT, **agent)  # type: ignore[arg-type]

    def _person(self, email: str, name: str, slug: str, role: str, is_admin: bool) -> None:
        user = User.objects.create_user(
            email, PASSWORD, name=name, is_staff=is_admin, is_superuser=is_admin
        )
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        organisation = Organisation.objects.filter(slug=slug).first()
        if organisation is None:
            create_organisation(name=ORGANISATIONS[slug], owner=user, slug=slug)
        else:
            add_member(organisation, user=user, role=role)
