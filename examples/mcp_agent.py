"""An agent with the tools of an MCP server, which is a process of its own: this file again, run with `serve`.

    python examples/mcp_agent.py

Needs: pip install "kimi-adapters[langchain,emulator]" langchain langchain-mcp-adapters
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any


def serve() -> None:
    from mcp.server.fastmcp import FastMCP

    server = FastMCP("weather", log_level="ERROR")

    @server.tool()
    def get_weather(city: str) -> str:
        """Say what the weather is like in a city."""
        return f"It is sunny in {city}."

    server.run()


async def main() -> None:
    from langchain.agents import create_agent
    from langchain_mcp_adapters.client import MultiServerMCPClient
    from langchain_mcp_adapters.tools import load_mcp_tools

    from which_kimi import make_model

    client = MultiServerMCPClient(
        {"weather": {"transport": "stdio", "command": sys.executable, "args": [__file__, "serve"]}}
    )
    async with client.session("weather") as session:
        agent = create_agent(make_model(), await load_mcp_tools(session))
        asked: Any = {"messages": [{"role": "user", "content": "What is the weather in Paris?"}]}
        for message in (await agent.ainvoke(asked))["messages"]:
            message.pretty_print()


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else asyncio.run(main())
