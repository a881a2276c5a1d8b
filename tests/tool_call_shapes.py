"""Tool calls in all the shapes in which hosts send them, each with the calls that it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OSLO, ROME = '{"city": "Oslo"}', '{"city": "Rome"}'
IN_OSLO, IN_ROME = ("look", {"city": "Oslo"}), ("look", {"city": "Rome"})
DEEP = '{"a":' * 5000 + "1" + "}" * 5000
NOTHING = object()


@dataclass(frozen=True)
class Shape:
    """One way to send calls.

    Attributes:
        name: What is special about it, as a sentence.
        calls: The calls: the tool's name, and its arguments, which are text where the call cannot be made.
        whole: The list of a whole message; None when there is none.
        arrays: The arrays of the deltas of a stream; None for one delta with the whole list.
        ids: The calls' ids, where they matter.
    """

    name: str
    calls: list[tuple[str, Any]]
    whole: list[Any] | None = None
    arrays: list[list[Any]] | None = None
    ids: list[str] | None = None


def call(name: Any = NOTHING, args: Any = NOTHING, id: Any = NOTHING, index: Any = NOTHING, **more: Any) -> Any:
    """An element of a host's array; only what is given is in it."""
    function = {k: v for k, v in (("name", name), ("arguments", args)) if v is not NOTHING}
    given = {k: v for k, v in (("index", index), ("id", id)) if v is not NOTHING}
    return {**given, **more, **({"function": function} if function else {})}


def pieces(text: str, *cuts: int) -> list[str]:
    """A text, cut."""
    bounds = [0, *cuts, len(text)]
    return [text[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def whole(name: str, calls: list[tuple[str, Any]], *elements: Any, ids: list[str] | None = None) -> Shape:
    """A whole list, which is also sent as one delta."""
    return Shape(name, calls, list(elements), [list(elements)], ids)


def streamed(name: str, calls: list[tuple[str, Any]], *arrays: list[Any], ids: list[str] | None = None) -> Shape:
    """A stream of deltas."""
    return Shape(name, calls, None, list(arrays), ids)


A, B = "functions.look:0", "functions.look:1"
TWO = [IN_OSLO, IN_ROME]
NONE = [("ping", {})]

WHOLE = [
    whole("one call", [IN_OSLO], call("look", OSLO, A), ids=[A]),
    whole("two calls", TWO, call("look", OSLO, A), call("look", ROME, B), ids=[A, B]),
    whole("one id for two calls", TWO, call("look", OSLO, "a"), call("look", ROME, "a"), ids=["a", "a_2"]),
    whole("one id and one index for two calls", TWO, call("look", OSLO, "a", 0), call("look", ROME, "a", 0)),
    whole("index 0 for both and no ids", TWO, call("look", OSLO, index=0), call("look", ROME, index=0)),
    whole("neither index nor id", TWO, call("look", OSLO), call("look", ROME), ids=[A, B]),
    whole("the same call twice", [IN_OSLO] * 2, call("look", OSLO, "a", 0), call("look", OSLO, "a", 0)),
    whole("the same call twice without signs", [IN_OSLO] * 2, call("look", OSLO), call("look", OSLO)),
    whole("no arguments twice without signs", NONE * 2, call("ping"), call("ping")),
    whole("an empty object twice at index 0", NONE * 2, call("ping", {}, index=0), call("ping", {}, index=0)),
    whole("null twice at index 0", NONE * 2, call("ping", "null", index=0), call("ping", "null", index=0)),
    whole("without arguments, then with", [("ping", {}), IN_OSLO], call("ping"), call("look", OSLO)),
    whole("the same tool without arguments, then with", [("look", {}), IN_OSLO], call("look"), call("look", OSLO)),
    whole("arguments as the text null", NONE, call("ping", "null", "a")),
    whole("arguments that are null", NONE, call("ping", None, "a")),
    whole("arguments that are missing", NONE, call("ping", id="a")),
    whole("arguments that are empty", NONE, call("ping", "", "a")),
    whole("arguments that are blank", NONE, call("ping", " \n", "a")),
    whole("arguments as an empty object", NONE, call("ping", {}, "a")),
    whole("arguments as an empty array", NONE, call("ping", [], "a")),
    whole("arguments as an object", [IN_OSLO], call("look", {"city": "Oslo"}, "a")),
    whole("objects for two calls", TWO, call("look", {"city": "Oslo"}), call("look", {"city": "Rome"})),
    whole("id and function null", [IN_OSLO], {"id": None, "function": None}, call("look", OSLO)),
    whole("nothing but null", [], {"id": None, "type": None, "function": None}),
    whole("an empty name without arguments", [], call("", "", "a")),
    whole("an id and nothing else", [], {"id": "a", "type": "function"}),
    whole("null among the elements", TWO, None, call("look", OSLO, A), None, call("look", ROME, B)),
    whole("nothing but null elements", [], None, None),
    whole("a type that is null", [IN_OSLO], call("look", OSLO, "a", type=None), ids=["a"]),
    whole("a type that is a number", [IN_OSLO], call("look", OSLO, "a", type=7)),
    whole("ids that are numbers", TWO, call("look", OSLO, 7), call("look", ROME, 8), ids=["7", "8"]),
    whole("ids that are objects", TWO, call("look", OSLO, {}), call("look", ROME, []), ids=[A, B]),
    whole("indexes that are text", TWO, call("look", OSLO, A, "0"), call("look", ROME, B, "1"), ids=[A, B]),
    whole("indexes that are fractions", TWO, call("look", OSLO, A, 0.0), call("look", ROME, B, 1.0)),
    whole("indexes that are no numbers", TWO, call("look", OSLO, A, {}), call("look", ROME, B, True)),
    whole("a name that is a number", [("", OSLO)], call(7, OSLO, "a")),
    whole("a name that is an object", [("", OSLO)], call({"x": 1}, OSLO, "a")),
    whole("no name, with arguments", [("", OSLO)], call(args=OSLO, id="a")),
    whole("a good call beside one without a name", [IN_ROME, ("", OSLO)], call(7, OSLO), call("look", ROME)),
    whole("arguments nested 5000 deep", [("look", DEEP)], call("look", DEEP, "a")),
    whole("NaN", [("look", '{"x": NaN}')], call("look", '{"x": NaN}', "a")),
    whole("Infinity", [("look", '{"x": -Infinity}')], call("look", '{"x": -Infinity}', "a")),
    whole("a number beyond every float", [("look", '{"x": 1e999}')], call("look", '{"x": 1e999}', "a")),
    whole("a number of 5000 digits", [("look", f'{{"x": {"1" * 5000}}}')], call("look", f'{{"x": {"1" * 5000}}}')),
    whole("NaN in an object", [("look", '{"x": NaN}')], call("look", {"x": float("nan")}, "a")),
    whole("arguments that are a list", [("look", "[1]")], call("look", "[1]", "a")),
    whole("arguments that are a number", [("look", "7")], call("look", 7, "a")),
    whole("arguments that were cut", [("look", '{"city": "Os')], call("look", '{"city": "Os', "a")),
    whole("control characters in a string", [("look", {"city": "a\nb"})], call("look", '{"city": "a\nb"}', "a")),
    whole("half a character in escapes", [("look", {"city": "\ufffd"})], call("look", '{"city": "\\ud83d"}', "a")),
    whole("half a character as it is", [("look", {"city": "\ufffd!"})], call("look", '{"city": "\ud83d!"}', "a")),
    whole("the other half alone", [("look", {"city": "\ufffd"})], call("look", '{"city": "\ude00"}', "a")),
    whole("half a character in an object", [("look", {"city": "\ufffd"})], call("look", {"city": "\ud83d"}, "a")),
    whole("half a character in a key", [("look", {"\ufffd": 1})], call("look", '{"\\ud83d": 1}', "a")),
]

STREAMED = [
    streamed(
        "by index, interleaved", TWO,
        [call("look", "", A, 0)], [call("look", "", B, 1)],
        [call(args='{"city": ', index=0)], [call(args='{"city"', index=1)],
        [call(args='"Oslo"}', index=0), call(args=': "Rome"}', index=1)],
        ids=[A, B],
    ),
    streamed(
        "by id alone, interleaved", TWO,
        [call("look", '{"city"', "a")], [call("look", '{"city"', "b")],
        [call(args=': "Oslo"}', id="a")], [call(args=': "Rome"}', id="b")],
        ids=["a", "b"],
    ),
    streamed(
        "index 0 for both, by id, interleaved", TWO,
        [call("look", '{"city"', "a", 0)], [call("look", '{"city"', "b", 0)],
        [call(args=': "Oslo"}', id="a", index=0)], [call(args=': "Rome"}', id="b", index=0)],
        ids=["a", "b"],
    ),
    streamed(
        "by place in the array", TWO,
        [call("look"), call("look")], [call(args=OSLO), call(args=ROME)],
    ),
    streamed(
        "by place, in pieces", TWO,
        [call("look", ""), call("look", "")],
        *([call(args=a), call(args=b)] for a, b in zip(pieces(OSLO, 3, 9), pieces(ROME, 5, 11), strict=True)),
    ),
    streamed(
        "by place, then one after the other", [("look", {"city": "Oslo"}), ("ping", {"n": 1})],
        [call("look"), call("ping")], [call(args='{"city": ')], [call(args='"Oslo"}')], [call(args='{"n": 1}')],
    ),
    streamed(
        "by place, with names again", TWO,
        [call("look", '{"city"'), call("look", '{"city"')], [call("look", ': "Oslo"}'), call("look", ': "Rome"}')],
    ),
    streamed(
        "by place beside null", TWO,
        [call("look"), call("look")], [None, call(args=ROME)], [call(args=OSLO), None],
    ),
    streamed(
        "no index at first, indexes later", TWO,
        [call("look", id="a"), call("look", id="b")], [call(args=OSLO, index=0), call(args=ROME, index=1)],
        ids=["a", "b"],
    ),
    streamed(
        "neither index nor id at first, indexes later", TWO,
        [call("look"), call("look")], [call(args=ROME, index=1)], [call(args=OSLO, index=0)],
    ),
    streamed(
        "an index first, none later", [IN_OSLO],
        [call("look", '{"city"', "a", 0)], [call(args=': "Oslo"}')],
    ),
    streamed("no index, one after the other", TWO, [call("look", "")], [call(args=OSLO)], [call("look", "")], [call(args=ROME)]),
    streamed("one id, whole, in two deltas", TWO, [call("look", OSLO, "a", 0)], [call("look", ROME, "a", 0)], ids=["a", "a_2"]),
    streamed("whole without signs in two deltas", TWO, [call("look", OSLO)], [call("look", ROME)]),
    streamed("the same call twice in two deltas", [IN_OSLO] * 2, [call("look", OSLO, "a", 0)], [call("look", OSLO, "a", 0)]),
    streamed("one id and two indexes", TWO, [call("look", OSLO, "a", 0)], [call("look", ROME, "a", 1)]),
    streamed("index 0 for two tools", [IN_OSLO, ("ping", {})], [call("look", OSLO, index=0)], [call("ping", "", index=0)]),
    streamed("an object in each of two deltas", TWO, [call("look", {"city": "Oslo"})], [call("look", {"city": "Rome"})]),
    streamed(
        "the id on every piece", [IN_OSLO],
        [call("look", "", A, 0)], *([call(args=piece, id=A, index=0)] for piece in pieces(OSLO, 1, 4, 9)),
        ids=[A],
    ),
    streamed(
        "id and name on every piece, the first and last empty", [IN_OSLO],
        *([call("look", piece, A, 0)] for piece in ["", *pieces(OSLO, 1, 4, 9), ""]),
    ),
    streamed(
        "the name on every piece, no id", [IN_OSLO],
        *([call("look", piece, index=0)] for piece in ["", *pieces(OSLO, 1, 4, 9)]),
    ),
    streamed(
        "the name on every piece, no index and no id", [IN_OSLO],
        *([call("look", piece)] for piece in pieces(OSLO, 1, 4, 9)),
    ),
    streamed(
        "the name on every piece of nested arguments", [("look", {"a": {"b": {}}})],
        *([call("look", piece, "a", 0)] for piece in ['{"a": ', '{"b": ', "{}", "}", "}"]),
    ),
    streamed(
        "another id with each piece", [IN_OSLO],
        *([call("look" if not i else NOTHING, piece, f"x{i}", 0)] for i, piece in enumerate(pieces(OSLO, 4, 9))),
    ),
    streamed(
        "another id with each piece, no index", [IN_OSLO],
        *([call("look" if not i else NOTHING, piece, f"x{i}")] for i, piece in enumerate(pieces(OSLO, 4, 9))),
    ),
    streamed(
        "another id with each piece, and the name", [IN_OSLO],
        *([call("look", piece, f"x{i}", 0)] for i, piece in enumerate(pieces(OSLO, 4, 9))),
    ),
    streamed(
        "an index that counts pieces", [IN_OSLO],
        *([call("look" if not i else NOTHING, piece, index=i)] for i, piece in enumerate(pieces(OSLO, 4, 9))),
    ),
    streamed(
        "arguments before the name", [IN_OSLO],
        [call(args='{"city"', id="a", index=0)], [call("look", ': "Oslo"}', index=0)],
    ),
    streamed("the name after all arguments", [IN_OSLO], [call(args=OSLO, index=0)], [call("look", index=0)]),
    streamed(
        "index 0 for both, in pieces, no ids",
        TWO,
        [call("look", "", index=0)],
        [call(args=OSLO, index=0)],
        [call("look", "", index=0)],
        [call(args=ROME, index=0)],
    ),
    streamed(
        "the name again behind the arguments",
        [IN_OSLO],
        [call("look", "", index=0)],
        [call(args=OSLO, index=0)],
        [call("look", "", index=0)],
    ),
    streamed("the name in pieces", [IN_OSLO], [call("lo", "", "a", 0)], [call("ok", index=0)], [call(args=OSLO, index=0)]),
    streamed("the name in pieces with arguments", [IN_OSLO], [call("lo", index=0)], [call("ok", OSLO, index=0)]),
    streamed(
        "a name that begins another tool's", [("look", {"city": "Oslo"}), ("look_up", {})],
        [call("look", "", "a", 0)], [call(args=OSLO, index=0)], [call("look_up", "", "b", 1)],
        ids=["a", "b"],
    ),
    streamed("a name that begins another tool's, and no arguments", [("look", {})], [call("look", "", "a", 0)]),
    streamed("the text null in pieces", NONE, [call("ping", "n", "a", 0)], [call(args="ul", index=0)], [call(args="l", index=0)]),
    streamed("blanks, then arguments", [IN_OSLO], [call("look", " ", "a", 0)], [call(args="\n", index=0)], [call(args=OSLO, index=0)]),
    streamed("text that only began like null", [("look", "nul")], [call("look", "nu", "a", 0)], [call(args="l", index=0)]),
    streamed("empty deltas between", [IN_OSLO], [call("look", "", A, 0)], [{}], [{"index": 0}], [None], [call(args=OSLO, index=0)]),
    streamed("an index as text on each piece", [IN_OSLO], *([call("look" if not i else NOTHING, p, index="0")] for i, p in enumerate(pieces(OSLO, 4)))),
    streamed("indexes from 1", TWO, [call("look", OSLO, "a", 1)], [call("look", "", "b", 2)], [call(args=ROME, index=2)]),
    streamed("two pieces of one call in one delta", [IN_OSLO], [call("look", index=0), call(args='{"city": ', index=0)], [call(args='"Oslo"}', index=0)]),
    streamed(
        "a character cut in two", [("look", {"city": "😀"})],
        [call("look", '{"city": "\ud83d', "a", 0)], [call(args='\ude00"}', index=0)],
    ),
    streamed(
        "characters of two calls cut in two", [("look", {"city": "😀"}), ("look", {"city": "🗼"})],
        [call("look", '{"city": "\ud83d', "a", 0), call("look", '{"city": "\ud83d', "b", 1)],
        [call(args='\uddfc"}', index=1)], [call(args='\ude00"}', index=0)],
    ),
    streamed("half a character at the end", [("look", '{"city": "\ufffd')], [call("look", '{"city": "\ud83d', "a", 0)]),
    streamed("arguments nested 5000 deep, in pieces", [("look", DEEP)], [call("look", "", "a", 0)], *([call(args=p, index=0)] for p in pieces(DEEP, 9000, 20000))),
]  # fmt: skip

SHAPES = [*WHOLE, *STREAMED]
