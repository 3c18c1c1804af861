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
AGENTS: list[dict[str, Any]] = [
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
        "tools": [
            "current_time", "calculator", "get_context", "create_task", "search_messages",
            "update_thread_title", "call_human", "ask_human", "search_knowledge", "fetch_web_page",
        ],
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
    {
        "name": "Assistant",
        "avatar": "📋",
        "description": "Gets things done with tools, and asks you before it changes anything.",
        "prompt": "You are Assistant in ONE. Plan first, then use your tools; use several at once "
        "where they do not depend on each other. When a person denies a tool, go on without it "
        "and say what was left undone.",
        "starters": [
            "What time is it in Tokyo, what is 17 * 23, and create a task to water the plants",
            "Use create_task to remind me to call the bank",
            "Use ask_human to ask me which city I live in",
            "Write a packing list into the canvas",
        ],
        "tags": ["general"],
        "tools": [
            "current_time", "calculator", "create_task", "update_thread_title", "ask_human",
            "call_human", "search_messages", "search_knowledge", "read_canvas", "edit_canvas",
            "rewrite_canvas",
        ],
        "options": {"approvals": {"create_task": "always", "update_thread_title": "always"}},
    },
    {
        "name": "Planner",
        "avatar": "🗺️",
        "description": "Divides a piece of work and gives its parts to Guide and Coder.",
        "prompt": "You are Planner in ONE. Divide what is asked into parts, delegate each to the "
        "agent that does it best, and put their answers together.",
        "starters": ["Delegate to agent Coder: write a function that counts words"],
        "tags": ["general"],
        "tools": ["ask_human", "call_human"],
        "delegates_to": ["Guide", "Coder"],
    },
]  # fmt: skip


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
            self._agents(organisation)

    def _agents(self, organisation: Organisation) -> None:
        """Those whose name is not there yet, in their order; what people changed stays."""
        known = {agent.name: agent for agent in Agent.objects.filter(organisation=organisation)}
        for values in AGENTS:
            name = str(values["name"])
            if name in known:
                continue
            others = [known[one] for one in values.get("delegates_to", []) if one in known]
            given = {**values, "kind": AgentKind.SYSTEM_AGENT, "delegates_to": others}
            known[name] = create_agent(organisation, **given)

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
