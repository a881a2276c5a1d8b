"""Whatever is sent, the server answers or refuses; it never breaks."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimi_adapters.local_server import LocalKimi, chat

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=5,
)


def near(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """Objects with these fields, each of which may be missing or be anything at all."""
    return st.fixed_dictionaries(
        {}, optional={name: st.one_of(kind, kind, kind, JSON) for name, kind in fields.items()}
    )


SCHEMAS = st.recursive(
    near(type=st.sampled_from(["string", "integer", "number", "boolean", "null"]), enum=st.lists(JSON, max_size=2)),
    lambda inner: near(
        type=st.sampled_from(["object", "array"]),
        properties=st.dictionaries(st.sampled_from(["a", "path", "date"]), inner, max_size=2),
        required=st.lists(st.sampled_from(["a", "path"]), max_size=2),
        items=inner,
        anyOf=st.lists(inner, max_size=2),
        **{"$ref": st.sampled_from(["#/$defs/A", "#/$defs/B"]), "$defs": st.dictionaries(st.just("A"), inner)},
    ),
    max_leaves=4,
)
FUNCTIONS = near(
    name=st.sampled_from(["look", "read_file", "Form"]), parameters=SCHEMAS, description=st.text(max_size=9)
)
TOOLS = near(type=st.just("function"), function=FUNCTIONS)
CALLS = near(
    id=st.sampled_from(["a", "b"]),
    type=st.just("function"),
    function=near(name=st.just("look"), arguments=st.text(max_size=5)),
)
PARTS = near(
    type=st.sampled_from(["text", "image_url"]), text=st.text(max_size=9), image_url=near(url=st.text(max_size=9))
)
MESSAGES = near(
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=st.one_of(st.sampled_from(["Use look 3 times.", "Hello", "next: look a.txt"]), st.lists(PARTS, max_size=2)),
    tool_calls=st.lists(CALLS, max_size=2),
    tool_call_id=st.sampled_from(["a", "b"]),
    reasoning_content=st.just("Hm."),
    partial=st.booleans(),
    tools=st.lists(TOOLS, max_size=1),
)
BODIES = near(
    messages=st.lists(MESSAGES, max_size=4),
    tools=st.lists(TOOLS, max_size=3),
    tool_choice=st.sampled_from(["auto", "none", "required"]),
    thinking=near(type=st.sampled_from(["enabled", "disabled"])),
    response_format=near(
        type=st.sampled_from(["json_object", "json_schema"]), json_schema=near(name=st.just("a"), schema=SCHEMAS)
    ),
    stream=st.booleans(),
    stream_options=near(include_usage=st.booleans()),
    stop=st.lists(st.text(max_size=3), max_size=2),
    max_completion_tokens=st.integers(1, 100),
    prompt_cache_options=JSON,
)
SEVERAL = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))


@SEVERAL
@given(st.sampled_from(["kimi-k2.6", "kimi-k3"]), BODIES)
def test_any_body_is_answered_or_refused_by_moonshot(moonshot, model, body):
    reply = moonshot.send("POST", "/v1/chat/completions", {"model": model, **body})
    assert reply.status in (200, 400)


@SEVERAL
@given(BODIES)
def test_any_body_is_answered_or_refused_by_aimlapi(aimlapi, body):
    reply = aimlapi.send("POST", "/v1/chat/completions", {"model": "moonshot/kimi-k3", **body})
    assert reply.status in (200, 400)


@pytest.fixture(scope="module", params=["kimi-code", "openrouter", "fireworks", "vllm", "sglang"])
def other(request, client_of):
    """A client of a server in another dialect."""
    with LocalKimi(request.param, admits=["python/"]) as kimi:
        yield client_of(kimi)


@settings(SEVERAL, max_examples=25)
@given(BODIES)
def test_any_body_is_answered_or_refused_by_every_other_dialect(other, body):
    given = {"model": other.model, **body}
    reply = other.send("POST", "/v1/chat/completions", given, {"user-agent": "python/3"})
    assert reply.status in (200, 400, 404)


@SEVERAL
@given(BODIES)
def test_any_body_gets_an_unchecked_answer(moonshot, body):
    moonshot.kimi.reset()
    moonshot.kimi.enqueue(text="fine", unchecked=True)
    assert moonshot.send("POST", "/v1/chat/completions", body).status == 200


@SEVERAL
@given(st.binary(max_size=60))
def test_any_bytes_are_refused(moonshot, data):
    assert moonshot.send("POST", "/v1/chat/completions", data).status == 400


def test_half_a_surrogate_pair_comes_back_as_a_question_mark(moonshot):
    data = b'{"model": "kimi-k2.6", "messages": [{"role": "user", "content": "Repeat \'a\\ud800b\'"}]}'
    assert moonshot.send("POST", "/v1/chat/completions", data).text == "a?b"


def test_a_fault_of_the_emulator_itself_is_a_500_with_the_reason(moonshot, monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(chat.rules, "answer", broken)
    reply = moonshot.chat()
    assert (reply.status, reply.error["type"]) == (500, "server_error")
    assert "ZeroDivisionError('oops')" in moonshot.kimi.errors[0].error


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "allOf": 5, "oneOf": 7, "prefixItems": 3, "format": []},
        {"type": "array", "prefixItems": [{"type": "integer"}, {}], "items": {}},
        {"type": "object", "properties": {"a": {}}, "patternProperties": 5, "discriminator": []},
        {"anyOf": [{"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}]}]},
    ],
)
def test_keywords_that_the_server_does_not_look_at_do_no_harm(moonshot, schema):
    wrapper = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    assert moonshot.chat("Use 5.", response_format=wrapper).status == 200
