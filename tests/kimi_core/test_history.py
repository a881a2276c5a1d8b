"""Any history becomes one that the strictest host takes, and one that needs nothing is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimi_core import HOSTS, ImagePart, Message, Reasoning, TextPart, ToolCall, VideoPart, resolve
from kimi_core.request.history import BEHIND, NO_RESULT, UNTHOUGHT, repair

MOONSHOT = resolve(HOSTS["moonshot"], "kimi-k2.6")
GENERIC = resolve(HOSTS["generic"], "kimi-k2.6")
THOUGHT = Reasoning("Let me look.")
ENCRYPTED = Reasoning("", None, ({"type": "reasoning.encrypted", "data": "YQ=="},))


def call(id: str) -> ToolCall:
    return ToolCall(id, "look", "{}")


def asks(*ids: str, reasoning: Reasoning | None = THOUGHT) -> Message:
    return Message("assistant", reasoning=reasoning, tool_calls=tuple(call(i) for i in ids))


def result(id: str, text: str = "ok") -> Message:
    return Message("tool", text, tool_call_id=id)


USER = Message("user", "Look.")
GOOD = [USER, asks("a", "b"), result("b"), result("a"), Message("assistant", "Done.")]


def test_a_good_history_comes_back_as_it_is() -> None:
    messages, repairs = repair(GOOD, MOONSHOT, True)
    assert messages is GOOD
    assert repairs == ()


@pytest.mark.parametrize(
    ("history", "expected", "name"),
    [
        ([USER, Message("assistant"), USER], [USER, USER], "empty"),
        ([USER, result("x"), USER], [USER, USER], "orphan"),
        ([USER, asks("a"), USER], [USER, asks("a"), Message("tool", NO_RESULT, tool_call_id="a", name="look"), USER], "unanswered"),
        ([USER, asks("a", reasoning=None), result("a")], [USER, asks("a", reasoning=Reasoning(" ")), result("a")], "reasoning"),
        ([USER, asks("a", reasoning=ENCRYPTED), result("a")], [USER, asks("a", reasoning=Reasoning(" ")), result("a")], "reasoning"),
        ([USER, asks("a"), USER, result("a")], [USER, asks("a"), result("a"), USER], "misplaced"),
        ([USER, asks("a"), result("a"), result("a")], [USER, asks("a"), result("a")], "orphan"),
        ([USER, asks("a", "a"), result("a", "1"), result("a", "2")], [USER, asks("a", "a_2"), result("a", "1"), result("a_2", "2")], "repeated id"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)  # fmt: skip
def test_what_a_strict_host_refuses_is_repaired_and_named(history: list, expected: list, name: str) -> None:
    messages, repairs = repair(history, MOONSHOT, True)
    assert list(messages) == expected
    assert repairs == (name,)


def test_a_result_that_comes_late_is_found() -> None:
    wait = Message("assistant", "Wait.")
    messages, repairs = repair([USER, asks("a"), wait, result("a", "REAL")], MOONSHOT, True)
    assert list(messages) == [USER, asks("a"), result("a", "REAL"), wait]
    assert repairs == ("misplaced",)


def test_calls_without_ids_get_kimis_own_and_their_results_in_order() -> None:
    history = [USER, asks("", ""), Message("tool", "1"), Message("tool", "2", tool_call_id=""), USER]
    messages, repairs = repair(history, MOONSHOT, True)
    ids = ["functions.look:0", "functions.look:1"]
    assert [c.id for c in messages[1].tool_calls] == ids
    assert [(m.tool_call_id, m.content) for m in messages[2:4]] == list(zip(ids, "12", strict=True))
    assert repairs == ("repeated id",)


def calls(*named: tuple[str, str]) -> Message:
    return Message("assistant", reasoning=THOUGHT, tool_calls=tuple(ToolCall(id, name, "{}") for id, name in named))


def told(*results: tuple[str | None, str | None, str]) -> list[Message]:
    return [Message("tool", text, tool_call_id=id, name=name) for id, name, text in results]


MATCHED = {
    "by id before name": (calls(("a", "f"), ("b", "g")), told(("b", "f", "B"), ("a", "g", "A")), ["A", "B"]),
    "by the name that stands for the id": (calls(("", "f"), ("", "g")), told(("g", None, "G"), ("f", None, "F")), ["F", "G"]),
    "by name": (calls(("a", "f"), ("b", "g")), told((None, "g", "G"), (None, "f", "F")), ["F", "G"]),
    "by place": (calls(("a", "f"), ("b", "g")), told((None, None, "1"), (None, None, "2")), ["1", "2"]),
    "by place, the others by id": (calls(("a", "f"), ("b", "g")), told(("b", None, "B"), ("?", None, "1")), ["1", "B"]),
    "a second one of an id answers nothing else": (calls(("a", "f"), ("b", "g")), told(("a", None, "A"), ("a", None, "2")), ["A", NO_RESULT]),
    "one of another tool answers nothing": (calls(("a", "f")), told(("?", "g", "G")), [NO_RESULT]),
}  # fmt: skip


@pytest.mark.parametrize(("turn", "results", "expected"), MATCHED.values(), ids=MATCHED)
def test_results_are_matched_by_id_else_by_name_else_by_place(
    turn: Message, results: list[Message], expected: list[str]
) -> None:
    messages, _ = repair([USER, turn, *results], MOONSHOT, True)
    sent = messages[1].tool_calls
    assert {m.tool_call_id: m.content for m in messages[2:]} == {
        call.id: text for call, text in zip(sent, expected, strict=True)
    }


def test_a_result_does_not_answer_a_turn_that_another_with_calls_follows() -> None:
    history = [USER, asks("a"), asks("b"), Message("tool", "B")]
    messages, repairs = repair(history, MOONSHOT, True)
    assert [m.content for m in messages if m.role == "tool"] == [NO_RESULT, "B"]
    assert repairs == ("unanswered",)


def test_a_call_without_a_name_is_left_out_with_its_result() -> None:
    turn = Message("assistant", "Hm", THOUGHT, (ToolCall("a", "", ""), call("b")))
    messages, repairs = repair([USER, turn, result("a"), result("b")], MOONSHOT, True)
    assert [c.id for c in messages[1].tool_calls] == ["b"]
    assert [m.tool_call_id for m in messages[2:]] == ["b"]
    assert "nameless" in repairs


def test_ids_that_repeat_in_later_turns_are_kept() -> None:
    """K3 counts `look_0` anew in every turn."""
    history = [USER, asks("look_0"), result("look_0"), asks("look_0"), result("look_0")]
    assert repair(history, MOONSHOT, True) == (history, ())


def test_a_turn_that_is_known_not_to_have_thought_gets_its_blank_in_silence() -> None:
    """As after a forced call, for which thinking is switched off: nothing was lost there."""
    messages, repairs = repair([USER, asks("a", reasoning=UNTHOUGHT), result("a")], MOONSHOT, True)
    assert list(messages) == [USER, asks("a", reasoning=Reasoning(" ")), result("a")]
    assert repairs == ()


def shows(id: str, *parts: TextPart | ImagePart | VideoPart, name: str | None = None) -> Message:
    return Message("tool", parts, tool_call_id=id, name=name)


PICTURE, FILM, HERE = (
    ImagePart("data:image/png;base64,AA=="),
    VideoPart("data:video/mp4;base64,AA=="),
    TextPart("Here:"),
)


def test_what_tools_show_goes_behind_all_results_of_the_turn() -> None:
    history = [
        USER,
        asks("a", "b"),
        shows("a", HERE, PICTURE, name="look"),
        shows("b", FILM),
        Message("assistant", "Done."),
    ]
    messages, repairs = repair(history, GENERIC, True)
    assert list(messages) == [
        USER,
        asks("a", "b"),
        shows("a", HERE, name="look"),
        result("b", BEHIND),
        Message("user", (TextPart("From the result of look:"), PICTURE, TextPart("From the result of b:"), FILM)),
        Message("assistant", "Done."),
    ]
    assert repairs == ("tool media",)


def test_what_the_last_tool_shows_ends_the_conversation() -> None:
    messages, _ = repair([USER, asks("a"), shows("a", PICTURE)], GENERIC, True)
    assert [message.role for message in messages] == ["user", "assistant", "tool", "user"]


def test_what_tools_show_stays_where_the_host_reads_it_there() -> None:
    history = [USER, asks("a"), shows("a", HERE, PICTURE)]
    assert repair(history, MOONSHOT, True) == (history, ())


def test_no_blank_reasoning_where_it_is_not_demanded() -> None:
    history = [USER, asks("a", reasoning=None), result("a")]
    assert repair(history, GENERIC, True) == (history, ())
    assert repair(history, MOONSHOT, False) == (history, ())


ids = st.sampled_from(["a", "b", "c"])
messages = st.one_of(
    st.builds(Message, st.just("user"), st.text(min_size=1)),
    st.builds(Message, st.just("assistant"), st.text()),
    st.builds(
        lambda i, r: asks(*i, reasoning=r), st.lists(ids, min_size=1, max_size=3), st.sampled_from([None, THOUGHT])
    ),
    st.builds(result, ids, st.text()),
)
histories = st.lists(messages, max_size=12)


def violations(history: list[Message]) -> list[str]:
    """The rules of Moonshot's chat API about tool turns, as its errors state them."""
    found, waiting = [], set()
    for message in history:
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                found.append("tool_call_id is not found")
            if not message.content:
                found.append("content of a tool message must not be empty")
            waiting.discard(message.tool_call_id)
            continue
        if waiting:
            found.append("tool call without a result")
        waiting = {c.id for c in message.tool_calls}
        if len(waiting) < len(message.tool_calls):
            found.append("repeated id in one message")
        if message.tool_calls and not (message.reasoning and message.reasoning.text):
            found.append("reasoning_content is missing")
        if message.role == "assistant" and not message.content and not message.tool_calls:
            found.append("must not be empty")
    return found + (["tool call without a result"] if waiting else [])


@given(histories)
def test_any_history_is_repaired_to_one_that_breaks_no_rule(history: list[Message]) -> None:
    repaired, repairs = repair(history, MOONSHOT, True)
    assert violations(list(repaired)) == []
    assert bool(repairs) == bool(violations(history))


@given(histories)
def test_repairing_twice_changes_nothing_more(history: list[Message]) -> None:
    once, _ = repair(history, MOONSHOT, True)
    assert repair(once, MOONSHOT, True) == (once, ())


@given(histories)
def test_no_words_of_user_or_model_are_lost(history: list[Message]) -> None:
    repaired, _ = repair(history, MOONSHOT, True)
    spoken = [m.content for m in history if m.role in ("user", "assistant") and m.content]
    assert [m.content for m in repaired if m.role in ("user", "assistant") and m.content] == spoken


@given(histories)
def test_the_callers_list_is_never_changed(history: list[Message]) -> None:
    before = list(history)
    repair(history, MOONSHOT, True)
    assert history == before
