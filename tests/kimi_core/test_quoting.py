"""What of a value is in a message: enough to recognise it, whatever it is."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimi_core import errors
from kimi_core.quoting import LONGEST, bounded, in_short, listed, quoted


class Failing:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


class Long:
    def __repr__(self) -> str:
        return "x" * 1_000_000


class Surrogate:
    def __repr__(self) -> str:
        return "\ud800"


class Nothing:
    def __repr__(self) -> Any:
        return None


def nested(depth: int, kind: type) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


def cyclic() -> list[Any]:
    items: list[Any] = [1]
    table = {"items": items}
    items.append(table)
    return items


VALUES: dict[str, Any] = {
    "a long text": "x" * 1_000_000,
    "half of a surrogate pair": "\ud800" * 1000,
    "bytes": b"\0" * 1_000_000,
    "a bytearray": bytearray(1_000_000),
    "a number of many digits": 10**100_000,
    "a negative number of many digits": -(10**100_000),
    "a list of many items": ["x" * 1000] * 1000,
    "a mapping of many keys": {f"{i}" * 1000: "x" * 1000 for i in range(1000)},
    "a mapping of keys of many types": {1: 1, "a": 2, None: 3, (1, "b"): 4},
    "a set": {f"{i}" * 1000 for i in range(1000)},
    "a list nested deeply": nested(5000, list),
    "a mapping nested deeply": nested(5000, dict),
    "a cycle": cyclic(),
    "lists in lists": [[["x" * 200] * 9] * 9] * 9,
    "no repr": Failing(),
    "a list of no repr": [Failing()],
    "a long repr": Long(),
    "a repr that no file takes": Surrogate(),
    "a repr that is no text": Nothing(),
    "a class called as a builtin": type("int", (), {})(),
    "a class with a long name": type("X" * 100_000, (), {})(),
    "an error": ValueError("x" * 1_000_000),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_any_value_is_quoted_in_short(value: Any) -> None:
    for shown in (quoted(value), in_short(value), listed([value] * 9), bounded(in_short(value, 10**7))):
        assert len(shown) <= LONGEST
        assert shown.encode().decode() == shown
    assert len(quoted(value)) <= 300
    assert len(in_short(value)) <= 200


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.binary(), st.lists, max_leaves=5))
def test_a_short_value_is_quoted_as_it_is(value: Any) -> None:
    written = repr(value)
    assert quoted(value) == written or len(written) > 100 or "[[[" in written


def test_beginning_and_end_of_a_long_text_are_shown() -> None:
    shown = quoted("begin" + "x" * 1000 + "end")
    assert shown.startswith("'begin")
    assert shown.endswith("end'")


def test_of_a_hosts_message_the_beginning_is_shown() -> None:
    assert in_short("begin" + "x" * 1000 + "end", 10) == "beginxxxx…"


def test_of_many_names_the_first_are_shown_and_how_many_more_there_are() -> None:
    assert listed("abc") == "a, b, c"
    assert listed(range(100), " or ") == "0 or 1 or 2 or 3 or 4 or 5 or 6 or 7 or … and 92 more"


@pytest.mark.parametrize(
    "kind", [errors.ConfigError, errors.OutputError, errors.APIError], ids=lambda kind: kind.__name__
)
def test_the_text_of_an_error_is_for_a_reader_and_its_data_are_whole(kind: Any) -> None:
    held = {errors.OutputError: "text", errors.APIError: "body"}.get(kind)
    text = f"begin{'x' * 1_000_000}end"
    error = kind(text, **{held: text} if held else {})
    assert str(error).startswith("begin")
    assert str(error).endswith("end")
    assert "characters left out" in str(error)
    assert len(str(error)) <= LONGEST
    assert held is None or getattr(error, held) == text
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_text_of_a_warning_is_for_a_reader() -> None:
    with pytest.warns(errors.KimiWarning) as caught:
        errors.warn("x" * 1_000_000)
    assert len(str(caught[0].message)) <= LONGEST
