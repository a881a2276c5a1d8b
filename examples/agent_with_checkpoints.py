"""An agent that asks a person before it ships, and whose conversation outlives the process.

    python examples/agent_with_checkpoints.py orders.sqlite         # works until it has to ask
    python examples/agent_with_checkpoints.py orders.sqlite yes     # goes on, in another process

Needs: pip install "kimi-adapters[langchain,emulator]" langchain langgraph-checkpoint-sqlite
"""

from __future__ import annotations

import sys
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from which_kimi import make_model

THREAD: Any = {"configurable": {"thread_id": "order HC-2041"}}
QUESTION: Any = {
    "messages": [{"role": "user", "content": "Call look_up for the order HC-2041, then call ship_to with its city."}]
}


def look_up(order_id: str) -> str:
    """Look up an order."""
    return f"Order {order_id} goes to Oslo."


def ship_to(city: str) -> str:
    """Ship an order to a city."""
    return f"Shipped to {city}."


def main(database: str, decision: str | None = None) -> None:
    with SqliteSaver.from_conn_string(database) as saver:
        review = HumanInTheLoopMiddleware(interrupt_on={"ship_to": True})
        agent = create_agent(make_model(), [look_up, ship_to], middleware=[review], checkpointer=saver)
        if decision is None:
            state = agent.invoke(QUESTION, THREAD)
        else:
            answer = {"type": "approve"} if decision == "yes" else {"type": "reject", "message": decision}
            state = agent.invoke(Command(resume={"decisions": [answer]}), THREAD)
        for message in state["messages"]:
            message.pretty_print()
        for interrupt in state.get("__interrupt__", ()):
            for request in interrupt.value["action_requests"]:
                print(f"\nMay I call {request['name']} with {request['args']}? Run again with yes, or a reason not to.")


if __name__ == "__main__":
    main(*sys.argv[1:])
