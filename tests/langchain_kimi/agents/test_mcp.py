"""Tools of MCP servers, by way of `langchain-mcp-adapters`, in an agent."""

from __future__ import annotations

import importlib.util
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import BaseTool
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from langgraph.checkpoint.memory import InMemorySaver

from kimi_core import KimiWarning
from langchain_kimi import ChatKimi

SERVER = Path(__file__).parent / "mcp_server.py"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The server over streamable HTTP, on a port of this machine."""
    spec = importlib.util.spec_from_file_location("mcp_server", SERVER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["mcp_server"] = module  # its annotations are looked up there
    spec.loader.exec_module(module)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(module.server.streamable_http_app(), log_level="critical", ws="none")
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, args=([listener],), daemon=True)
        thread.start()
        while not running.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        running.should_exit = True
        thread.join()
    del sys.modules["mcp_server"]


@pytest.fixture
async def tools(url: str) -> list[BaseTool]:
    return await MultiServerMCPClient({"harbour": {"transport": "streamable_http", "url": url}}).get_tools()


async def ask(model: ChatKimi, tools: list[BaseTool], text: str) -> Any:
    result = await create_agent(model, tools).ainvoke({"messages": [{"role": "user", "content": text}]})
    return result["messages"][-1]


async def test_a_tool_with_a_nested_schema_is_called(model: ChatKimi, wire: Any, tools: list[BaseTool]) -> None:
    answer = await ask(model, tools, "Call get_weather for Paris in fahrenheit.")
    assert "It is sunny in Paris, at 21 degrees fahrenheit." in answer.text
    assert wire.offered()[:4] == ["get_weather", "get_chart", "list_ships", "open_lock"]
    wire.check_loop()


async def test_the_picture_of_a_tool_is_seen(model: ChatKimi, wire: Any, tools: list[BaseTool]) -> None:
    answer = await ask(model, tools, "Call get_chart and describe the picture.")
    ((part,),) = wire.results
    assert part["image_url"]["url"].startswith("data:image/png;base64,")
    assert "48 x 24 pixels" in answer.text
    wire.check_loop()


async def test_a_result_of_several_parts_is_sent_in_full(model: ChatKimi, wire: Any, tools: list[BaseTool]) -> None:
    await ask(model, tools, "Call list_ships.")
    (content,) = wire.results
    assert [part["text"] for part in content] == ["Aurora", "Borealis", "Corona"]
    wire.check_loop()


RETURNED = {
    "get_report": ["The report:", "[a document was left out: it cannot be read here (application/pdf)]"],
    "get_link": ["[a document was left out: it cannot be read here (text/csv, at harbour://tides/today)]"],
    "get_logo": ["[an image was left out: it cannot be read here (image/svg+xml)]"],
    "get_photo": ["[an image was left out: it cannot be read here (image/png)]"],
    "get_path": ["[an image was left out: it cannot be read here (at file:///etc/passwd)]"],
    "get_scan": ["[an image was left out: it cannot be read here (image/png)]"],
    "get_letter": ["[a document was left out: it cannot be read here (text/plain)]"],
    "get_horn": ["[audio was left out: it cannot be read here (audio/wav)]"],
}


@pytest.mark.parametrize(("tool", "texts"), RETURNED.items(), ids=RETURNED)
async def test_a_thread_goes_on_after_a_result_that_cannot_be_sent(
    make: Callable[..., ChatKimi], wire: Any, tools: list[BaseTool], tool: str, texts: list[str]
) -> None:
    """Also in another process, from the checkpoint, in which the result is as the server gave it."""
    kept = InMemorySaver()
    thread: Any = {"configurable": {"thread_id": "1"}}
    agent = create_agent(make(), tools, checkpointer=kept)
    with pytest.warns(KimiWarning, match="cannot take what a tool returned"):
        await agent.ainvoke({"messages": [HumanMessage(f"Call {tool}.")]}, thread)
    assert [part["text"] for part in wire.results[0]] == texts
    before = wire.last
    agent = create_agent(make(), tools, checkpointer=kept)
    with pytest.warns(KimiWarning, match="cannot take what a tool returned"):
        state = await agent.ainvoke({"messages": [HumanMessage("Thanks. Who are you?")]}, thread)
    assert state["messages"][-1].text
    assert wire.last[: len(before)] == before
    wire.check_loop()


async def test_a_result_of_nothing_is_sent_as_such(model: ChatKimi, wire: Any, tools: list[BaseTool]) -> None:
    with pytest.warns(KimiWarning, match="a tool's result was empty"):
        await ask(model, tools, "Call get_nothing.")
    assert wire.results == ["Tool output is empty."]
    wire.check_loop()


async def test_an_error_of_a_tool_is_sent_to_the_model(model: ChatKimi, wire: Any, tools: list[BaseTool]) -> None:
    answer = await ask(model, tools, "Call open_lock for lock 3.")
    assert "Lock 3 is stuck." in answer.text
    wire.check_loop()


async def test_tools_of_two_servers_go_by_their_servers_names(model: ChatKimi, wire: Any, url: str) -> None:
    servers: Any = {name: {"transport": "streamable_http", "url": url} for name in ("north", "south")}
    tools = await MultiServerMCPClient(servers, tool_name_prefix=True).get_tools()
    await ask(model, tools, "Call north_list_ships, then call south_list_ships.")
    assert wire.called == ["north_list_ships", "south_list_ships"]
    wire.check_loop()


async def test_a_server_can_be_a_process(wire: Any, make: Callable[..., ChatKimi]) -> None:
    client = MultiServerMCPClient({"harbour": {"transport": "stdio", "command": sys.executable, "args": [str(SERVER)]}})
    async with client.session("harbour") as session:
        answer = await ask(make(), await load_mcp_tools(session), "Call get_weather for Paris.")
    assert "It is sunny in Paris, at 21 degrees celsius." in answer.text
    wire.check_loop()
