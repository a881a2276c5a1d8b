"""`kimi_adapters.probe` against hosts that behave as their specs have it, and against hosts that do not."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from inline_snapshot import snapshot

import kimi_core
from kimi_adapters.local_server import LocalKimi, local
from kimi_adapters.probe import QUESTIONS, Report, estimate, probe
from kimi_adapters.probe.answers import Answer
from kimi_adapters.probe.judges import solved
from kimi_adapters.probe.messages import TASKS
from kimi_core import errors
from kimi_core.hosts import patches
from kimi_core.settings import Settings, make_settings

KEY = "sk-local-kimi"
DATA = frozenset({"data"})


class Refused(Exception):
    """What an altered host says no to."""

    def __init__(self, status: int = 400, words: str = "this is not supported") -> None:
        self.status, self.words = status, words


class Altered:
    """An application in front of another, which changes requests and answers on their way."""

    def __init__(self, app: Any, ask: Callable[[Any], Any], answer: Callable[[bytes], bytes]) -> None:
        self.app, self.ask, self.answer = app, ask, answer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        data = bytearray()
        while True:
            event = await receive()
            data += event.get("body", b"")
            if not event.get("more_body"):
                break
        try:
            asked = json.dumps(self.ask(json.loads(data))).encode() if data else b""
        except Refused as no:
            body = json.dumps({"error": {"message": no.words, "type": "invalid_request_error"}}).encode()
            heads = [(b"content-type", b"application/json"), (b"retry-after", b"0")]
            await send({"type": "http.response.start", "status": no.status, "headers": heads})
            await send({"type": "http.response.body", "body": body})
            return

        async def received() -> Any:
            return {"type": "http.request", "body": asked, "more_body": False}

        async def sent(event: Any) -> None:
            if event["type"] == "http.response.start":
                event["headers"] = [pair for pair in event["headers"] if pair[0] != b"content-length"]
            elif event.get("body"):
                event["body"] = self.answer(event["body"])
            await send(event)

        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
        await self.app(scope, received, sent)


def settings(kimi: LocalKimi, host: str | None = None, **more: Any) -> Settings:
    where = {"host": host or kimi.dialect.name, "base_url": kimi.base_url, "api_key": kimi.api_key}
    return make_settings(**{**where, "max_retries": 0, **more})


@contextmanager
def altered(
    monkeypatch: pytest.MonkeyPatch,
    dialect: Any,
    ask: Callable[[Any], Any] = lambda body: body,
    answer: Callable[[bytes], bytes] = lambda data: data,
) -> Iterator[LocalKimi]:
    """A local server that does something otherwise than its dialect."""
    real = local.create_app
    with monkeypatch.context() as patch:
        patch.setattr(local, "create_app", lambda emulator: Altered(real(emulator), ask, answer))
        kimi = LocalKimi(dialect, admits=["kimi-adapters/"]).start()
    try:
        yield kimi
    finally:
        kimi.stop()


# ------------------------------------------------------------------------------------- hosts as their specs

# What the local server can do and the spec leaves at its default, or does not trust: OpenRouter's only upstream is
# Moonshot here, but its spec is for all of them.
BESIDE: dict[str, dict[str, Any]] = {
    "aimlapi": {"media.kinds": frozenset({"image"}), "tools.media_results": True},
    "openrouter": {"sampling.pinned": True, "sampling.stop_limit": 5, "tools.media_results": True},
    "sglang": {"tools.media_results": True},
    "fireworks": {"tools.media_results": True},
    # It runs without a projector for pictures, and its reasoning is on.
    "llama-cpp": {"media.kinds": frozenset(), "thinking.default": True},
}
# What no call to a server without the internet can tell.
UNSETTLED = {"aimlapi": {"sampling"}, "moonshot": set(), "kimi-code": set(), "llama-cpp": set()}


@pytest.mark.parametrize(
    "dialect", ["moonshot", "aimlapi", "kimi-code", "openrouter", "vllm", "sglang", "fireworks", "llama-cpp"]
)
def test_a_host_that_behaves_as_its_spec_gets_that_spec(dialect):
    with LocalKimi(dialect, admits=["kimi-adapters/"]) as kimi:
        report = probe(settings(kimi))

    assert report.differences == BESIDE.get(dialect, {})
    assert set(report.unknowns) == UNSETTLED.get(dialect, {"pictures"})


@pytest.mark.parametrize(
    ("dialect", "model"),
    [("moonshot", "kimi-k3"), ("moonshot", "kimi-k2.7-code"), ("kimi-code", "kimi-k3"), ("vllm", "kimi-k3")],
)
def test_a_model_with_a_spec_of_its_own_gets_that(dialect, model):
    with LocalKimi(dialect, admits=["kimi-adapters/"]) as kimi:
        assert probe(settings(kimi), model).differences == {}


def test_the_spec_of_moonshot_is_found_by_asking(kimi):
    report = probe(settings(kimi), key_env="MOONSHOT_API_KEY")

    day = f"dt.date({report.day.year}, {report.day.month}, {report.day.day})"
    assert report.source().replace(kimi.base_url, "http://localhost/v1").replace(day, "TODAY") == snapshot("""\
HostSpec(
    name="moonshot",
    title="Moonshot AI, international",
    address=Address(
        base_url="http://localhost/v1",
        key_env=("MOONSHOT_API_KEY",),
    ),
    thinking=ThinkingRules(
        default=True,
        off={"thinking": {"type": "disabled"}},
        on={"thinking": {"type": "enabled"}},
    ),
    reasoning=ReasoningRules(
        required=True,
        key_out="reasoning_content",
        blank=" ",
        keys_in=("reasoning_content",),
    ),
    tools=ToolRules(
        choices_thinking=frozenset({"auto", "none"}),
        choices_instant=frozenset({"auto", "named", "none", "required"}),
        media_results=True,
    ),
    structured=OutputRules(
        ways=("json_schema", "function_calling", "json_object"),
        schema="mfjs",
        with_tools=True,
    ),
    usage=UsageRules(
        stream_options=True,
        paths=("usage", "choices.0.usage"),
        cached_paths=("cached_tokens", "prompt_tokens_details.cached_tokens"),
        reasoning_paths=("completion_tokens_details.reasoning_tokens",),
        cost_paths=(),
        cost_headers=(),
    ),
    sampling=SamplingRules(
        pinned=True,
        stop_limit=5,
        max_tokens_field="max_completion_tokens",
    ),
    messages=MessageRules(takes_empty=False),
    media=MediaRules(urls=frozenset({"data"})),
    errors=ErrorMapping(id_headers=("x-trace-id", "x-request-id")),
    tier="verified",
    as_of=TODAY,
    source="kimi-adapters probe",
)\
""")


def test_the_source_of_a_spec_is_that_spec(aimlapi):
    report = probe(settings(aimlapi))

    made = eval(report.source(), {**vars(kimi_core), "dt": dt})

    assert {name: patches.fact(made, name) for name in report.fields} == report.fields
    assert (made.tier, made.as_of, made.source) == ("verified", report.day, "kimi-adapters probe")
    assert made.thinking.off is None
    assert report.spec().usage.cost_paths == ("meta.usage.usd_spent",)


# ----------------------------------------------------------------------------------------------- altered hosts


def without(*names: str) -> Callable[[Any], Any]:
    return lambda body: {name: value for name, value in body.items() if name not in names}


def refusing(holds: Callable[[Any], bool], status: int = 400) -> Callable[[Any], Any]:
    def ask(body: Any) -> Any:
        if holds(body):
            raise Refused(status)
        return body

    return ask


def each_turn(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def ask(body: Any) -> Any:
        return {**body, "messages": [change(one) if one["role"] == "assistant" else one for one in body["messages"]]}

    return ask


def reads_other_key(turn: Any) -> Any:
    thought = turn.get("reasoning")
    kept = {key: value for key, value in turn.items() if not key.startswith("reasoning")}
    return {**kept, "reasoning_content": thought} if thought else kept


def no_longer(name: str) -> Callable[[Any], Any]:
    return lambda body: without("tool_choice")(body) if body.get("tool_choice") == name else body


def unconstrained(body: Any) -> Any:
    asked = body.get("response_format") or {}
    return without("response_format")(body) if asked.get("type") == "json_schema" else body


def has_picture(body: Any) -> bool:
    return '"image_url"' in json.dumps(body["messages"])


def is_named(body: Any) -> bool:
    return isinstance(body.get("tool_choice"), dict)


THREE = frozenset({"auto", "none", "required"})
FOUR = THREE | {"named"}

ALTERATIONS = {
    "thinking is not switched off": ("moonshot", without("thinking"), {"thinking.off": None}),
    "another switch is honoured": (
        "moonshot",
        lambda body: (
            {**without("thinking")(body), "thinking": {"type": "disabled"}}
            if body.get("enable_thinking") is False
            else without("thinking")(body)
        ),
        {"thinking.off": {"enable_thinking": False}, "thinking.on": {"enable_thinking": True}},
    ),
    "reasoning need not come back": (
        "moonshot",
        each_turn(lambda turn: {"reasoning_content": " ", **turn}),
        {"reasoning.required": False},
    ),
    "reasoning is read under another key": ("moonshot", each_turn(reads_other_key), {"reasoning.key_out": "reasoning"}),
    "a space is no reasoning": (
        "moonshot",
        each_turn(lambda turn: without("reasoning_content")(turn) if turn.get("reasoning_content") == " " else turn),
        {"reasoning.blank": None},
    ),
    "no tool can be named": (
        "vllm",
        refusing(is_named),
        {"tools.choices_thinking": THREE, "tools.choices_instant": THREE},
    ),
    "tools are called though none may be": (
        "vllm",
        no_longer("none"),
        {"tools.choices_thinking": FOUR - {"none"}, "tools.choices_instant": FOUR - {"none"}},
    ),
    "schemas are not enforced": (
        "moonshot",
        unconstrained,
        {"structured.ways": ("function_calling", "json_object"), "structured.schema": "json_schema"},
    ),
    "tools and a schema exclude each other": (
        "moonshot",
        refusing(lambda body: "tools" in body and "response_format" in body),
        {"structured.with_tools": False},
    ),
    "schemas of the standard are taken": (
        "moonshot",
        lambda body: json.loads(json.dumps(body).replace('"type": "string", "anyOf"', '"anyOf"')),
        {"structured.schema": "json_schema"},
    ),
    "stream options are refused": (
        "vllm",
        refusing(lambda body: "stream_options" in body),
        {"usage.stream_options": False},
    ),
    "stop sequences are ignored": (
        "vllm",
        without("stop"),
        {
            "sampling.refuses": {"stop": "This host ignores stop sequences; leave them out."},
            "sampling.stop_limit": None,
        },
    ),
    "three fewer stop sequences are taken": (
        "moonshot",
        refusing(lambda body: len(body.get("stop", ())) > 4),
        {"sampling.stop_limit": 4},
    ),
    "the new name of the limit is ignored": (
        "moonshot",
        without("max_completion_tokens"),
        {"sampling.max_tokens_field": "max_tokens"},
    ),
    "pictures are refused": ("moonshot", refusing(has_picture), {"media.kinds": frozenset()}),
    "empty messages are refused": (
        "vllm",
        refusing(lambda body: not body["messages"][0]["content"]),
        {"messages.takes_empty": False},
    ),
    "sampling is pinned": ("vllm", refusing(lambda body: "temperature" in body), {"sampling.pinned": True}),
}


def never_calls(body: Any) -> Any:
    """A server whose model calls nothing of its own accord."""
    return body if body.get("tool_choice") not in (None, "auto") else without("tools")(body)


def test_a_tool_that_is_called_when_it_must_be_is_a_way_to_structured_output(monkeypatch):
    def ask(body: Any) -> Any:
        return never_calls(unconstrained(without("response_format")(body)))

    with altered(monkeypatch, "llama-cpp", ask) as kimi:
        report = probe(settings(kimi))
    assert report.fields["structured.ways"] == ("function_calling",)


def test_no_spec_is_printed_without_a_way_to_structured_output(monkeypatch):
    def ask(body: Any) -> Any:
        return {key: value for key, value in body.items() if key not in ("tools", "tool_choice", "response_format")}

    with altered(monkeypatch, "vllm", ask) as kimi:
        report = probe(settings(kimi))
    assert report.unknowns["structured"] == "none of them; json_schema not enforced; json_object not enforced."
    assert "ways=" not in report.source()
    assert report.spec().structured.ways


@pytest.mark.parametrize("what", ALTERATIONS)
def test_what_a_host_does_otherwise_is_found_and_nothing_else(what, monkeypatch):
    dialect, ask, expected = ALTERATIONS[what]
    with altered(monkeypatch, dialect, ask) as kimi:
        assert probe(settings(kimi)).differences == expected


def test_a_price_that_is_gone_is_found(monkeypatch):
    with altered(monkeypatch, "openrouter", answer=lambda data: data.replace(b'"cost":', b'"paid":')) as kimi:
        assert probe(settings(kimi)).differences == {**BESIDE["openrouter"], "usage.cost_paths": ()}


def test_a_price_in_another_place_is_found(monkeypatch):
    with altered(monkeypatch, "openrouter", answer=lambda data: data.replace(b'"cost":', b'"usd_cost":')) as kimi:
        assert probe(settings(kimi)).differences["usage.cost_paths"] == ("usage.usd_cost",)


def test_a_host_that_does_not_think_is_found():
    with LocalKimi(think=False) as kimi:
        report = probe(settings(kimi))

    assert report.differences == {"thinking.default": False, "thinking.on": None}
    assert set(report.unknowns) == {"reasoning"}
    assert "tools.choices_thinking" not in report.fields


def test_a_host_that_thinks_only_when_asked_is_found(monkeypatch):
    with altered(
        monkeypatch,
        "moonshot",
        lambda body: {"thinking": {"type": "disabled"}, **body},
    ) as kimi:
        report = probe(settings(kimi))

    assert report.differences == {"thinking.default": False}
    assert report.fields["thinking.on"] == {"thinking": {"type": "enabled"}}
    assert report.fields["thinking.off"] == {"thinking": {"type": "disabled"}}


def test_a_switch_that_does_not_hold_beside_tools_is_said(monkeypatch):
    def ask(body: Any) -> Any:
        return without("chat_template_kwargs")(body) if "tools" in body else body

    with altered(monkeypatch, "vllm", ask) as kimi:
        report = probe(settings(kimi))

    assert report.differences == {}
    assert "It thought all the same with auto, none, required, named." in [one.text for one in report.findings]


def test_thoughts_in_the_text_are_found():
    with LocalKimi("vllm", reasoning_as="lone_tag") as kimi:
        assert probe(settings(kimi)).differences == {"reasoning.think_tags": "opened"}


def test_calls_in_the_text_are_found(kimi):
    kimi.enqueue(text="391", reasoning="I multiply.")
    kimi.enqueue(text="391")
    kimi.enqueue(text="391", reasoning="I multiply.")
    kimi.enqueue(reasoning="A tool.", tool_calls=[{"name": "get_weather"}], calls_as="tokens")

    assert probe(settings(kimi)).differences["tools.leaked_calls"] is True


def test_calls_that_are_not_made_are_counted(monkeypatch):
    with altered(monkeypatch, "moonshot", answer=lambda data: data.replace(b"Tokyo", b"Kyoto")) as kimi:
        report = probe(settings(kimi))

    said = [one.text for one in report.findings if one.question == "tool calls"]
    assert said == ["3 of 4 right; wrong: the right tool of several."]


@pytest.mark.parametrize(
    ("calls", "right"),
    [
        ([("book_table", {"restaurant": "Aurora", "people": 4})], True),
        ([("book_table", {"restaurant": "the Aurora", "people": 4})], True),
        ([("book_table", {"restaurant": "Aurora", "people": "4"})], False),
        ([("book_table", {"restaurant": "Aurora", "people": 4, "at": "noon"})], False),
        ([("book_table", {"restaurant": "Aurora"})], False),
        ([("book_table", None)], False),
        ([("book_table", {"restaurant": "Aurora", "people": 4})] * 2, False),
        ([("get_time", {"city": "Aurora"})], False),
        ([], False),
    ],
)
def test_a_task_is_solved_by_its_calls_with_arguments_of_the_schema(calls, right):
    task = next(one for one in TASKS if one.name == "arguments of two types")
    written = [{"function": {"name": name, "arguments": json.dumps(given) if given else "{"}} for name, given in calls]

    assert solved(task, Answer(message={"tool_calls": written})) is right


# ------------------------------------------------------------------------------------- what cannot be found


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_the_host_could_not_answer_is_unknown_and_stays_out_of_the_spec(status, monkeypatch):
    with altered(monkeypatch, "vllm", refusing(is_named, status)) as kimi:
        report = probe(settings(kimi))

    assert str(status) in report.unknowns["choices while thinking"]
    assert not {"tools.choices_thinking", "tools.choices_instant"} & set(report.fields)
    assert report.differences == {}


def test_an_answer_that_the_limit_cut_shows_nothing(kimi):
    kimi.enqueue(reasoning="I think and think.", finish_reason="length")

    report = probe(settings(kimi))

    assert "token limit" in report.unknowns["thinking"]
    assert not {"thinking.default", "thinking.on", "thinking.off"} & set(report.fields)
    assert "Not asked: It is not known how thinking is switched." in [one.text for one in report.findings]


def test_after_a_key_is_refused_nothing_more_is_asked(monkeypatch):
    calls: list[Any] = []

    def ask(body: Any) -> Any:
        calls.append(body)
        if len(calls) > 3:
            raise Refused(401)
        return body

    with altered(monkeypatch, "moonshot", ask) as kimi:
        report = probe(settings(kimi))

    assert len(calls) == report.calls == 4
    assert "401" in report.unknowns["structured"]
    assert set(report.fields) >= {"thinking.default", "thinking.off", "reasoning.keys_in"}


@pytest.mark.parametrize(
    ("given", "error"),
    [({"api_key": "sk-wrong-key"}, errors.AuthenticationError), ({"api_key": ""}, errors.MissingKeyError)],
)
def test_a_key_that_is_wrong_or_missing_is_an_error_at_once(kimi, given, error):
    with pytest.raises(error):
        probe(settings(kimi, **given))

    assert len(kimi.requests) <= 1


def test_a_host_that_is_busy_is_waited_for(kimi):
    kimi.fail(headers={"retry-after": "0"})

    assert probe(settings(kimi, max_retries=1)).differences == {}


def test_a_host_that_stays_busy_is_an_error(kimi):
    kimi.fail(9, headers={"retry-after": "0"})

    with pytest.raises(errors.OverloadedError):
        probe(settings(kimi, max_retries=1))

    assert len(kimi.requests) == 3


def test_a_model_that_is_not_there_is_an_error_at_once(kimi):
    with pytest.raises(errors.NotFoundError, match="kimi-k2-thinking"):
        probe(settings(kimi), "kimi-k2-thinking")

    assert len(kimi.requests) == 1


def test_a_host_that_lets_only_others_in_is_an_error_at_once():
    with LocalKimi("kimi-code") as kimi, pytest.raises(errors.PermissionDeniedError):
        probe(settings(kimi))


def test_a_host_with_a_protocol_of_its_own_is_not_asked():
    with LocalKimi("runware") as server:
        settings = make_settings(host="runware", base_url=server.base_url, api_key=server.api_key)
        for ask in (estimate, probe):
            with pytest.raises(errors.ConfigError, match="Only Chat Completions .* Probe host='runware-compatible'"):
                ask(settings, "kimi-k2.6")
        assert server.requests == []


def test_a_host_that_is_not_there_is_an_error_at_once():
    with pytest.raises(errors.APIConnectionError, match="could not be reached"):
        probe(make_settings(host="vllm", base_url="http://127.0.0.1:9/v1", max_retries=0))


# -------------------------------------------------------------------------------------------------- the rest


def test_the_first_call_is_what_it_says(kimi):
    probe(settings(kimi))

    assert kimi.requests[0].body == snapshot(
        {
            "model": "kimi-k2.6",
            "max_tokens": 4096,
            "messages": [{"role": "user", "content": "What is 17 * 23? Answer with the number only."}],
        }
    )


def test_a_host_that_wants_another_name_for_the_limit_is_asked_by_that(monkeypatch):
    with altered(monkeypatch, "vllm", refusing(lambda body: "max_tokens" in body)) as kimi:
        report = probe(settings(kimi))

    assert report.differences == {"sampling.max_tokens_field": "max_completion_tokens"}


def test_a_host_that_nobody_knows_gets_a_spec_from_nothing():
    with LocalKimi("fireworks") as kimi:
        report = probe(settings(kimi, "generic"), key_env="ACME_KEY")

    spec = report.spec()
    assert report.differences == {}
    assert (spec.name, spec.address.key_env) == ("127-0-0-1", ("ACME_KEY",))
    assert spec.models.ids == {"kimi-k2.6": "accounts/fireworks/models/kimi-k2p6"}
    assert spec.structured.with_tools is False
    assert spec.reasoning.key_out == "reasoning_content"


def test_a_host_without_keys_is_known_to_need_none(monkeypatch):
    with LocalKimi("vllm", api_key="none") as kimi:
        report = probe(settings(kimi))
        assert "address.key_required" not in report.fields

    with monkeypatch.context() as patch:
        patch.setattr("kimi_adapters.local_server.app._authenticate", lambda emulator, call: None)
        with LocalKimi("vllm") as kimi:
            assert probe(settings(kimi, api_key="")).fields["address.key_required"] is False


@pytest.mark.parametrize("dialect", ["aimlapi", "openrouter", "vllm"])
def test_no_probe_takes_more_calls_than_was_said(dialect):
    told: list[str] = []
    with LocalKimi(dialect) as kimi:
        where = settings(kimi)
        report = probe(where, progress=lambda name, done: told.append(name))

        assert len(told) == report.calls == len(kimi.requests) <= estimate(where).calls


def test_an_estimate_knows_the_price():
    about = estimate(make_settings(host="moonshot", api_key="sk-not-used"))

    assert about.usd == pytest.approx((about.input_tokens * 0.95 + about.output_tokens * 4) / 1e6)
    assert about.usd < 0.10


@pytest.mark.parametrize("question", QUESTIONS, ids=[question.name for question in QUESTIONS])
def test_every_question_finds_facts_that_specs_have(question):
    assert patches.HOST_FACTS.issuperset(question.fields)


@pytest.mark.parametrize("dialect", ["moonshot", "aimlapi", "openrouter", "vllm"])
def test_no_question_settles_a_field_that_it_does_not_name(dialect):
    with LocalKimi(dialect) as kimi:
        report = probe(settings(kimi))

    named = {question.name: question.fields for question in QUESTIONS}
    assert all(one.field in named[one.question] for one in report.findings if one.field)


def everything(report: Report) -> str:
    return f"{report!r} {json.dumps(report.as_json())} {report.source()} {report.unknowns} {report.differences}"


def test_no_key_is_in_a_report_whatever_the_host_says(monkeypatch):
    def ask(body: Any) -> Any:
        if "stop" in body:
            raise Refused(words=f"stop is not for {KEY}")
        if "stream_options" in body:
            raise Refused(500, words=f"{KEY} broke it")
        return body

    with altered(monkeypatch, "moonshot", ask, lambda data: data.replace(b"391", KEY.encode())) as kimi:
        shown = everything(probe(settings(kimi)))

    assert "broke it" in shown
    assert KEY not in shown
