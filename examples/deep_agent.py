"""A deep agent: files, a todo list and subagents, with the profile for Kimi that this package brings.

    python examples/deep_agent.py

Needs: pip install "kimi-adapters[langchain,emulator]" deepagents
"""

from __future__ import annotations

import asyncio
from typing import Any

from deepagents import create_deep_agent
from langchain.agents.middleware import TodoListMiddleware
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from which_kimi import make_model

TASK = (
    "First call write_todos with the todo 'write the note', then call write_file for /note.md with the content "
    "'The ship is in', then call read_file for /note.md."
)


async def main() -> None:
    # With a key in the environment `create_deep_agent("moonshot:kimi-k2.6")` makes the same model by its name.
    model = make_model(thinking={"type": "enabled", "keep": "all"})
    agent = create_deep_agent(model, middleware=[TodoListMiddleware()], checkpointer=InMemorySaver())
    asked: Any = {"messages": [{"role": "user", "content": TASK}]}
    thread: Any = {"configurable": {"thread_id": "notes"}}
    async for update in agent.astream(asked, thread, stream_mode="updates"):
        for message in new_messages(update):
            show(message)
    print("\nFiles:", {path: file["content"] for path, file in agent.get_state(thread).values["files"].items()})


def new_messages(update: Any) -> list[Any]:
    """Return the messages of one step; some steps have none."""
    steps = [step for step in update.values() if isinstance(step, dict)]
    return [message for step in steps if isinstance(step.get("messages"), list) for message in step["messages"]]


def show(message: Any) -> None:
    if isinstance(message, AIMessage):
        print("thinks:", message.additional_kwargs.get("reasoning_content"))
        for call in message.tool_calls:
            print("calls: ", call["name"], call["args"])
        print("says:  ", message.text) if message.text else None
    elif isinstance(message, ToolMessage):
        print("result:", message.text)


if __name__ == "__main__":
    asyncio.run(main())
