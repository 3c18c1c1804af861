"""The parts of a context put together, freed of orphans, cut to the window (T-S8, T-S9, T-S13)."""

import random
import re
from collections.abc import Sequence
from itertools import pairwise

import pytest

from agents_app.providers.parts import (
    ChatMessage,
    FilePart,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from agents_app.runtime.agent import ContextParts
from agents_app.runtime.context import assemble, trim, without_orphans
from agents_app.runtime.prompt_text import fill_variables, variables_in
from agents_app.runtime.shortening import cut_middle
from agents_app.runtime.tokens import count_message


def user(text: str) -> ChatMessage:
    return ChatMessage.text("user", text)


def said(text: str) -> ChatMessage:
    return ChatMessage.text("assistant", text)


def calls(*ids: str, text: str = "") -> ChatMessage:
    words: list[Part] = [TextPart(text)] if text else []
    return ChatMessage("assistant", (*words, *(ToolCallPart(one, "look", {}) for one in ids)))


def results(*ids: str, output: object = "found") -> ChatMessage:
    return ChatMessage("tool", tuple(ToolResultPart(one, "look", output) for one in ids))


SYSTEM = ChatMessage.text("system", "You are Guide.")
PARTS = ContextParts(
    system=(SYSTEM,),
    search=(user("a hit"),),
    recent=(user("before"), said("yes")),
    input_messages=(user("by the way"),),
    input_prompt=(user("now?"),),
    existing_responses=(calls("1"), results("1")),
)


def test_parts_are_sent_in_their_order() -> None:
    assert assemble(PARTS) == [
        SYSTEM, user("a hit"), user("before"), said("yes"), user("by the way"), user("now?"),
        calls("1"), results("1"),
    ]  # fmt: skip


def test_a_handler_sees_all_parts_and_says_what_is_sent() -> None:
    seen: list[ContextParts] = []

    def handler(parts: ContextParts) -> Sequence[ChatMessage]:
        seen.append(parts)
        memory = user("Remember: tea.")
        kept = [one for one in parts.recent if one.role == "assistant"]
        return [*parts.input_prompt, memory, *kept, *parts.existing_responses]

    assert assemble(PARTS, handler) == [
        SYSTEM, user("now?"), user("Remember: tea."), said("yes"), calls("1"), results("1"),
    ]  # fmt: skip
    assert seen == [PARTS]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([user("q"), calls("1"), user("n")], [user("q"), user("n")]),
        ([results("1"), user("q")], [user("q")]),
        ([calls("1"), results("1")], [calls("1"), results("1")]),
        ([calls("1", text="Let me look.")], [said("Let me look.")]),
        ([calls("1", "2"), results("2")], [calls("2"), results("2")]),
        ([calls("1", "2"), results("2"), results("1")], [calls("1", "2"), results("1", "2")]),
        ([results("1"), calls("1")], []),
        ([calls("1"), results("1"), results("1")], [calls("1"), results("1")]),
        ([calls("1"), user("aside"), results("1")], [calls("1"), results("1"), user("aside")]),
    ],
    ids=[
        "call alone", "result alone", "both", "call with words", "one of two answered",
        "results out of order", "result before its call", "answered twice", "somebody in between",
    ],
)  # fmt: skip
def test_no_call_is_without_its_result(given: list[ChatMessage], kept: list[ChatMessage]) -> None:
    assert without_orphans(given) == kept


def test_ids_that_are_used_again_belong_to_the_nearest_call() -> None:
    given = [calls("0"), results("0", output="one"), calls("0"), results("0", output="two")]
    assert without_orphans(given) == given
    assert without_orphans(given[:1] + given[2:]) == given[2:]


def test_the_first_result_of_a_call_counts() -> None:
    given = [calls("1"), results("1", output="first"), results("1", output="second")]
    assert without_orphans(given) == given[:2]


def tokens_of(messages: Sequence[ChatMessage]) -> int:
    return sum(count_message(message) for message in messages)


def test_what_fits_is_left_as_it_is() -> None:
    messages = assemble(PARTS)
    assert trim(messages, 10_000) == messages


def test_the_oldest_whole_orders_go_first() -> None:
    old = [user("first " * 50), calls("a"), results("a"), said("done")]
    middle = [user("second " * 50), said("well " * 50)]
    last = [user("third"), calls("b"), results("b")]
    messages = [SYSTEM, *old, *middle, *last]
    keep = tuple(last)
    assert trim(messages, tokens_of(messages) - 1, keep=keep) == [SYSTEM, *middle, *last]
    assert trim(messages, tokens_of([SYSTEM, *last]), keep=keep) == [SYSTEM, *last]


def test_a_gap_in_the_history_is_never_made() -> None:
    small, big, prompt = user("small"), user("big " * 500), user("now?")
    assert trim([small, big, prompt], 100, keep=(prompt,)) == [prompt]


def test_the_prompt_and_its_steps_stay_and_only_long_results_lose_their_middle() -> None:
    prompt = user("Compare the two.")
    long = "x1 " * 40_000
    messages = [SYSTEM, user("old"), prompt, calls("1"), results("1", output=long), said("short")]
    kept = trim(messages, 6_000, keep=messages[2:])
    assert [one.role for one in kept] == ["system", "user", "assistant", "tool", "assistant"]
    assert kept[1] == prompt
    part = kept[3].parts[0]
    assert isinstance(part, ToolResultPart)
    assert "characters left out …" in part.output
    assert part.output.startswith("x1 x1")
    [missing] = re.findall(r"\n… ([0-9,]+) characters left out …\n", part.output)
    marker = len(f"\n… {missing} characters left out …\n")
    assert int(missing.replace(",", "")) + len(part.output) - marker == len(long)
    assert tokens_of(kept) <= 6_000


def test_what_is_left_out_is_counted() -> None:
    text = cut_middle("a" * 12_545, 200)
    assert "\n… 12,345 characters left out …\n" in text
    assert text.count("a") - "characters".count("a") == 200
    assert cut_middle("short", 200) == "short"


def test_a_prompt_that_is_too_long_alone_is_cut_too() -> None:
    system = ChatMessage.text("system", "Be brief. " * 3_000)
    arguments = {"text": "word " * 9_000, "lines": ["line " * 9_000]}
    call = ChatMessage("assistant", (ToolCallPart("1", "save", arguments),))
    raw = ChatMessage("assistant", (ToolCallPart("2", "save", "not json " * 9_000),))
    file = ChatMessage("user", (FilePart("text/plain", data=b"long " * 9_000),))
    messages = [system, user("é " * 50_000), call, results("1", output={"a": "b" * 50_000}), raw,
                results("2"), file]  # fmt: skip
    kept = trim(messages, 4_000, keep=messages)
    assert tokens_of(kept) <= 4_000
    assert [one.role for one in kept] == [one.role for one in messages]
    part = kept[2].parts[0]
    assert isinstance(part, ToolCallPart)
    assert isinstance(part.arguments, dict)
    assert part.arguments.keys() == arguments.keys()


def random_thread(dice: random.Random) -> list[ChatMessage]:
    """Prompts, answers, calls and results in any order, as no thread should be but might."""
    made: list[ChatMessage] = []
    for _ in range(dice.randint(1, 40)):
        ids = dice.sample("abcd", dice.randint(1, 3))
        made.append(
            dice.choice(
                [
                    user("word " * dice.randint(1, 300)),
                    said("word " * dice.randint(1, 300)),
                    calls(*ids, text=dice.choice(["", "Let me look."])),
                    results(*ids, output="found " * dice.randint(1, 300)),
                ]
            )
        )
    return made


@pytest.mark.parametrize("seed", range(200))
def test_whatever_a_thread_holds_the_window_is_sound(seed: int) -> None:
    dice = random.Random(seed)
    messages = [*random_thread(dice), user("now?")]
    kept = trim(without_orphans(messages), dice.randint(200, 3_000), keep=messages[-1:])
    assert kept[-1] == messages[-1]
    assert kept[0].role != "tool"
    for before, message in pairwise(kept):
        asked = [part.id for part in before.parts if isinstance(part, ToolCallPart)]
        given = [part.call_id for part in message.parts if isinstance(part, ToolResultPart)]
        assert asked == given
    assert without_orphans(kept) == kept


def test_variables_are_filled_once_and_unknown_ones_stay() -> None:
    values = {"user.name": "{{ secret }}", "secret": "no"}
    text = "Hello {{ user.name }}, {{user.name}}, {{ other }} and {{ not a name }} {x}"
    filled = "Hello {{ secret }}, {{ secret }}, {{ other }} and {{ not a name }} {x}"
    assert fill_variables(text, values) == filled
    assert variables_in(text) == {"user.name", "other"}
