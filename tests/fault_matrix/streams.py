"""Streams that break, fall silent, end oddly or hold what no stream should."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .fault import (
    ANSWERED,
    BEGIN,
    BROKEN,
    DONE,
    END,
    EVENTS,
    MORE,
    NO_ANSWER,
    SILENT,
    STREAM_HEAD,
    TEXT,
    UNFINISHED,
    USAGE,
    Fault,
    Outcome,
    Then,
    call,
    chunk,
    event,
    frame,
    head,
    stream,
)

THOUGHT = event(frame({"reasoning_content": "Hm. "}))
EMOJI = b'data: {"id": "c", "choices": [{"index": 0, "delta": {"content": "\xf0\x9f\x98\x80"}}]}\n\n'
CALLED = event(frame({"tool_calls": [call('{"city": "Os')]}))
FINISH = event(frame({}, "stop"))
COUNTED = event({**frame({}), "choices": [], "usage": USAGE})

# ------------------------------------------------------------------------------------------------ cut and stalled

PLACES: dict[str, tuple[bytes, str]] = {
    "before the first frame": (b"", ""),
    "after a comment": (b": ping\n\n", ""),
    "in the first frame": (BEGIN[:30], ""),
    "after the first frame, which is empty": (BEGIN, ""),
    "after a text": (BEGIN + TEXT, "Hello "),
    "between the two ends of a line": (BEGIN + TEXT[:-1], "Hello "),
    "in the name of a field": (BEGIN + TEXT + b"dat", "Hello "),
    "in a frame": (BEGIN + TEXT + MORE[:-20], "Hello "),
    "before the line end of a frame": (BEGIN + TEXT + MORE[:-2], "Hello there"),
    "in a character": (BEGIN + TEXT + EMOJI[: EMOJI.index(b"\xf0") + 2], "Hello "),
    "after a thought": (BEGIN + THOUGHT, "Hm. "),
    "after a thought and a text": (BEGIN + THOUGHT + TEXT, "Hm. Hello "),
    "in the arguments of a call": (BEGIN + TEXT + CALLED, 'Hello [look {"city": "Os]'),
    "between two frames, after a comment": (BEGIN + TEXT + b": ping\n\n", "Hello "),
    "in the frame with the finish reason": (BEGIN + TEXT + MORE + FINISH[:-9], "Hello there"),
    "after the finish reason": (BEGIN + TEXT + MORE + FINISH, "Hello there"),
    "in the usage": (BEGIN + TEXT + MORE + FINISH + COUNTED[:-9], "Hello there"),
    "after the usage": (BEGIN + TEXT + MORE + FINISH + COUNTED, "Hello there"),
    "in `[DONE]`": (BEGIN + TEXT + MORE + END + DONE[:9], "Hello there"),
    "before the line end of `[DONE]`": (BEGIN + TEXT + MORE + END + DONE[:-2], "Hello there"),
}
"""What has been sent, and what of it can be read."""
CLOSED = head("200 OK", "Connection: close", kind=EVENTS)


def _at(way: str, begin: bytes, then: Then, outcome: Outcome) -> Iterator[Fault]:
    for place, (sent, came) in PLACES.items():
        content = chunk(sent) if begin is STREAM_HEAD and sent else sent
        # Where the end of the connection is that of the stream, an answer with a finish reason is whole.
        made = ANSWERED if begin is CLOSED and (FINISH in sent or END in sent) else outcome
        yield Fault(f"{way} {place}", None, made, begin + content, then, came)


CUTS = (
    *_at("closed", STREAM_HEAD, "close", BROKEN),
    *_at("reset", STREAM_HEAD, "reset", BROKEN),
    *_at("ended", CLOSED, "close", UNFINISHED),
    Fault("a chunk that is cut", None, BROKEN, STREAM_HEAD + chunk(BEGIN + TEXT) + chunk(MORE)[:50], "close", "Hello "),
    Fault("a chunk of no number", None, BROKEN, STREAM_HEAD + chunk(BEGIN + TEXT) + b"xyz\r\n", "close", "Hello "),
)
STALLS = tuple(_at("silent", STREAM_HEAD, "stall", SILENT))

# ------------------------------------------------------------------------------------------------- error frames


def _error(name: str, said: Any, outcome: str) -> tuple[Fault, Fault]:
    first = Fault(f"{name}, first", None, Outcome(outcome), stream(event(said), DONE))
    return first, Fault(
        f"{name}, after a text", None, Outcome(outcome), stream(BEGIN, TEXT, event(said), DONE), came="Hello "
    )


ERROR_FRAMES = tuple(
    fault
    for pair in (
        _error("an error", {"error": {"message": "no"}}, "StreamError"),
        _error("an overload", {"error": {"message": "busy", "type": "engine_overloaded_error"}}, "OverloadedError"),
        _error("an error with the status 401", {"error": {"message": "no", "code": 401}}, "AuthenticationError"),
        _error(
            "an error with the status 500 as text", {"error": {"message": "no", "code": "500"}}, "InternalServerError"
        ),
        _error("an error with the code `²³`", {"error": {"message": "no", "code": "²³"}}, "StreamError"),
        _error("an error that is text", {"error": "no"}, "StreamError"),
        _error("an error that is a list", {"error": ["no"]}, "StreamError"),
        _error("errors as a list", {"errors": [{"message": "no"}]}, "StreamError"),
        _error("a message alone", {"message": "no"}, "StreamError"),
        _error("a detail alone", {"detail": "no"}, "StreamError"),
        _error("an error beside a choice", {**frame({}), "error": {"message": "no"}}, "StreamError"),
        _error("an error nested without end", b'{"error": ' + 50_000 * b"[" + 50_000 * b"]}", "StreamError"),
        _error("an error as an event", b'{"error": {"message": "no"}}\nevent: error', "StreamError"),
        _error("text that is no JSON", b"Internal Server Error", "StreamError"),
        _error("an HTML page", b"<html>down</html>", "StreamError"),
        _error("JSON that is cut", b'{"id": "c", "cho', "StreamError"),
        _error("100,000 brackets", 100_000 * b"[", "StreamError"),
    )
    for fault in pair
)

# --------------------------------------------------------------------------------------------- how it is written

WELL = (BEGIN, TEXT, MORE, END, DONE)
ALL = b"".join(WELL)


def _read(name: str, *events: bytes, came: str = "Hello there") -> Fault:
    return Fault(name, None, ANSWERED, stream(*events), came=came)


FORMS = (
    _read("everything in one chunk", ALL),
    _read("a chunk for each byte", *(bytes([one]) for one in ALL)),
    _read("CRLF", ALL.replace(b"\n", b"\r\n")),
    _read("CR alone", ALL.replace(b"\n", b"\r")),
    _read("CRLF cut in two", *(part for one in WELL for part in (one[:-2] + b"\r\n\r", b"\n"))),
    _read("a BOM", b"\xef\xbb\xbf" + ALL),
    _read("no blank after `data:`", ALL.replace(b"data: ", b"data:")),
    _read("a frame on several lines", BEGIN, TEXT.replace(b', "', b',\ndata: "'), MORE, END, DONE),
    _read("ids, names and pauses", *(b"id: 7\nevent: odd\nretry: 5\n" + one for one in WELL)),
    _read("fields that nobody knows", *(b"odd: 7\nodd\n" + one for one in WELL)),
    _read("comments between all frames", *(b": ping\n\n" + one for one in WELL)),
    _read("10,000 comments", BEGIN, TEXT, 10_000 * b": ping\n\n", MORE, END, DONE),
    _read("empty data", BEGIN, TEXT, b"data:\n\n", b"data: \n\n", MORE, END, DONE),
    _read("`null` as a sign of life", BEGIN, TEXT, b"data: null\n\n", MORE, END, DONE),
    _read(
        "a character cut in two",
        BEGIN,
        EMOJI[: EMOJI.index(b"\xf0") + 2],
        EMOJI[EMOJI.index(b"\xf0") + 2 :],
        END,
        DONE,
        came="😀",
    ),
    _read(
        "half a character in each of two frames",
        BEGIN,
        event(b'{"choices": [{"index": 0, "delta": {"content": "\\ud83d"}}]}'),
        event(b'{"choices": [{"index": 0, "delta": {"content": "\\ude00"}}]}'),
        END,
        DONE,
        came="😀",
    ),
    _read(
        "half a character that stays alone",
        BEGIN,
        event(b'{"choices": [{"index": 0, "delta": {"content": "\\ud83d"}}]}'),
        END,
        DONE,
        came="�",
    ),
    _read("blank lines before it", b"\n\n\n", *WELL),
    _read(
        "a text of 1 MB in one frame",
        BEGIN,
        event(frame({"content": 1_000_000 * "x"})),
        END,
        DONE,
        came=1_000_000 * "x",
    ),
    Fault(
        "a byte that is no UTF-8",
        None,
        UNFINISHED,
        stream(BEGIN, TEXT, MORE.replace(b"there", b"th\xffre"), END, DONE),
        came="Hello ",
    ),
    Fault(
        "gzip without a header that says so",
        None,
        UNFINISHED,
        stream(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"),
        came="",
    ),
    Fault(
        "gzip that is none",
        None,
        BROKEN,
        head("200 OK", "Transfer-Encoding: chunked", "Content-Encoding: gzip", kind=EVENTS)
        + b"".join(map(chunk, [*WELL, b""])),
    ),
)

# ------------------------------------------------------------------------------------------------- how it ends

ENDS = (
    _read("no `[DONE]`", BEGIN, TEXT, MORE, END),
    _read("no blank line behind the last frame", BEGIN, TEXT, MORE, END[:-1]),
    _read("no line end behind the last frame", BEGIN, TEXT, MORE, END[:-2]),
    _read("`[DONE]` twice", *WELL, DONE),
    _read("frames after `[DONE]`", *WELL, TEXT, END),
    _read("`[DONE]` in blanks", BEGIN, TEXT, MORE, END, b"data:  [DONE] \n\n"),
    _read("an error after `[DONE]`", *WELL, event({"error": {"message": "no"}})),
    Fault("`[DONE]` before the finish reason", None, UNFINISHED, stream(BEGIN, TEXT, DONE, MORE, END), came="Hello "),
    Fault("`[DONE]` alone", None, UNFINISHED, stream(DONE)),
    Fault("nothing at all", None, UNFINISHED, stream()),
    Fault("comments alone", None, UNFINISHED, stream(b": ping\n\n", b": ping\n\n")),
    Fault("blank lines alone", None, UNFINISHED, stream(b"\n\n\n\n")),
    Fault("no finish reason", None, UNFINISHED, stream(BEGIN, TEXT, MORE, COUNTED, DONE), came="Hello there"),
    *(
        Fault(
            f"finish reason {name}",
            None,
            UNFINISHED,
            stream(BEGIN, TEXT, event(frame({}, value, usage=USAGE)), DONE),
            came="Hello ",
        )
        for name, value in {"null": None, "empty": "", "false": False, "0": 0, "[]": [], "{}": {}}.items()
    ),
    *(
        _read(f"finish reason {name}", BEGIN, TEXT, MORE, event(frame({}, value, usage=USAGE)), DONE)
        for name, value in {
            "`eos`": "eos",
            "`repetition`": "repetition",
            "`length`": "length",
            "7": 7,
            "a list": ["stop"],
            "an object": {"a": 1},
        }.items()
    ),
    _read("a finish reason twice", BEGIN, TEXT, MORE, FINISH, END, DONE),
    _read("a text after the finish reason", BEGIN, TEXT, FINISH, MORE, COUNTED, DONE),
    _read("usage in a frame of its own", BEGIN, TEXT, MORE, FINISH, COUNTED, DONE),
    _read(
        "usage in each frame",
        *(event(frame({"content": text}, usage=USAGE)) for text in ("Hello ", "there")),
        END,
        DONE,
    ),
    _read("no usage", BEGIN, TEXT, MORE, FINISH, DONE),
    *(
        _read(f"usage that is {name}", BEGIN, TEXT, MORE, event(frame({}, "stop", usage=value)), DONE)
        for name, value in {"null": None, "text": "odd", "a list": [1], "a number": 7, "empty": {}}.items()
    ),
    *(
        _read(
            f"token counts that are {value}",
            BEGIN,
            TEXT,
            MORE,
            event(frame({}, "stop", usage=dict.fromkeys(USAGE, value))),
            DONE,
        )
        for value in (-1, 1.5, None, "odd", float("nan"), float("inf"), 10**30)
    ),
    _read("an answer without a word", BEGIN, END, DONE, came=""),
    _read("a thought without an answer", BEGIN, THOUGHT, END, DONE, came="Hm. "),
    _read("an answer without a role", TEXT, MORE, END, DONE),
    _read(
        "a role in each frame",
        *(event(frame({"role": "assistant", "content": text})) for text in ("Hello ", "there")),
        END,
        DONE,
    ),
)

# ------------------------------------------------------------------------------------------------- wrong shapes

FALSY: dict[str, Any] = {"null": None, "[]": [], "{}": {}}
TRUTHY: dict[str, Any] = {"true": True, "7": 7, "text": "odd", "[null]": [None]}
NUMBERS = {name: TRUTHY[name] for name in ("true", "7")}
ODD = FALSY | TRUTHY


def _framed(name: str, odd: Any, outcome: Outcome = ANSWERED, came: str = "Hello there") -> Fault:
    """An odd frame between a text and its rest."""
    return Fault(name, None, outcome, stream(BEGIN, TEXT, event(odd), MORE, END, DONE), came=came)


def _refused(name: str, odd: Any) -> Fault:
    return _framed(name, odd, NO_ANSWER, "Hello ")


def _choice(**changes: Any) -> dict[str, Any]:
    made = frame({})
    made["choices"][0].update(changes)
    return made


FRAMES = (
    *(_framed(f"a frame that is {name}", value) for name, value in ODD.items()),
    *(_framed(f"choices: {name}", {**frame({}), "choices": value}) for name, value in FALSY.items()),
    *(_refused(f"choices: {name}", {**frame({}), "choices": value}) for name, value in TRUTHY.items()),
    *(_framed(f"delta: {name}", frame(value)) for name, value in FALSY.items()),
    *(_refused(f"delta: {name}", frame(value)) for name, value in TRUTHY.items()),
    *(_framed(f"content: {name}", frame({"content": value})) for name, value in (*FALSY.items(), ("[null]", [None]))),
    *(_refused(f"content: {name}", frame({"content": value})) for name, value in NUMBERS.items()),
    *(
        _framed(f"reasoning: {name}", frame({"reasoning_content": value}))
        for name, value in ODD.items()
        if name != "text"
    ),
    *(_framed(f"refusal: {name}", frame({"refusal": value})) for name, value in ODD.items()),
    *(_framed(f"calls: {name}", frame({"tool_calls": value})) for name, value in (*FALSY.items(), ("[null]", [None]))),
    *(_refused(f"calls: {name}", frame({"tool_calls": TRUTHY[name]})) for name in ("true", "7", "text")),
    *(_framed(f"log probabilities: {name}", _choice(logprobs=value)) for name, value in ODD.items()),
    *(_framed(f"their content: {name}", _choice(logprobs={"content": value})) for name, value in ODD.items()),
    *(_framed(f"index: {name}", _choice(index=value)) for name, value in ODD.items()),
    *(_framed(f"id: {name}", {**frame({}), "id": value}) for name, value in ODD.items()),
    *(_framed(f"model: {name}", {**frame({}), "model": value}) for name, value in ODD.items()),
    *(_framed(f"object: {name}", {**frame({}), "object": value}) for name, value in ODD.items()),
    *(_framed(f"created: {name}", {**frame({}), "created": value}) for name, value in ODD.items()),
    *(_framed(f"another field: {name}", {**frame({}), "odd": value}) for name, value in ODD.items()),
    _framed("a field that is `NaN`", {**frame({}), "odd": float("nan")}),
    _framed(
        "a frame nested without end", b'{"choices": [], "odd": ' + 50_000 * b"[" + 50_000 * b"]}", UNFINISHED, "Hello "
    ),
    _framed(
        "a message in place of the delta",
        {"choices": [{"index": 0, "message": {"content": "dear "}}]},
        came="Hello dear there",
    ),
    _framed("content in parts", frame({"content": [{"type": "text", "text": "dear "}]}), came="Hello dear there"),
    _framed("a second answer", {**frame({}), "choices": [{"index": 1, "delta": {"content": "Bye"}}]}),
    _framed(
        "two answers in one frame",
        {**frame({}), "choices": [{"index": i, "delta": {"content": text}} for i, text in enumerate(("dear ", "Bye"))]},
        came="Hello dear there",
    ),
    _framed("another id", {**frame({"content": "dear "}), "id": "d"}, came="Hello dear there"),
    _framed("another model", {**frame({"content": "dear "}), "model": "other"}, came="Hello dear there"),
)

# -------------------------------------------------------------------------------------------------------- calls


def _called(name: str, *pieces: Any, came: str) -> Fault:
    said = (event(frame({"tool_calls": piece if isinstance(piece, list) else [piece]})) for piece in pieces)
    return Fault(
        name, None, ANSWERED, stream(BEGIN, *said, event(frame({}, "tool_calls", usage=USAGE)), DONE), came=came
    )


def _more(arguments: Any, **more: Any) -> dict[str, Any]:
    return {"function": {"arguments": arguments}, **more}


OSLO = '[look {"city": "Oslo"}]'
FIRST, REST = call('{"city": "Os'), _more('lo"}', index=0)

STREAMED_CALLS = (
    _called("two pieces", FIRST, REST, came=OSLO),
    _called("a piece for each character", call(""), *(_more(one, index=0) for one in '{"city": "Oslo"}'), came=OSLO),
    _called("no index", {**FIRST, "index": None}, _more('lo"}'), came=OSLO),
    _called("an index of text", {**FIRST, "index": "0"}, _more('lo"}', index="0"), came=OSLO),
    _called("an index that begins at 7", {**FIRST, "index": 7}, _more('lo"}', index=7), came=OSLO),
    _called("a negative index", {**FIRST, "index": -1}, _more('lo"}', index=-1), came=OSLO),
    _called("the id in each piece", FIRST, {**REST, "id": "look:0"}, came=OSLO),
    _called("the name in each piece", FIRST, call('lo"}'), came=OSLO),
    _called("an empty id in later pieces", FIRST, {**REST, "id": ""}, came=OSLO),
    _called("no id", call('{"city": "Os', id_=None), REST, came=OSLO),
    _called("no name", call("{}", name=None), came="[ {}]"),
    _called("arguments that are `null`, then a text", call(None), _more('{"city": "Oslo"}', index=0), came=OSLO),  # type: ignore[arg-type]
    _called("arguments that are an object", call({"city": "Oslo"}), came=OSLO),  # type: ignore[arg-type]
    _called("arguments that never end", FIRST, came='[look {"city": "Os]'),
    _called("a function that is `null`", FIRST, {"index": 0, "function": None}, REST, came=OSLO),
    _called("a call that is `null`", FIRST, [None], REST, came=OSLO),
    _called(
        "two calls, one after the other",
        FIRST,
        REST,
        call('{"city": "Rom"}', 1, "look:1"),
        came=OSLO + '[look {"city": "Rom"}]',
    ),
    _called(
        "two calls, piece by piece",
        [FIRST, call('{"city": "R', 1, "look:1")],
        [_more('om"}', index=1), REST],
        came=OSLO + '[look {"city": "Rom"}]',
    ),
    _called(
        "two calls at one index",
        call('{"city": "Oslo"}'),
        call('{"city": "Rom"}', 0, "look:1"),
        came=OSLO + '[look {"city": "Rom"}]',
    ),
)
