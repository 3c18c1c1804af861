"""The demo model as an agent: it plans, calls tools once each, and tells what came of them."""

import json
import time

import pytest

from agents_app.providers.demo.replies import reply_to
from agents_app.providers.demo.request import read_request


def tool(name, about="", /, **properties):
    required = [one for one, schema in properties.items() if "default" not in schema]
    parameters = {"type": "object", "properties": properties, "required": required}
    function = {"name": name, "description": about, "parameters": parameters}
    return {"type": "function", "function": function}


TEXT = {"type": "string"}
TOOLS = [
    tool("current_time", "Current date and time", timezone={"type": "string", "default": "UTC"}),
    tool("calculator", "Work out arithmetic", expression=TEXT),
    tool("create_task", "Write down a task", title=TEXT, description={**TEXT, "default": ""},
         priority={**TEXT, "default": "medium"}),
    tool("get_weather", "Weather of a city", city=TEXT),
    tool("search_knowledge", "Search the documents", query=TEXT,
         limit={"type": "integer", "default": 5}),
    tool("search_messages", "Find earlier messages", query=TEXT,
         other_threads={"type": "boolean", "default": False}),
    tool("fetch_web_page", "Read a page", url=TEXT),
    tool("get_context", "Who is here", which={"enum": ["group", "user", "agent"]}),
    tool("call_human", "Hand over to a person", reason=TEXT),
    tool("ask_human", "Ask the person", question=TEXT),
    tool("delegate_to_agent", "Have another agent do it", agent=TEXT, task=TEXT),
    tool("update_thread_title", "Name the thread", title=TEXT),
    tool("delete_document", "Delete a document", title=TEXT),
    tool("post_webhook", "Send a text", text=TEXT),
]  # fmt: skip


class Turn:
    """One question, answered in steps; every call gets a result until there is an answer."""

    def __init__(self, question, results=None, tools=TOOLS):
        self.messages = [{"role": "user", "content": question}]
        self.results = results or {}
        self.tools = tools
        self.said, self.calls, self.steps = [], [], []
        for _ in range(20):
            reply = reply_to(read_request({
                "model": "one-demo", "messages": self.messages, "tools": tools,
            }))  # fmt: skip
            self.said.append(reply.text)
            if not reply.calls:
                break
            self.steps.append([call.name for call in reply.calls])
            self._take(reply)
        self.answer = reply.text

    def _take(self, reply):
        made = []
        for call in reply.calls:
            made.append({
                "id": f"c{len(self.calls)}", "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            })  # fmt: skip
            self.calls.append((call.name, call.arguments))
        said = {"role": "assistant", "content": reply.text or None, "tool_calls": made}
        self.messages.append(said)
        for one in made:
            result = self.results.get(one["function"]["name"], "ok")
            content = result if isinstance(result, str) else json.dumps(result)
            self.messages.append({"role": "tool", "tool_call_id": one["id"], "content": content})


THREE = "what time is it, what is 17*23 and create a task to call Bob"


def test_several_things_are_planned_and_done_one_after_the_other():
    results = {
        "current_time": {
            "time": "2026-01-02T03:04:05+00:00", "weekday": "Friday", "timezone": "UTC",
        },
        "calculator": {"expression": "17*23", "result": "391"},
        "create_task": {"task_id": "1", "title": "call Bob", "priority": "medium"},
    }  # fmt: skip
    turn = Turn(THREE, results)
    assert turn.calls == [
        ("current_time", {}),
        ("calculator", {"expression": "17*23"}),
        ("create_task", {"title": "call Bob"}),
    ]
    assert [len(step) for step in turn.steps] == [1, 1, 1]
    assert turn.said[0] == "I will look at the clock, work out the sum and create the task."
    for told in ("03:04", "**391**", "“call Bob”"):
        assert told in turn.answer


def test_together_means_at_once():
    turn = Turn("Do these in parallel: " + THREE)
    assert turn.steps == [["current_time", "calculator", "create_task"]]
    assert turn.said[0].startswith("I will ")


@pytest.mark.parametrize(
    ("question", "calls"),
    [
        ("What time is it in Tokyo?", [("current_time", {"timezone": "Asia/Tokyo"})]),
        ("what is (2+3)*4?", [("calculator", {"expression": "(2+3)*4"})]),
        ("how much is 1,000 / 8", [("calculator", {"expression": "1000 / 8"})]),
        ("Create a task to buy milk and eggs", [("create_task", {"title": "buy milk and eggs"})]),
        ("add an urgent task: water the plants", [("create_task", {"title": "water the plants",
         "priority": "high"})]),
        ("remind me to call Ann", [("create_task", {"title": "call Ann"})]),
        ("What's the weather in Rome, and in which team am I? what is my role", None),
        ("weather in Paris; then what is 2+2?", [("get_weather", {"city": "Paris"}),
         ("calculator", {"expression": "2+2"})]),
        ("read https://example.test/a,b?c=1 please", [("fetch_web_page",
         {"url": "https://example.test/a,b?c=1"})]),
        ("Search the documents for refund policy", [("search_knowledge",
         {"query": "refund policy"})]),
        ("What does the staff handbook say about parental leave?", [("search_knowledge",
         {"query": "parental leave"})]),
        ("According to the documents, how long is parental leave?", [("search_knowledge",
         {"query": "how long is parental leave"})]),
        ("What did we decide about the boat?", [("search_messages", {"query": "the boat",
         "other_threads": True})]),
        ("Search the messages for the boat", [("search_messages", {"query": "the boat"})]),
        ("who am I?", [("get_context", {"which": "user"})]),
        ("I want to talk to a human about my refund", [("call_human", {"reason": "my refund"})]),
        ("Get me a real person", [("call_human", {"reason": "Get me a real person"})]),
        ("please connect me with support", [("call_human",
         {"reason": "please connect me with support"})]),
        ("ask me which colour I like", [("ask_human", {"question": "Which colour I like?"})]),
        ("delegate to Billing: find invoice 12", [("delegate_to_agent", {"agent": "Billing",
         "task": "find invoice 12"})]),
        ("ask the Billing agent to find invoice 12", [("delegate_to_agent", {"agent": "Billing",
         "task": "find invoice 12"})]),
        ("rename this thread to Tea time", [("update_thread_title", {"title": "Tea time"})]),
        ('delete the document "Old prices"', [("delete_document", {"title": "Old prices"})]),
        ("post to the webhook: we are live", [("post_webhook", {"text": "we are live"})]),
        ("hello", []),
        ("say something nice", []),
        ("thanks, that was great", []),
    ],
)  # fmt: skip
def test_what_is_asked_is_called_with_its_arguments(question, calls):
    turn = Turn(question)
    if calls is None:
        assert [name for name, _ in turn.calls] == ["get_weather", "get_context"]
    else:
        assert turn.calls == calls


def test_a_question_nothing_answers_is_looked_up_once():
    turn = Turn("When are refunds paid?", {"search_knowledge": []})
    assert turn.calls == [("search_knowledge", {"query": "When are refunds paid?"})]
    assert "found nothing" in turn.answer
    found = [{"title": "Refunds", "content": "Paid within 5 days.", "relevance": 0.5}]
    assert (
        "Paid within 5 days" in Turn("When are refunds paid?", {"search_knowledge": found}).answer
    )


def test_what_was_decided_is_told_with_who_and_where():
    said = {"author": "The treasurer", "text": "We buy the boat.", "thread": "Boats",
            "at": "2026-03-04T10:00+00:00"}  # fmt: skip
    found = {"search_messages": {"messages": [said]}}
    answer = Turn("What did we decide about the boat?", found).answer
    assert "> We buy the boat.\n>\n> — The treasurer in “Boats”, 2026-03-04" in answer


def test_passages_are_cited_by_their_numbers():
    passages = [
        {"cite": 4, "title": "Refunds", "page": 2, "content": "Paid within\n5 days."},
        {"cite": 2, "title": "Terms", "page": None, "content": "No refunds."},
    ]
    found = {"passages": passages, "degraded": "Only words were compared."}
    answer = Turn("When are refunds paid?", {"search_knowledge": found}).answer
    assert "> Paid within 5 days.\n>\n> — Refunds, page 2 [4]" in answer
    assert "— Terms [2]" in answer
    only = {"passages": [], "degraded": "Only words were compared."}
    assert "found nothing" in Turn("When are refunds paid?", {"search_knowledge": only}).answer


@pytest.mark.parametrize(
    "result",
    ["Denied by a person. Reason: not now", "Error: Denied by a person. Reason: not now",
     "Denied: not now", {"error": {"code": "denied", "message": "not now"}},
     {"error": "denied", "reason": "not now"}],
)  # fmt: skip
def test_a_denied_call_is_not_tried_again_and_its_reason_given(result):
    turn = Turn("delete the document “Old prices” and what is 2+2?", {"delete_document": result})
    assert [name for name, _ in turn.calls] == ["delete_document", "calculator"]
    assert "not allowed to use `delete_document`" in turn.answer
    assert "not now" in turn.answer


def test_a_call_to_a_person_says_who_takes_over():
    result = {"escalation_id": "1", "status": "waiting_for_human"}
    assert "take over" in Turn("I need a human", {"call_human": result}).answer


def test_the_same_call_is_never_made_twice():
    turn = Turn("what is 2+2, what is 2+2 and what is 3+3", {"calculator": "Error: broken"})
    assert [arguments["expression"] for _, arguments in turn.calls] == ["2+2", "3+3"]
    assert "reported a problem" in turn.answer


def test_the_next_question_may_ask_for_the_same():
    turn = Turn("what is 2+2?")
    again = [*turn.messages, {"role": "assistant", "content": "4"},
             {"role": "user", "content": "what is 2+2?"}]  # fmt: skip
    body = {"model": "one-demo", "messages": again, "tools": TOOLS}
    assert [call.name for call in reply_to(read_request(body)).calls] == ["calculator"]


ROUTER = (
    "Choose who answers.\n- Billing: invoices, refunds and payments\n"
    "- Travel: flights and hotels\n- General: everything else"
)


@pytest.mark.parametrize(
    ("question", "agent"),
    [
        ("my invoice is wrong, I want a refund", "Billing"),
        ("book me two flights to Rome", "Travel"),
        ("Travel please", "Travel"),
        ("zzz", "Billing"),
    ],
)
@pytest.mark.parametrize("in_one", [True, False])
def test_a_router_picks_the_agent_that_is_described(question, agent, in_one):
    choices = {"type": "string", "enum": ["Billing", "Travel", "General"]}
    schema = {"type": "object", "properties": {"agent": choices}, "required": ["agent"]}
    given = (
        [{"role": "user", "content": f"{ROUTER}\n\n{question}"}]
        if in_one and question != "Travel please"
        else [{"role": "system", "content": ROUTER}, {"role": "user", "content": question}]
    )
    wrapped = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body = {"model": "one-demo", "messages": given, "response_format": wrapped}
    assert json.loads(reply_to(read_request(body)).text) == {"agent": agent}


@pytest.mark.parametrize(
    "piece",
    ["ask ", "delegate the ", "title ", "task to ", "a, ", "and ", '"', "1+", "in ", "https://",
     "create ", "(", "search ", "A ", "“", "the agent ", "{"],
)  # fmt: skip
def test_long_odd_questions_are_planned_fast(piece):
    began = time.process_time()
    turn = Turn(piece * 20_000)
    assert len(turn.calls) <= 10
    assert time.process_time() - began < 10
