"""Processes of an agent whose conversation is in a database, one after the other: `checkpointed.py <database> <processes>`.

A process is a list of steps in JSON, each a way, a model and an input: `{"say": …}` puts a question, `{"resume": …}`
answers an interrupt. Prints what came of each as JSON, a line a step. The processes are forked, so that the frameworks
are imported once.
Warnings, LangGraph's own in the log included, end it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from langchain_kimi import ChatKimi

THREAD: Any = {"configurable": {"thread_id": "order"}}


@tool
def look_up(order_id: str) -> str:
    """Look up an order."""
    return f"Order {order_id} goes to Oslo."


@tool
def ship_to(city: str) -> str:
    """Ship an order to a city."""
    return f"Shipped to {city}."


def agent(model: str, saver: Any) -> Any:
    review = HumanInTheLoopMiddleware(interrupt_on={"ship_to": True})
    return create_agent(ChatKimi(model=model), [look_up, ship_to], middleware=[review], checkpointer=saver)


def run(way: str, database: str, model: str, given: Any) -> dict[str, Any]:
    with SqliteSaver.from_conn_string(database) as saver:
        made = agent(model, saver)
        if way == "stream":
            *_, (_, last) = made.stream(given, THREAD, stream_mode=["messages", "values"])
            return dict(last)
        return dict(made.invoke(given, THREAD))


async def arun(way: str, database: str, model: str, given: Any) -> dict[str, Any]:
    async with AsyncSqliteSaver.from_conn_string(database) as saver:
        made = agent(model, saver)
        if way == "astream":
            return [part async for _, part in made.astream(given, THREAD, stream_mode=["messages", "values"])][-1]
        return dict(await made.ainvoke(given, THREAD))


class Alarm(logging.Handler):
    """Ends the process at the first warning in the log."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.exit(f"{record.name} warned: {record.getMessage()}")


def main(database: str, processes: str) -> None:
    logging.getLogger().addHandler(Alarm(logging.WARNING))
    gc.freeze()  # what was imported is not looked through again, nor copied for it
    for steps in json.loads(processes):
        if os.fork() == 0:
            for way, model, told in steps:
                step(way, database, model, told)
            return
        if code := os.waitstatus_to_exitcode(os.wait()[1]):
            sys.exit(code)


def step(way: str, database: str, model: str, told: dict[str, Any]) -> None:
    said: Any = (
        {"messages": [{"role": "user", "content": told["say"]}]} if "say" in told else Command(resume=told["resume"])
    )
    state = asyncio.run(arun(way, database, model, said)) if way.startswith("a") else run(way, database, model, said)
    waiting = [request["name"] for one in state.get("__interrupt__", ()) for request in one.value["action_requests"]]
    print(json.dumps({"last": state["messages"][-1].text, "messages": len(state["messages"]), "waiting": waiting}))


if __name__ == "__main__":
    main(*sys.argv[1:])
