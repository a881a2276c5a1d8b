"""Thoughts between tags and calls in the template's tokens are read out of the text, however it is cut."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimi_core import HOSTS, Reasoning, Response, ToolCall, resolve
from kimi_core.codecs import WireRequest
from kimi_core.codecs.chat_stream import ChatStreamDecoder
from kimi_core.events import reduce

OFFERED = {"tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}]}
LOOK = (
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.look:0<|tool_call_argument_begin|>"
    '{"city": "Oslo"}<|tool_call_end|>'
)
END = "<|tool_calls_section_end|>"
CALL = ToolCall("functions.look:0", "look", '{"city": "Oslo"}')


def said(*texts: str, **more: Any) -> list[dict[str, Any]]:
    return [{"content": text, **more} for text in texts]


def read(
    deltas: list[dict[str, Any]],
    where: str = "anywhere",
    *,
    host: str = "vllm",
    body: dict[str, Any] | None = None,
    thinks: bool | None = None,
    finish: str = "stop",
) -> Response:
    profile = resolve(HOSTS[host], "kimi-k2.6", {"reasoning.think_tags": where} if where else {})
    decoder = ChatStreamDecoder(profile, WireRequest(path="", body=body or {}, thinks=thinks), {})
    frames: list[Any] = [{"id": "c", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    frames.append({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return reduce([*(e for frame in frames for e in decoder.feed(frame)), *decoder.end()])


def parts(response: Response) -> tuple[str, str]:
    return response.reasoning.text if response.reasoning else "", response.text


@pytest.mark.parametrize(
    ("where", "text", "thought", "answer"),
    [
        ("leading", "<think>Hm.</think>Yes.", "Hm.", "Yes."),
        ("leading", "\n <think>Hm.</think>\n\nYes.", "Hm.", "\n \n\nYes."),
        ("leading", "<think></think>Yes.", "", "Yes."),
        ("leading", "<think>Hm. And so", "Hm. And so", ""),
        # in an answer that has begun, a tag is what the answer is about
        ("leading", "Write <think>Hm.</think> so.", "", "Write <think>Hm.</think> so."),
        ("leading", "No tags, 1 < 2", "", "No tags, 1 < 2"),
        ("leading", "<thin", "", "<thin"),
        ("leading", "<b>bold</b>", "", "<b>bold</b>"),
        ("anywhere", "First. <think>Hm.</think>Yes.", "Hm.", "First. Yes."),
        ("anywhere", "<think>A</think>b<think>C</think>d", "AC", "bd"),
        ("anywhere", "First. <think>Hm. And", "Hm. And", "First. "),
        # the opening tag is part of the prompt (transformers serve)
        ("opened", "Hm.</think>Yes.", "Hm.", "Yes."),
        ("opened", "Hm. And so", "Hm. And so", ""),
        ("no", "<think>Hm.</think>Yes.", "", "<think>Hm.</think>Yes."),
    ],
)
def test_tags_are_read_where_the_spec_has_it(where: str, text: str, thought: str, answer: str) -> None:
    assert parts(read(said(text), where)) == (thought, answer)
    assert parts(read(said(*text), where)) == (thought, answer)


def test_thinking_that_is_off_leaves_no_thought_open() -> None:
    """The template closes it in the prompt already."""
    assert parts(read(said("Yes."), "opened", thinks=False)) == ("", "Yes.")


def test_a_thought_of_the_text_goes_back_under_every_key() -> None:
    assert read(said("<think>Hm.</think>Yes.")).reasoning == Reasoning("Hm.", "<think>")


def test_a_thought_under_a_key_and_in_tags_is_read_once() -> None:
    """llama.cpp with `--reasoning-format deepseek-legacy`."""
    deltas = [
        {"reasoning_content": "Hm. ", "content": "<think>Hm. "},
        {"reasoning_content": "So.", "content": "So."},
        *said("</think>", "Yes."),
    ]
    assert parts(read(deltas, "leading")) == ("Hm. So.", "Yes.")


@pytest.mark.parametrize("where", ["leading", "anywhere"])
@pytest.mark.parametrize("text", ["<think>Other.</think>Yes.", "<think>Oth"])
def test_other_tags_beside_a_thought_under_a_key_are_text(text: str, where: str) -> None:
    assert parts(read([{"reasoning": "Hm."}, *said(*text)], where)) == ("Hm.", text)


def test_an_answer_beside_a_thought_under_a_key_does_not_begin_inside_one() -> None:
    assert parts(read([{"reasoning": "Hm."}, *said("Yes.")], "opened")) == ("Hm.", "Yes.")


TOKENS = st.sampled_from(["<think>", "</think>", "a", "b ", "\n", "<", "<thi", "nk>", LOOK, END, "<|tool_calls_"])
TEXTS = st.lists(TOKENS, max_size=10).map("".join)
THOUGHT = re.compile(r"<think>(.*?)(?:</think>|\Z)", re.DOTALL)


@given(text=TEXTS, where=st.sampled_from(["leading", "anywhere", "opened"]), data=st.data())
def test_any_split_is_read_alike(text: str, where: str, data: st.DataObject) -> None:
    bounds = [0, *sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=12))), len(text)]
    split = [text[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
    once, again = read(said(text), where, body=OFFERED), read(said(*split), where, body=OFFERED)
    assert (again.text, again.reasoning, again.tool_calls) == (once.text, once.reasoning, once.tool_calls)


@given(text=TEXTS)
def test_what_is_between_tags_is_the_thought_and_the_rest_the_answer(text: str) -> None:
    assert parts(read(said(*text))) == ("".join(THOUGHT.findall(text)), THOUGHT.sub("", text))


# ------------------------------------------------------------------------------------------------- leaked calls


@pytest.mark.parametrize("end", [END, "", "<|tool_call_section_end|>"], ids=["ended", "cut off", "singular"])
def test_leaked_calls_are_recovered_with_their_ids(end: str) -> None:
    """vllm#28543, MoonshotAI/Kimi-K2#89."""
    text = f"I look. {LOOK}{end}"
    for deltas in (said(text), said(*text)):
        response = read(deltas, body=OFFERED)
        assert (response.text, response.tool_calls, response.finish_reason) == ("I look. ", (CALL,), "tool_calls")


@pytest.mark.parametrize(
    ("id", "name"),
    [("functions.look:0", "look"), ("look:3", "look"), ("look_0", "look_0"), ("functions.mcp.get-it:12", "mcp.get-it")],
)
def test_the_name_is_read_out_of_the_id_and_the_id_is_kept(id: str, name: str) -> None:
    (call,) = read(said(LOOK.replace("functions.look:0", id) + END), body=OFFERED).tool_calls
    assert (call.id, call.name) == (id, name)


def test_several_leaked_calls_keep_their_order() -> None:
    second = LOOK.partition("begin|>")[2].replace(":0", ":1")
    response = read(said(f"{LOOK}\n{second}\n{END}Done."), body=OFFERED)
    assert [call.id for call in response.tool_calls] == ["functions.look:0", "functions.look:1"]
    assert response.text == "Done."


@pytest.mark.parametrize(
    "deltas",
    [
        [{"reasoning": f"Hm. {LOOK}{END}"}],
        said(f"<think>Hm. {LOOK}{END}"),
    ],
    ids=["under a key", "in tags"],
)
def test_calls_that_leak_into_the_thought_are_recovered(deltas: list[dict[str, Any]]) -> None:
    response = read(deltas, "leading", body=OFFERED)
    assert parts(response) == ("Hm. ", "")
    assert response.tool_calls == (CALL,)


def test_a_call_in_its_field_and_in_the_text_is_one() -> None:
    field = {"index": 0, "id": CALL.id, "function": {"name": "look", "arguments": CALL.arguments}}
    response = read([{"tool_calls": [field]}, *said(LOOK + END)], body=OFFERED)
    assert response.tool_calls == (CALL,)


def test_tokens_stay_text_where_no_call_can_be_meant() -> None:
    response = read(said(LOOK + END), body={})
    assert (response.text, response.tool_calls, response.finish_reason) == (LOOK + END, (), "stop")


# -------------------------------------------------------------------------------------------------- withheld calls

NONE = {**OFFERED, "tool_choice": "none"}
BEGIN = "<|tool_calls_section_begin|>"


def withheld(response: Response) -> tuple[str, str]:
    assert response.tool_calls == ()
    return response.text, response.extra.get("withheld_calls", "")


@pytest.mark.parametrize(
    "section",
    [
        LOOK + END,
        LOOK,
        LOOK.replace("calls_section", "call_section") + "<|tool_call_section_end|>",
        LOOK + LOOK.partition("begin|>")[2].replace(":0", ":1") + END,
        LOOK.replace("functions.look:0", "an odd name") + END,
        LOOK.replace('"}<|tool_call_end|>', ""),
        BEGIN + "<|tool_call_begin|>functions.look:0",
        BEGIN + "<|tool_call_begin|>" + END,
        BEGIN + END,
        BEGIN,
    ],
    ids=["ended", "open", "singular", "two", "no name", "cut", "cut before arguments", "no call", "empty", "begun"],
)
def test_calls_that_were_not_to_be_made_are_taken_out_and_kept(section: str) -> None:
    """llama-server 0c1e570 leaves them in the text."""
    for deltas in (said("So. " + section), said(*("So. " + section))):
        response = read(deltas, body=NONE)
        assert withheld(response) == ("So. ", section)
        assert response.finish_reason == "stop"


@pytest.mark.parametrize("section", [LOOK + END, LOOK, BEGIN + END], ids=["ended", "open", "empty"])
def test_the_answer_goes_on_behind_what_was_taken_out(section: str) -> None:
    assert withheld(read(said(*f"So. {section}No."), body=NONE)) == ("So. No.", section)


def test_calls_in_the_thought_are_taken_out_of_it() -> None:
    response = read([{"reasoning": f"Hm. {LOOK}{END}"}, *said("Yes.")], "leading", body=NONE)
    assert (parts(response), withheld(response)) == (("Hm. ", "Yes."), ("Yes.", LOOK + END))


def test_what_is_between_withheld_calls_is_not_lost() -> None:
    assert withheld(read(said(LOOK + "odd" + END), body=NONE)) == ("odd", LOOK + END)


@pytest.mark.parametrize("text", [BEGIN + "is how a section begins.", BEGIN + "no call" + END, "<|tool_calls_sec"])
def test_a_section_that_speaks_of_no_call_is_text_there_too(text: str) -> None:
    assert withheld(read(said(*text), body=NONE)) == (text, "")


@given(text=TEXTS, data=st.data())
def test_any_split_withholds_alike(text: str, data: st.DataObject) -> None:
    bounds = [0, *sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=12))), len(text)]
    split = [text[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
    once, again = read(said(text), "no", body=NONE), read(said(*split), "no", body=NONE)
    assert withheld(again) == withheld(once)
    assert "<|tool_call_begin|>" not in once.text
    assert sorted(once.text + withheld(once)[1]) == sorted(text)


def test_moonshots_text_is_left_alone() -> None:
    assert read(said(LOOK + END), "", host="moonshot", body=OFFERED).text == LOOK + END


@pytest.mark.parametrize(
    "text",
    [
        "<|tool_calls_section_begin|>no call" + END,
        "<|tool_calls_section_begin|>",
        "<|tool_calls_sec",
        "<|tool_calls_section_begin|><|tool_call_begin|><|tool_call_argument_begin|>{}<|tool_call_end|>" + END,
    ],
)
def test_a_section_without_a_call_stays_text(text: str) -> None:
    response = read(said(*text), body=OFFERED)
    assert (response.text, response.tool_calls) == (text, ())


def test_what_is_between_leaked_calls_is_not_lost() -> None:
    response = read(said(LOOK + "odd" + END), body=OFFERED)
    assert (response.text, response.tool_calls) == ("odd", (CALL,))


def test_a_call_that_the_limit_cut_comes_as_far_as_it_goes() -> None:
    response = read(said(*LOOK.replace('"}<|tool_call_end|>', "")), body=OFFERED, finish="length")
    assert response.tool_calls == (ToolCall("functions.look:0", "look", '{"city": "Oslo'),)
    assert response.finish_reason == "length"


def test_a_megabyte_of_leaked_arguments_is_read_in_pieces() -> None:
    arguments = '{"text": "' + "x<y " * 250_000 + '"}'
    text = LOOK.replace('{"city": "Oslo"}', arguments) + END
    pieces = [text[i : i + 64] for i in range(0, len(text), 64)]
    assert read(said(*pieces), body=OFFERED).tool_calls[0].arguments == arguments
