"""What is asked of `ChatKimi` and of the classes that are used with Kimi in its place: the rows of a table in the docs.

A question passes when it raises nothing. Each class is asked in the way that it has for it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from langchain.agents import create_agent
from langchain_community.chat_models.moonshot import MoonshotChat
from langchain_core.exceptions import ContextOverflowError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_moonshot import ChatMoonshot
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi

Make = Callable[..., Any]
MP4 = "AAAAIGZ0eXBpc29tAAACAGlzb21pc28yYXZjMW1wNDE="
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
OVERFLOW = {
    "error": {
        "type": "invalid_request_error",
        "message": "Invalid request: Your request exceeded model token limit: 262144 (requested: 269030)",
    }
}
ASKED = "What is the weather in Paris?"


class Person(BaseModel):
    """A person whom a text mentions."""

    name: str
    age: int


class Order(BaseModel):
    """An order; its number has a form."""

    number: str = Field(pattern=r"^HC-\d+$")
    bags: tuple[int, int] = (1, 2)


def get_weather(city: str) -> str:
    """Say what the weather is like in a city."""
    return f"It is sunny in {city}."


def moonshot_chat(*, base_url: str, **options: Any) -> MoonshotChat:
    """Make one that goes to an address: it has no option that does so. Kimi takes only this temperature."""
    made = MoonshotChat(**{"temperature": 1, **options})
    made.client._client.base_url = base_url
    return made


PEERS: dict[str, Callable[..., BaseChatModel]] = {
    "ChatKimi": ChatKimi,
    "ChatOpenAI": ChatOpenAI,
    "ChatMoonshot": ChatMoonshot,
    "MoonshotChat": moonshot_chat,
}


def answered(make: Make, kimi: LocalKimi) -> None:
    assert make().invoke("Hello").text


def agent(make: Make, kimi: LocalKimi) -> None:
    said = create_agent(make(), [get_weather]).invoke({"messages": [("user", ASKED)]})["messages"]
    assert "sunny" in said[-1].text


def streamed(make: Make, kimi: LocalKimi) -> None:
    assert len([chunk for chunk in make().stream("Hello") if chunk.text]) > 1


def reasoning(make: Make, kimi: LocalKimi) -> None:
    kinds = [block["type"] for block in make().invoke("Hello").content_blocks]
    assert "reasoning" in kinds


def streamed_reasoning(make: Make, kimi: LocalKimi) -> None:
    kinds = {block["type"] for chunk in make().stream("Hello") for block in chunk.content_blocks}
    assert "reasoning" in kinds


def without_thinking(model: BaseChatModel) -> dict[str, Any]:
    """Return the options of a call that does not think, as a class has them, with the temperature that Kimi takes then."""
    if "thinking" in type(model).model_fields:
        return {"thinking": False}
    set_to = {"temperature": 0.6} if isinstance(model, MoonshotChat) else {}
    return {"extra_body": {"thinking": {"type": "disabled"}}, **set_to}


def switched(make: Make, kimi: LocalKimi) -> None:
    model = make()
    model.invoke("Hello", **without_thinking(model))
    assert kimi.requests[-1].body["thinking"] == {"type": "disabled"}


def temperature(make: Make, kimi: LocalKimi) -> None:
    assert make(temperature=0).invoke("Hello").text


def an_object(make: Make, kimi: LocalKimi) -> None:
    assert make().with_structured_output(Person).invoke("Ada Lovelace was 36.") == Person(name="Ada Lovelace", age=36)


def any_schema(make: Make, kimi: LocalKimi) -> None:
    make().bind_tools([Order]).invoke("Call Order for HC-1.")
    assert kimi.errors == []


def forced(make: Make, kimi: LocalKimi) -> None:
    assert make().bind_tools([get_weather], tool_choice="get_weather").invoke(ASKED).tool_calls


def text_before_a_call(make: Make, kimi: LocalKimi) -> None:
    kimi.enqueue(text="I look.", tool_calls=[{"name": "get_weather", "arguments": {"city": "Paris"}}])
    first, *rest = make(output_version="v1").bind_tools([get_weather]).stream(ASKED)
    blocks = sum(rest, first).content_blocks
    assert [block["type"] for block in blocks if block["type"] != "reasoning"] == ["text", "tool_call"]


def foreign_turn(make: Make, kimi: LocalKimi) -> None:
    call = {"name": "get_weather", "args": {"city": "Paris"}, "id": "call_1"}
    said = [HumanMessage(ASKED), AIMessage("", tool_calls=[call]), ToolMessage("Sunny.", tool_call_id="call_1")]
    assert make().bind_tools([get_weather]).invoke(said).text


def picture_of_a_tool(make: Make, kimi: LocalKimi) -> None:
    call = {"name": "get_weather", "args": {"city": "Paris"}, "id": "call_1"}
    result = ToolMessage([{"type": "image", "base64": PNG, "mime_type": "image/png"}], tool_call_id="call_1")
    model = make()
    assert model.invoke([HumanMessage(ASKED), AIMessage("", tool_calls=[call]), result], **without_thinking(model)).text
    assert PNG in str(kimi.requests[-1].body)


def video(make: Make, kimi: LocalKimi) -> None:
    content = [{"type": "text", "text": "What is this?"}, {"type": "video", "base64": MP4, "mime_type": "video/mp4"}]
    assert "video" in make().invoke([HumanMessage(content)]).text


def continued(make: Make, kimi: LocalKimi) -> None:
    make().invoke([HumanMessage("Who?"), AIMessage("It was", additional_kwargs={"partial": True})])
    assert kimi.requests[-1].body["messages"][-1]["partial"] is True


def usage_of_a_stream(make: Make, kimi: LocalKimi) -> None:
    assert sum(chunk.usage_metadata is not None for chunk in make().stream("Hello")) == 1


def cached_tokens(make: Make, kimi: LocalKimi) -> None:
    used = {"prompt_tokens": 50, "completion_tokens": 2, "total_tokens": 52, "cached_tokens": 40}
    kimi.enqueue(text="Yes.", usage=used)
    assert make().invoke("Hello").usage_metadata["input_token_details"]["cache_read"] == 40


def price(make: Make, kimi: LocalKimi) -> None:
    assert make().invoke("Hello").response_metadata["cost_usd"] > 0


def unfinished(make: Make, kimi: LocalKimi) -> None:
    piece = {"id": "1", "model": "kimi-k2.6", "choices": [{"index": 0, "delta": {"content": "The ship"}}]}
    kimi.enqueue(sse=[piece], done=False)
    try:
        list(make().stream("Hello"))
    except Exception:
        assert kimi.requests[-1].body.get("stream") is True
        return
    raise AssertionError("half an answer looked like a whole one")


def overflow(make: Make, kimi: LocalKimi) -> None:
    kimi.enqueue(status=400, json=OVERFLOW)
    try:
        make().invoke("Hello")
    except ContextOverflowError:
        return
    raise AssertionError("there was no error")


def pickled(make: Make, kimi: LocalKimi) -> None:
    model = make()
    model.invoke("Hello")
    pickle.loads(pickle.dumps(model))


QUESTIONS: dict[str, Callable[[Make, LocalKimi], None]] = {
    "A question is answered": answered,
    "… and streamed": streamed,
    "The reasoning is on the answer": reasoning,
    "… and in a stream": streamed_reasoning,
    "Thinking is switched off for one call": switched,
    "`temperature=0` is no error": temperature,
    "An agent goes through a tool loop": agent,
    "A tool turn of another model is continued": foreign_turn,
    "A tool is forced": forced,
    "A tool has any schema (a pattern, a tuple)": any_schema,
    'Text before a streamed call, with `output_version="v1"`': text_before_a_call,
    "`with_structured_output` with nothing set": an_object,
    "A picture in a tool's result": picture_of_a_tool,
    "A standard `video` block": video,
    "An answer that was begun is continued": continued,
    "A stream reports its usage unasked": usage_of_a_stream,
    "Cached tokens are counted": cached_tokens,
    "The price of an answer": price,
    "A stream without an end is an error": unfinished,
    "Too long a conversation is a `ContextOverflowError`": overflow,
    "A used model is pickled": pickled,
}
