"""One process of agents: takes threads that nobody works at, and goes on with those that a killed process has left."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import store
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from kimi_core import Budget, KimiError
from langchain_kimi import ChatKimi

PAUSE = 0.1
"""Seconds until a worker that found nothing looks again: others may have been killed."""


class Worker:
    """Runs agents, each in a task of its own."""

    def __init__(self, name: str, dsn: str, pool: Any, allowance: float, limits: dict[str, Any]) -> None:
        self.name, self.dsn, self.pool, self.allowance, self.limits = name, dsn, pool, allowance, limits
        self.saver = AsyncPostgresSaver(pool)

    async def work(self) -> None:
        """Work at one thread after the other until all are done."""
        own: AsyncConnection[Any]
        async with await AsyncConnection.connect(self.dsn, autocommit=True, row_factory=dict_row) as own:
            while await store.is_undone(own):
                if thread := await store.claim(own, self.name, self.allowance):
                    await self.run(own, thread)
                    await store.release(own, thread["id"])
                else:
                    await asyncio.sleep(PAUSE)

    async def run(self, own: AsyncConnection[Any], thread: dict[str, Any]) -> None:
        """Ask the thread's question, or go on where another process was killed."""
        config: Any = {"configurable": {"thread_id": str(thread["id"])}}
        before = await self.saver.aget_tuple(config)
        spent = cost(before.checkpoint["channel_values"].get("messages", ())) if before else 0.0
        budget = Budget(usd=max(thread["allowance"] - spent, 1e-9))
        model = ChatKimi(max_tokens=2000, budget=budget, **self.limits)
        agent = create_agent(model, [look_up, self.shipping()], checkpointer=self.saver)
        asked = None if before else {"messages": [("user", thread["question"])]}
        try:
            state = await agent.ainvoke(asked, config, durability="sync")
        except KimiError as error:
            await store.settle(own, thread, spent + budget.spent.usd, error=str(error))
        else:
            await store.settle(own, thread, spent + budget.spent.usd, answer=state["messages"][-1].text)

    def shipping(self) -> Any:
        """Return the tool that must not be run twice."""

        @tool
        async def ship_to(city: str, runtime: ToolRuntime) -> str:
            """Ship an order to a city."""
            thread = runtime.config["configurable"]["thread_id"]
            async with self.pool.connection() as connection:
                await store.ship(connection, thread, runtime.tool_call_id or "", city)
            return f"Shipped to {city}."

        return ship_to


@tool
def look_up(order_id: str) -> str:
    """Look up an order."""
    return f"Order {order_id} goes to Oslo."


def cost(messages: Any) -> float:
    """Return what the answers of a conversation have cost."""
    return sum(m.response_metadata.get("cost_usd") or 0.0 for m in messages if isinstance(m, AIMessage))


async def main(name: str, dsn: str, agents: int, allowance: float, concurrency: int) -> None:
    limits = {"limits": {"concurrency": concurrency, "storage": "env:KIMI_LIMITS_STORAGE"}} if concurrency else {}
    settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(dsn, kwargs=settings, min_size=1, max_size=agents + 1) as pool:
        worker = Worker(name, dsn, pool, allowance, limits)
        await asyncio.gather(*(worker.work() for _ in range(agents)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])))
