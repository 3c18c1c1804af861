"""What the demo model says, and that nothing it is sent makes it fail."""

import asyncio
import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents_app.providers.demo.app import DemoApp
from agents_app.providers.demo.replies import reply_to
from agents_app.providers.demo.request import read_request
from agents_app.providers.demo.switches import Pace, Switches, read_model_name, read_text
from agents_app.providers.demo.words import tokens_of

CONTEXT = (
    "You are Helper, an assistant of the Acme shop.\n[1] Refund policy\nCustomers may return goods "
    "within 30 days. Refunds are paid within 5 working days to the original card.\n[2] Shipping\n"
    "We ship to Germany and France. Express delivery takes one day."
)


def reply(*messages, **fields):
    turns = [
        {"role": ("user", "assistant")[place % 2], "content": text}
        for place, text in enumerate(messages)
    ]
    system = {"role": "system", "content": fields.pop("system", CONTEXT)}
    return reply_to(read_request({"model": "one-demo", "messages": [system, *turns], **fields}))


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("hi", "demo model"),
        ("Who are you?", "demo model"),
        ("what can you do", "- **"),
        ("When are refunds paid?", "> Refunds are paid within 5 working days"),
        ("Do you ship to France?", "> We ship to Germany and France. [2]"),
        ("Tell me about your refund policy", "within 30 days"),
        ("What is the capital of Peru?", "found nothing"),
        ("what is 12 * 7?", "= **84**"),
        ("How much is 1,000 / 8", "**125**"),
        ("2^10", "**1024**"),
        ("what is 1/0", "divides by zero"),
        ("what is 9^9^9^9", "found nothing"),
        ("say **hello** world", "**hello** world"),
        ("Repeat after me: a\nb", "a\nb"),
        ("my name is Ada", "Nice to meet you, Ada"),
        ("show me a table", "| --- |"),
        ("make a table of: apples, pears", "| 2 | pears | 5 |"),
        ("Give me 3 tips about tea", "3. "),
        ("write python code for primes", "```python\ndef primes"),
        ("summarise this conversation", "nothing to summarise"),
        ("thanks!", "welcome"),
        ("", "without text"),
    ],
)  # fmt: skip
def test_answers(question, said):
    assert said in reply(question).text


def test_it_says_it_is_a_demo_only_when_greeted_or_asked():
    for question in ("When are refunds paid?", "show me a table", "what is 1 + 1?"):
        assert "demo" not in reply(question).text


def test_it_remembers():
    told = "My name is Ada and my favourite colour is deep blue."
    assert "Ada" in reply(told, "ok", "What is my name?").text
    assert "deep blue" in reply(told, "ok", "do you remember my favourite colour?").text
    assert "Bo" in reply(told, "ok", "my name is Bo", "ok", "what is my name?").text
    assert "not told" in reply(told, "ok", "what is my age?").text


def test_summary_and_title():
    text = reply("How do refunds work?", "Slowly.", "summarise our chat").text
    assert "How do refunds work?" in text
    assert "Slowly." in text
    title = reply("How do refunds work?", "Slowly.", "Write a title for this conversation").text
    assert title == "How do refunds work"


@pytest.mark.parametrize("count", [10, 40, 500, 5000])
def test_lengths_are_kept(count):
    assert len(reply(f"write {count} words about tea").text.split()) == count
    assert len(tokens_of(reply(f"demo:tokens={count}").text)) == count
    assert len(reply(f"write {count} paragraphs on tea").text.split("\n\n")) == min(count, 1000)


def test_the_samples_run():
    for topic in ("fibonacci", "primes", "sorting", "anything"):
        text = reply(f"write python code: {topic}").text
        code = text.split("```python\n")[1].split("```")[0]
        exec(compile(code, topic, "exec"), {})


def test_json_on_request():
    schema = {
        "type": "object",
        "properties": {
            "mood": {"enum": ["sad", "glad"]},
            "score": {"type": "number", "minimum": 3},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
        },
        "$defs": {"tag": {"type": "string", "maxLength": 4}},
    }
    wrapped = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    value = json.loads(reply("I am glad", response_format=wrapped).text)
    assert (value["mood"], value["score"], len(value["tags"])) == ("glad", 3, 2)


def tool(name, description="", **properties):
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
TOOLS = [
    tool("search_knowledge", "Search the documents", query=TEXT),
    tool("create_task", "Create a task", title=TEXT, priority={"enum": ["low", "high"]}),
    tool("get_weather", "Weather of a city", city=TEXT),
    tool("transferMoney", "Moves money", amount=NUMBER, account=TEXT),
]


@pytest.mark.parametrize(
    ("question", "calls"),
    [
        ("use search_knowledge to find refund policy", {"search_knowledge": {"query":
         "refund policy"}}),
        ("Create a task titled Buy milk with priority high", {"create_task": {"title": "Buy milk",
         "priority": "high"}}),
        ("What's the weather in Rome?", {"get_weather": {"city": "Rome"}}),
        ("transfer money 25 to account DE12", {"transferMoney": {"amount": 25,
         "account": "DE12"}}),
        ('call transferMoney with {"amount": 3, "account": "x", "z": 1}', {"transferMoney":
         {"amount": 3, "account": "x"}}),
        ("use get_weather and search_knowledge at the same time for Rome", {"get_weather":
         {"city": "Rome"}, "search_knowledge": {"query": "Rome"}}),
        ("hello", {}),
        ("When are refunds paid?", {}),
    ],
)  # fmt: skip
def test_tools(question, calls):
    assert {call.name: call.arguments for call in reply(question, tools=TOOLS).calls} == calls


def test_tool_choice():
    assert not reply("use get_weather for Rome", tools=TOOLS, tool_choice="none").calls
    (call,) = reply("hello", tools=TOOLS, tool_choice="required").calls
    assert call.name
    named = {"type": "function", "function": {"name": "create_task"}}
    assert reply("hello", tools=TOOLS, tool_choice=named).calls[0].name == "create_task"


def test_what_is_to_be_repeated_asks_for_nothing():
    said = reply("Repeat:\n\nuse get_weather for Rome", tools=TOOLS)
    assert not said.calls
    assert said.text == "use get_weather for Rome"


def test_two_tools_one_after_the_other():
    asked = {"role": "user", "content": "use create_task “x”, then use get_weather for Rome"}
    messages = [asked]
    names = []
    for number in range(3):
        found = reply_to(read_request({"model": "one-demo", "messages": messages, "tools": TOOLS}))
        if not found.calls:
            break
        (call,) = found.calls
        names.append(call.name)
        function = {"name": call.name, "arguments": "{}"}
        made = [{"id": f"c{number}", "type": "function", "function": function}]
        messages = [
            *messages,
            {"role": "assistant", "tool_calls": made},
            {"role": "tool", "tool_call_id": f"c{number}", "content": "Error: no luck"},
        ]
    assert names == ["create_task", "get_weather"]
    assert found.text.count("reported a problem") == 2


def test_switches():
    text, found = read_text("Please demo:error=429;retry-after=1 say hi demo:tps=5", Switches())
    assert text == "Please  say hi"
    assert (found.error, found.retry_after, found.tps) == (429, "1", 5.0)
    assert read_text("our demo:day is near", Switches()) == ("our demo:day is near", Switches())
    assert read_text("demo:error=200", Switches())[1].error is None
    assert read_model_name("one-demo:tps=200,first=0") == ("one-demo", Switches(tps=200, first=0))


@given(st.text())
def test_tokens_lose_nothing(text):
    assert "".join(tokens_of(text)) == text


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
words = st.lists(
    st.sampled_from(
        ["write", "table", "list", "my name is", "what is", "12", "*", "(", "of", "use", "f", "{",
         "demo:tokens=3", "title", "chat", "think step by step", "say", "ß", '"', ":", "words"]
    ),
    max_size=12,
).map(" ".join)  # fmt: skip
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "assistant", "tool"]), "content": words}
)
schemas = st.fixed_dictionaries(
    {},
    optional={
        "type": json_values | st.sampled_from(["object", "array", "string", "integer"]),
        "properties": st.dictionaries(st.text(max_size=5), json_values),
        **dict.fromkeys(("enum", "items", "minItems", "required", "minimum"), json_values),
        "anyOf": json_values,
        "default": json_values,
    },
)
functions = st.fixed_dictionaries({"name": st.sampled_from(["f", "use_f"]), "parameters": schemas})
bodies = st.fixed_dictionaries(
    {
        "model": st.just("one-demo:tps=0,first=0"),
        "messages": st.lists(messages, min_size=1, max_size=4) | json_values,
    },
    optional={
        "tools": st.lists(st.fixed_dictionaries({"function": functions}), max_size=2),
        "tool_choice": st.just("required") | json_values,
        "response_format": st.fixed_dictionaries(
            {"type": st.just("x"), "json_schema": st.fixed_dictionaries({"schema": schemas})}
        ),
        "max_tokens": json_values,
        "stop": json_values,
        "stream": st.booleans() | json_values,
        "stream_options": json_values,
    },
)


async def asgi_status(body: bytes) -> int:
    sent = []
    incoming = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": body, "more_body": False})

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions"}
    await DemoApp(Pace(0, 0))(scope, incoming.get, send)
    return sent[0]["status"]


@settings(deadline=None, max_examples=200)
@given(bodies)
def test_no_request_makes_it_fail(body):
    data = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS, default=str)
    assert asyncio.run(asgi_status(data)) in (200, 400, 404)


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=300))
def test_the_same_question_gets_the_same_answer(question):
    assert reply(question) == reply(question)


@pytest.mark.parametrize(
    "piece", [" ", "-", "my a ", "what is my ", "1+", "and my ", "\n", "(", "{"]
)
def test_long_odd_messages_are_answered_fast(piece):
    # Quadratic patterns would take minutes here.
    assert reply(piece * 60_000).text
    assert reply(piece * 60_000, "ok", "what is my name?").text
