"""What the demo model understands of the canvas."""

import pytest

from agents_app.providers.demo.arguments import arguments_for
from agents_app.providers.demo.intents import wanted_tools
from agents_app.providers.demo.request import Tool
from chat_app.builtins.canvas import edit_canvas, read_canvas, rewrite_canvas

TOOLS = [
    Tool(one.name, one.description, one.parameters)
    for one in (read_canvas, edit_canvas, rewrite_canvas)
]


@pytest.mark.parametrize(
    ("question", "name", "arguments"),
    [
        ('Write "Milk, tea. And bread" into the canvas', "rewrite_canvas",
         {"text": "Milk, tea. And bread"}),
        ("Replace milk with tea in the canvas", "edit_canvas",
         {"old_text": "milk", "new_text": "tea"}),
        ('replace "a, b" with "c" in the canvas', "edit_canvas",
         {"old_text": "a, b", "new_text": "c"}),
        ("What is in the canvas?", "read_canvas", {}),
    ],
)  # fmt: skip
def test_plain_requests_become_calls(question: str, name: str, arguments: dict[str, str]) -> None:
    [(tool, part)] = wanted_tools(question, TOOLS)
    assert (tool.name, arguments_for(tool, part, question)) == (name, arguments)


def test_a_draft_is_written_about_what_is_named() -> None:
    question = "Please write a packing list into the canvas"
    [(tool, part)] = wanted_tools(question, TOOLS)
    assert arguments_for(tool, part, question)["text"].startswith("# Packing list\n")
    assert wanted_tools("Write a poem about rivers", TOOLS) == []
