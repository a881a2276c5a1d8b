"""Input of any form: an answer, or a typed error in short words before anything is sent. Never anything else."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages import ChatMessage as RoleMessage
from llama_index.core.base.llms import types as llama
from llama_index.core.base.llms.types import ChatMessage
from pydantic import ValidationError

from kimi_adapters.local_server import LocalKimi
from kimi_core import APIError, ContextOverflowError, KimiError, KimiWarning
from kimi_core.options import OPTIONS, SERVED
from kimi_core.quoting import LONGEST
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM


@pytest.fixture(scope="module")
def kimi() -> Iterator[LocalKimi]:
    with LocalKimi() as kimi:
        yield kimi


def words(kimi: LocalKimi) -> dict[str, Any]:
    """How a model is made that fetches nothing."""
    return {"base_url": kimi.base_url, "api_key": kimi.api_key, "max_retries": 0, "fetch_media": False}


def check(kimi: LocalKimi, ask: Callable[[], object], *, answers: bool = False) -> None:
    """Ask, and hold what comes of it against what may: an answer, or an error of the input before anything is sent."""
    kimi.reset()
    error: Exception | None = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            ask()
        except (KimiError, ValidationError) as raised:
            error = raised
    if error:
        assert not answers, error
        if not isinstance(error, ContextOverflowError):  # how much fits is known to the host alone
            assert not isinstance(error, APIError), error
            assert kimi.requests == []
        assert isinstance(error, ValidationError) or len(str(error)) <= LONGEST
    assert all(len(str(one.message)) <= LONGEST for one in caught if issubclass(one.category, KimiWarning))


# ------------------------------------------------------------------------------------------------------- values

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TEXTS = st.sampled_from(
    ["", "a", "look", "image/png", "https://a.example/b.png", f"data:image/png;base64,{PNG}", PNG, "data:", "file:///x"]
) | st.text(max_size=5)
JSON = st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.floats(), st.just("q" * 5000), st.just(10**400))
SCALARS = st.one_of(JSON, st.sampled_from(["\ud800", "\x00", b"\xff", object(), {1}, (1,)]))
KEYS = st.sampled_from(
    [
        *("type", "text", "url", "path", "base64", "data", "mime_type", "source", "file", "image_url", "video_url"),
        *("id", "name", "args", "input", "arguments", "function", "content", "value", "title", "extras", "resource"),
        *("file_id", "file_data", "filename", "media_type", "blob", "refusal", "reasoning", "summary", "thinking"),
        *("tool_use_id", "tool_call_id", "call_id", "index", "detail", "guard_content", "signature"),
    ]
)


def nested(scalars: st.SearchStrategy[Any], keys: st.SearchStrategy[Any] = KEYS) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=6,
    )


VALUES = nested(SCALARS, KEYS | SCALARS.filter(lambda value: isinstance(value, Hashable)))
OF_JSON = nested(JSON, KEYS | TEXTS)


def made(make: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """What a framework makes of values, or None where it refuses them itself."""
    try:
        return make(*args, **kwargs)
    except Exception:  # theirs
        return None


def some(make: Callable[..., Any], /, *args: Any, **kwargs: Any) -> st.SearchStrategy[Any]:
    return st.builds(made, st.just(make), *args, **kwargs).filter(lambda value: value is not None)


# ----------------------------------------------------------------------------------------------------- LangChain

TYPES = st.sampled_from(
    [
        *("text", "text-plain", "input_text", "output_text", "refusal", "guard_content", "resource", "image", "video"),
        *("image_url", "input_image", "video_url", "media", "audio", "input_audio", "file", "input_file", "document"),
        *("non_standard", "reasoning", "thinking", "redacted_thinking", "reasoning_content", "tool_call", "tool_use"),
        *("tool_result", "server_tool_call", "server_tool_result", "function_call", "invalid_tool_call", "cachePoint"),
    ]
)
BLOCKS = st.builds(lambda kind, rest: {**rest, "type": kind}, TYPES | VALUES, st.dictionaries(KEYS, VALUES, max_size=4))
CONTENT = TEXTS | st.lists(BLOCKS | TEXTS | st.dictionaries(KEYS, VALUES, max_size=2), min_size=1, max_size=3)
CALLS = st.lists(
    st.fixed_dictionaries(
        {"name": TEXTS, "args": st.dictionaries(TEXTS, OF_JSON, max_size=2), "id": TEXTS | st.none()}
    ),
    max_size=2,
)
BROKEN = st.lists(
    st.fixed_dictionaries(
        {"name": TEXTS | st.none(), "args": TEXTS | st.none(), "id": TEXTS | st.none(), "error": st.none()}
    ),
    max_size=1,
)
KWARGS = st.dictionaries(
    st.sampled_from(
        [
            *(
                "tool_calls",
                "function_call",
                "reasoning_content",
                "reasoning",
                "thinking",
                "audio",
                "refusal",
                "arguments",
            ),
            *("reasoning_details", "name", "tool_call_id", "partial_", "id"),
        ]
    ),
    OF_JSON | st.lists(OF_JSON, max_size=2),
    max_size=3,
)

OF_USERS = st.one_of(
    some(HumanMessage, CONTENT, name=TEXTS | st.none()),
    some(SystemMessage, CONTENT, name=TEXTS | st.none()),
    some(RoleMessage, CONTENT, role=st.sampled_from(["user", "developer", "assistant", "x" * 5000]) | TEXTS),
)
OF_OTHERS = st.one_of(
    some(ToolMessage, CONTENT | VALUES, tool_call_id=TEXTS, name=TEXTS | st.none(), artifact=VALUES),
    some(FunctionMessage, CONTENT, name=TEXTS),
    some(
        AIMessage,
        CONTENT,
        additional_kwargs=KWARGS,
        tool_calls=CALLS,
        invalid_tool_calls=BROKEN,
        response_metadata=st.dictionaries(st.sampled_from(["model_provider", "reasoning_key"]), TEXTS, max_size=2),
    ),
)


def ask_langchain(kimi: LocalKimi, said: list[BaseMessage], **given: Any) -> None:
    ChatKimi(**words(kimi)).invoke([HumanMessage("Hello"), *said, HumanMessage("Go on.")], **given)


@given(st.lists(OF_USERS, min_size=1, max_size=2))
def test_langchains_messages_of_the_user(kimi: LocalKimi, said: list[BaseMessage]) -> None:
    check(kimi, lambda: ask_langchain(kimi, said))


@given(st.lists(OF_OTHERS, min_size=1, max_size=3))
def test_langchains_messages_that_no_user_wrote(kimi: LocalKimi, said: list[BaseMessage]) -> None:
    check(kimi, lambda: ask_langchain(kimi, said), answers=True)


# ---------------------------------------------------------------------------------------------------- LlamaIndex

DATA = st.sampled_from([b"", b"\xff", b"text", PNG.encode()])
MAYBE = TEXTS | st.none()
LEAVES = st.one_of(
    some(llama.TextBlock, text=TEXTS),
    some(llama.ImageBlock, image=DATA | st.none(), url=MAYBE, image_mimetype=MAYBE, detail=MAYBE),
    some(llama.VideoBlock, video=DATA | st.none(), url=MAYBE, video_mimetype=MAYBE, fps=st.none() | st.integers()),
    some(llama.AudioBlock, audio=DATA | st.none(), url=MAYBE, format=MAYBE),
    some(llama.DocumentBlock, data=DATA | st.none(), url=MAYBE, title=MAYBE, document_mimetype=MAYBE),
)
LLAMA_BLOCKS = st.one_of(
    LEAVES,
    some(llama.CitableBlock, title=TEXTS, source=TEXTS, content=st.lists(LEAVES, max_size=2)),
    some(llama.CitationBlock, title=TEXTS, source=TEXTS, cited_content=LEAVES, additional_location_info=st.just({})),
    some(
        llama.ThinkingBlock,
        content=MAYBE,
        additional_information=st.dictionaries(st.sampled_from(["reasoning_details", "reasoning_key"]), OF_JSON),
    ),
    st.just(llama.CachePoint(cache_control=llama.CacheControl(type="ephemeral"))),
)
CALLS_IN_BLOCKS = some(
    llama.ToolCallBlock,
    tool_call_id=MAYBE,
    tool_name=TEXTS,
    tool_kwargs=TEXTS | st.dictionaries(TEXTS, OF_JSON, max_size=2),
)


def llama_messages(blocks: st.SearchStrategy[Any], kwargs: st.SearchStrategy[Any], *roles: str) -> Any:
    blocks = st.lists(blocks, max_size=3)
    return some(ChatMessage, role=st.sampled_from(roles), blocks=blocks, additional_kwargs=kwargs)


LLAMA_OF_USERS = llama_messages(
    LLAMA_BLOCKS | CALLS_IN_BLOCKS, st.dictionaries(KEYS, VALUES, max_size=2), "user", "system", "developer"
)
# A call in a tool's message is a program's mistake: its role is wrong.
LLAMA_OF_OTHERS = llama_messages(LLAMA_BLOCKS, KWARGS, "tool", "function") | llama_messages(
    LLAMA_BLOCKS | CALLS_IN_BLOCKS, KWARGS, "assistant", "model"
)


def ask_llama(kimi: LocalKimi, said: list[ChatMessage], **given: Any) -> None:
    conversation = [ChatMessage(content="Hello"), *said, ChatMessage(content="Go on.")]
    KimiLLM(**words(kimi)).chat(conversation, **given)


@given(st.lists(LLAMA_OF_USERS, min_size=1, max_size=2))
def test_llama_indexs_messages_of_the_user(kimi: LocalKimi, said: list[ChatMessage]) -> None:
    check(kimi, lambda: ask_llama(kimi, said))


@given(st.lists(LLAMA_OF_OTHERS, min_size=1, max_size=3))
def test_llama_indexs_messages_that_no_user_wrote(kimi: LocalKimi, said: list[ChatMessage]) -> None:
    check(kimi, lambda: ask_llama(kimi, said), answers=True)


# ------------------------------------------------------------------------------------------- tools, schemas, options

SCHEMA_KEYS = st.sampled_from(
    [
        *(
            "type",
            "properties",
            "required",
            "items",
            "anyOf",
            "allOf",
            "oneOf",
            "enum",
            "const",
            "$ref",
            "$defs",
            "title",
        ),
        *("description", "default", "additionalProperties", "minimum", "maxItems", "pattern", "format", "minLength"),
        *("not", "if", "prefixItems", "patternProperties", "$id", "a", "parameters", "name"),
    ]
)
SCHEMA_WORDS = st.sampled_from(["object", "array", "string", "integer", "null", "#", "#/$defs/a", "a", "(", "date"])
SCHEMAS = nested(SCHEMA_WORDS | SCALARS, SCHEMA_KEYS)
OBJECTS = st.builds(
    lambda named, rest: {"type": "object", "properties": named, **rest},
    st.dictionaries(SCHEMA_KEYS | TEXTS, SCHEMAS, max_size=3),
    st.dictionaries(SCHEMA_KEYS, SCHEMAS, max_size=2),
)
ANY_SCHEMA = st.one_of(OBJECTS, st.dictionaries(SCHEMA_KEYS, SCHEMAS, max_size=4), SCHEMAS)
FUNCTIONS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("look") | TEXTS | VALUES,
        "description": VALUES,
        "parameters": ANY_SCHEMA,
        "strict": VALUES,
    },
)
TOOLS = st.one_of(
    st.builds(lambda function: {"type": "function", "function": function}, FUNCTIONS | VALUES),
    FUNCTIONS,
    st.dictionaries(KEYS | SCHEMA_KEYS, VALUES, max_size=3),
    VALUES,
)
CHOICES = st.none() | st.sampled_from(["auto", "required", "none", "look"]) | VALUES
FORMATS = st.one_of(
    st.builds(
        lambda name, schema, rest: {"type": "json_schema", "json_schema": {"name": name, "schema": schema, **rest}},
        st.just("look") | VALUES,
        ANY_SCHEMA,
        st.dictionaries(st.sampled_from(["strict", "description", "a"]), VALUES, max_size=1),
    ),
    st.builds(lambda kind: {"type": kind}, VALUES | st.sampled_from(["text", "json_object", "json_schema"])),
    VALUES,
)


@given(st.lists(TOOLS, min_size=1, max_size=2) | VALUES, CHOICES)
def test_tools(kimi: LocalKimi, tools: Any, choice: Any) -> None:
    check(kimi, lambda: ChatKimi(**words(kimi)).bind_tools(tools, tool_choice=choice).invoke("Hello"))
    check(kimi, lambda: ask_langchain(kimi, [], tools=tools, tool_choice=choice))
    check(kimi, lambda: ask_llama(kimi, [], tools=tools, tool_choice=choice))


@given(FORMATS)
def test_response_formats(kimi: LocalKimi, given: Any) -> None:
    check(kimi, lambda: ask_langchain(kimi, [], response_format=given))
    check(kimi, lambda: ask_llama(kimi, [], response_format=given))


@given(ANY_SCHEMA, st.sampled_from(["auto", "function_calling", "json_mode"]) | VALUES)
def test_schemas_of_structured_output(kimi: LocalKimi, schema: Any, method: Any) -> None:
    check(
        kimi,
        lambda: ChatKimi(**words(kimi)).with_structured_output(schema, method=method, include_raw=True).invoke("?"),
    )


NAMES = st.sampled_from(sorted({*OPTIONS, *SERVED, "overrides", "local_files", "documents"} - {"extra_body"}))


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=2))
def test_options(kimi: LocalKimi, options: Mapping[str, Any]) -> None:
    check(kimi, lambda: ChatKimi(**{**words(kimi), **options}).invoke("Hello"))
    check(kimi, lambda: KimiLLM(**{**words(kimi), **options}).complete("Hello"))
    check(kimi, lambda: ask_langchain(kimi, [], **options))
    check(kimi, lambda: ask_llama(kimi, [], **options))
