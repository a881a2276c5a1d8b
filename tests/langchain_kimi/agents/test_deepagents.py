"""`deepagents` with Kimi: found by its entry points, and a whole run with files, todos and a subagent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from deepagents import create_deep_agent
from deepagents.backends import FilesystemBackend
from langchain.agents.middleware import ModelFallbackMiddleware, TodoListMiddleware
from langchain.chat_models import base as chat_models
from langchain_core.language_models import FakeListChatModel
from langgraph.checkpoint.memory import InMemorySaver
from PIL import Image
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi, deepagents

HELLO: Any = {"messages": [{"role": "user", "content": "Hello"}]}


def say(text: str) -> Any:
    return {"messages": [{"role": "user", "content": text}]}


def system(body: dict[str, Any]) -> str:
    """The system prompt of a request as one text."""
    content = body["messages"][0]["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


# ----------------------------------------------------------------------------------------------- how it is found


@pytest.mark.parametrize(
    ("group", "function"),
    [
        ("deepagents.harness_profiles", deepagents.register_harness),
        ("deepagents.provider_profiles", deepagents.register_provider),
    ],
)
def test_the_profiles_are_entry_points(group: str, function: Any) -> None:
    (found,) = [one for one in entry_points(group=group) if one.dist and one.dist.name == "kimi-adapters"]
    assert found.load() is function


def test_annotations_of_its_middleware_resolve() -> None:
    methods = [
        one
        for name, one in vars(deepagents.PromptCacheKeyMiddleware).items()
        if name in ("wrap_model_call", "awrap_model_call")
    ]
    assert len(methods) == 2
    assert all("return" in get_type_hints(method) for method in methods)


def test_importing_the_package_brings_neither_deepagents_nor_langchain() -> None:
    code = (
        "import langchain_kimi, sys; print([m for m in ('deepagents', 'langchain', 'langgraph') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=100)
    assert done.stdout == "[]\n", done.stderr


# --------------------------------------------------------------------------------------- models by their names


@pytest.fixture
def environment(kimi: LocalKimi, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment, and LangChain's table of providers as it was."""
    monkeypatch.setenv("MOONSHOT_BASE_URL", kimi.base_url)
    monkeypatch.setenv("MOONSHOT_API_KEY", kimi.api_key)
    for provider in ("moonshot", "kimi"):
        monkeypatch.delitem(chat_models._BUILTIN_PROVIDERS, provider, raising=False)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("name", "thinking"),
    [
        ("kimi-k2.6", {"type": "enabled", "keep": "all"}),
        ("kimi-k2.7-code", None),
        ("kimi-k3", None),
    ],
)
def test_a_model_is_made_from_its_name_and_keeps_its_reasoning_in_view(name: str, thinking: Any, wire: Any) -> None:
    """K2.7 and K3 keep it by themselves."""
    create_deep_agent(f"moonshot:{name}").invoke(HELLO)
    assert wire.bodies[0]["model"] == name
    assert wire.bodies[0].get("thinking") == thinking
    assert wire.kimi.errors == []


def test_a_model_of_ones_own_is_used_as_it_is(make: Callable[..., ChatKimi], wire: Any) -> None:
    create_deep_agent(make()).invoke(HELLO)
    assert "thinking" not in wire.bodies[0]


@pytest.mark.usefixtures("environment")
def test_kimi_is_another_name_of_the_provider(wire: Any) -> None:
    create_deep_agent("kimi:kimi-k2.6").invoke(HELLO)
    assert deepagents.PROMPT in system(wire.bodies[0])
    assert wire.bodies[0]["thinking"] == {"type": "enabled", "keep": "all"}


# -------------------------------------------------------------------------------------------------- the prompt


@pytest.mark.parametrize("own", [None, "You ship orders."])
def test_the_prompt_ends_with_advice_for_kimi(model: ChatKimi, wire: Any, own: str | None) -> None:
    create_deep_agent(model, system_prompt=own).invoke(HELLO)
    told = system(wire.bodies[0])
    assert deepagents.PROMPT in told
    assert told.startswith(own or deepagents.PROMPT)


def test_other_models_are_not_advised() -> None:
    heard: list[Any] = []

    class Other(FakeListChatModel):
        def _call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
            heard.append(messages)
            return super()._call(messages, *args, **kwargs)

        def bind_tools(self, *args: Any, **kwargs: Any) -> Any:
            return self

    other = Other(responses=["Hi"])
    create_deep_agent(other).invoke(HELLO)
    assert "Hello" in str(heard)
    assert "reasoning" not in str(heard)


# ----------------------------------------------------------------------------------------------- the cache key


def key_of(wire: Any, thread: str, model: ChatKimi, *middleware: Any) -> set[str | None]:
    """The keys sent in a run on a thread."""
    first = len(wire.bodies)
    agent = create_deep_agent(model, middleware=middleware, checkpointer=InMemorySaver())
    agent.invoke(say("Call write_file for /a.md with the content 'x'."), {"configurable": {"thread_id": thread}})
    return {body.get("prompt_cache_key") for body in wire.bodies[first:]}


def test_every_call_of_a_thread_has_its_key(model: ChatKimi, wire: Any) -> None:
    one, again, other = (key_of(wire, thread, model) for thread in ("ada@example.org", "ada@example.org", "bob"))
    assert len(one) == 1
    assert one == again
    assert one != other


def test_the_id_of_a_thread_stays_at_home(model: ChatKimi, wire: Any) -> None:
    (key,) = key_of(wire, "ada@example.org", model)
    assert key
    assert "ada" not in str(wire.bodies)


def test_a_key_of_ones_own_is_sent(make: Callable[..., ChatKimi], wire: Any) -> None:
    assert key_of(wire, "t", make(prompt_cache_key="mine")) == {"mine"}


def test_no_key_is_sent_without_a_thread(model: ChatKimi, wire: Any) -> None:
    create_deep_agent(model).invoke(HELLO)
    assert "prompt_cache_key" not in wire.bodies[0]


def test_no_key_is_sent_to_a_host_that_has_none(aimlapi: LocalKimi, wire_of: Any) -> None:
    model = ChatKimi(host="aimlapi", base_url=aimlapi.base_url, api_key=aimlapi.api_key)
    assert key_of(wire_of(aimlapi), "t", model) == {None}
    assert aimlapi.errors == []


async def test_a_fallback_of_another_maker_is_not_told_a_key(make: Callable[..., ChatKimi], kimi: LocalKimi) -> None:
    class Other(FakeListChatModel):
        def bind_tools(self, tools: Any, **given: Any) -> Any:
            assert "prompt_cache_key" not in given
            return self

    kimi.fail(1, status=500, type="server_error")
    fallback = ModelFallbackMiddleware(Other(responses=["Hi"]))
    agent = create_deep_agent(make(), middleware=[fallback], checkpointer=InMemorySaver())
    result = await agent.ainvoke(HELLO, {"configurable": {"thread_id": "t"}})
    assert result["messages"][-1].text == "Hi"


# ------------------------------------------------------------------------------------------------------- runs

WORK = (
    "First call write_todos with the todo 'write the note', then call write_file for /note.md with the content "
    "'The ship is in', then call read_file for /note.md."
)


@pytest.mark.parametrize("way", ["invoke", "astream"])
async def test_a_deep_agent_plans_writes_and_reads(model: ChatKimi, wire: Any, way: str) -> None:
    agent = create_deep_agent(model, middleware=[TodoListMiddleware()])
    if way == "invoke":
        state = agent.invoke(say(WORK))
    else:
        state = [part async for _, part in agent.astream(say(WORK), stream_mode=["messages", "values"])][-1]

    assert wire.called == ["write_todos", "write_file", "read_file"]
    assert state["files"]["/note.md"]["content"] == "The ship is in"
    assert [todo["content"] for todo in state["todos"]] == ["write the note"]
    assert "The ship is in" in state["messages"][-1].text
    wire.check_loop()


def test_every_tool_of_a_deep_agent_can_be_offered(model: ChatKimi, wire: Any) -> None:
    """Their schemas and names fit Moonshot's rules; a name of two letters is mapped."""
    create_deep_agent(model, middleware=[TodoListMiddleware()]).invoke(HELLO)
    assert {"tool_ls", "read_file", "write_file", "edit_file", "glob", "grep", "task", "write_todos"} <= set(
        wire.offered()
    )
    assert wire.kimi.errors == []


async def test_a_subagent_works_with_the_same_profile(model: ChatKimi, wire: Any) -> None:
    task = {"name": "task", "arguments": {"description": "Say: aye", "subagent_type": "general-purpose"}}
    wire.kimi.enqueue(tool_calls=[task], reasoning="Somebody else can do that.")
    wire.kimi.enqueue(text="Aye.", reasoning="I am asked for certain words.")
    state = await create_deep_agent(model).ainvoke(say("Have it said."))

    main, sub, last = wire.bodies
    assert deepagents.PROMPT in system(sub)
    assert sub["messages"][-1]["content"] == "Say: aye"
    assert last["messages"][-1] == {
        "role": "tool",
        "tool_call_id": last["messages"][-1]["tool_call_id"],
        "content": "Aye.",
    }
    assert "Aye" in state["messages"][-1].text
    assert len(main["messages"]) == 2
    wire.check_loop()


def test_a_picture_that_a_tool_reads_is_seen(model: ChatKimi, wire: Any, tmp_path: Path) -> None:
    Image.new("RGB", (48, 24), (20, 60, 200)).save(tmp_path / "chart.png")
    agent = create_deep_agent(model, backend=FilesystemBackend(root_dir=tmp_path, virtual_mode=True))
    answer = agent.invoke(say("Call read_file for /chart.png and describe the picture."))["messages"][-1]

    (content,) = wire.results
    assert [part["type"] for part in content if part["type"] != "text"] == ["image_url"]
    assert "48 x 24 pixels" in answer.text
    wire.check_loop()


def test_a_typed_answer_ends_a_run(model: ChatKimi, wire: Any) -> None:
    class Note(BaseModel):
        path: str

    agent = create_deep_agent(model, response_format=Note)
    state = agent.invoke(say("Call write_file for /note.md with the content 'x'. Give the path."))
    assert state["structured_response"] == Note(path="/note.md")
    wire.check_loop()


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_a_conversation_that_overflows_is_compacted(make: Callable[..., ChatKimi], wire: Any, way: str) -> None:
    """`deepagents` knows the error for what it is, summarises all but a tenth of the window, and asks again."""
    history = [{"role": role, "content": f"{i} " * 2000} for i in range(20) for role in ("user", "assistant")]
    wire.kimi.fail(
        1,
        status=400,
        type="invalid_request_error",
        message="Your request exceeded model token limit: 262144 (requested: 269030)",
    )
    wire.kimi.enqueue(text="They counted.", reasoning="I sum it up.")
    told: Any = {"messages": [*history, {"role": "user", "content": "Hello"}]}
    agent = create_deep_agent(make())
    state = agent.invoke(told) if way == "invoke" else await agent.ainvoke(told)

    assert state["messages"][-1].text.startswith("Hello!")
    assert [entry.status for entry in wire.kimi.requests] == [400, 200, 200]
    assert "They counted." in str(wire.last)
    assert len(wire.last) < len(wire.bodies[0]["messages"])
