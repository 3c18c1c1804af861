"""What the demo model understands of sending and of connected services."""

import pytest

from agents_app.builtins import connected, sending
from agents_app.providers.demo.arguments import arguments_for
from agents_app.providers.demo.intents import wanted_tools
from agents_app.providers.demo.request import Tool

TOOLS = [
    Tool(one.name, one.description, one.parameters)
    for one in (
        sending.send_email,
        sending.send_sms,
        sending.post_to_slack,
        sending.notify_user,
        connected.search_google_drive,
        connected.read_google_drive_file,
        connected.search_notion,
    )
]


@pytest.mark.parametrize(
    ("question", "name", "arguments"),
    [
        (
            'Send an e-mail to bob@example.test about lunch saying "See you at noon."',
            "send_email",
            {"to": "bob@example.test", "subject": "Lunch", "text": "See you at noon."},
        ),
        (
            "Please send an e-mail to me saying the report is ready",
            "send_email",
            {"to": "me", "subject": "The report is ready", "text": "the report is ready"},
        ),
        (
            'Post "Release is out" to #general on Slack',
            "post_to_slack",
            {"to": "#general", "text": "Release is out"},
        ),
        (
            "Send an SMS to +49 170 1234567: the door is open",
            "send_sms",
            {"to": "+49 170 1234567", "text": "the door is open"},
        ),
        ("Search Google Drive for the plan", "search_google_drive", {"query": "the plan"}),
        ("Look for the budget in Notion", "search_notion", {"query": "the budget"}),
    ],
)
def test_plain_requests_become_calls(question: str, name: str, arguments: dict[str, str]) -> None:
    [(tool, part)] = wanted_tools(question, TOOLS)
    assert (tool.name, arguments_for(tool, part, question)) == (name, arguments)


def test_a_tool_of_an_integration_is_known_by_what_it_takes() -> None:
    own_name = Tool("post_office", "Write to sales.", sending.send_email.parameters)
    question = 'Send an e-mail to me saying "Tea is ready"'
    [(tool, part)] = wanted_tools(question, [own_name])
    assert tool is own_name
    assert arguments_for(tool, part, question)["text"] == "Tea is ready"
