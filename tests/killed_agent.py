"""Agents that kill themselves by SIGKILL, each in a process of its own: `killed_agent.py <folder> <cases as JSON>`.

A case is a framework, sync or async, and where the kill comes: `tool` within a tool when its work is done, `model` before
the first call of the model after it, `answer` at the second piece of the answer after it, `beside` within another tool
beside it. Then another process goes on, and prints the answer. The processes are forked, so that the frameworks are imported once. KeptAgent is the one of the page.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai.resources.chat  # noqa: F401 - every process would import it at its first call
from langchain.agents import create_agent
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from llama_index.core.agent.workflow import AgentStream

from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

PAGE = Path(__file__).parent.parent / "docs" / "pages" / "killed-agents.md"
QUESTION = "Call look_up for order HC-7, then call ship_to with the city. Then say that you are done."
PARALLEL = "Call ship_to for Oslo and pack for order HC-7 in parallel. Then say that you are done."
THREAD: Any = {"configurable": {"thread_id": "order"}}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Run:
    """One process of an agent.

    Attributes:
        folder: What outlives the process: the conversation, and a file with a line for each run of a tool.
        dies: Where the process is killed; "" for nowhere.
    """

    def __init__(self, folder: Path, dies: str) -> None:
        self.folder, self.dies = folder, dies
        self._pieces = itertools.count(1)
        self._ran = self._asked = False
        self._kept = threading.Event()

    def look_up(self, order: str) -> str:
        """Look up where an order goes."""
        return f"Order {order} goes to Oslo."

    def ship_to(self, city: str) -> str:
        """Ship an order to a city."""
        self._ran = True
        with (self.folder / "runs").open("a") as file:
            file.write(f"{city}\n")
        if self.dies == "tool":
            die()
        return f"Shipped to {city}."

    def pack(self, order: str) -> str:
        """Pack an order."""
        if self.dies == "beside":
            self._kept.wait(30)
            die()
        return f"Order {order} is packed."

    def kept(self, text: str) -> None:
        """Note that the conversation was saved."""
        if "Shipped to" in text:
            self._kept.set()

    def asks(self) -> None:
        """Note that the model is about to be asked; after a tool, what the tool did is saved by then."""
        self._asked = self._ran
        if self._ran and self.dies == "model":
            die()

    def piece(self, text: str) -> None:
        """Note a piece of an answer. Those before the tool may come while it runs: they are read in another thread."""
        if self._asked and text and self.dies == "answer" and next(self._pieces) == 2:
            die()

    # ------------------------------------------------------------------------------------------------------- LangGraph

    def agent(self, saver: Any) -> Any:
        run = self

        class Model(ChatKimi):
            def _stream(self, *args: Any, **kwargs: Any) -> Any:
                run.asks()
                return super()._stream(*args, **kwargs)

            def _astream(self, *args: Any, **kwargs: Any) -> Any:
                run.asks()
                return super()._astream(*args, **kwargs)

        return create_agent(Model(), [self.look_up, self.ship_to], checkpointer=saver)

    def langgraph(self) -> str:
        with SqliteSaver.from_conn_string(str(self.folder / "threads.sqlite")) as saver:
            agent = self.agent(saver)
            state = agent.get_state(THREAD)
            if state.values and not state.next:  # answered and saved before the kill
                return str(state.values["messages"][-1].text)
            asked = None if state.next else {"messages": [("user", QUESTION)]}
            for message, facts in agent.stream(asked, THREAD, stream_mode="messages", durability="sync"):
                self.piece(message.text if facts["langgraph_node"] == "model" else "")
            return str(agent.get_state(THREAD).values["messages"][-1].text)

    async def langgraph_async(self) -> str:
        async with AsyncSqliteSaver.from_conn_string(str(self.folder / "threads.sqlite")) as saver:
            agent = self.agent(saver)
            state = await agent.aget_state(THREAD)
            if state.values and not state.next:
                return str(state.values["messages"][-1].text)
            asked = None if state.next else {"messages": [("user", QUESTION)]}
            async for message, facts in agent.astream(asked, THREAD, stream_mode="messages", durability="sync"):
                self.piece(message.text if facts["langgraph_node"] == "model" else "")
            return str((await agent.aget_state(THREAD)).values["messages"][-1].text)

    # ------------------------------------------------------------------------------------------------------ LlamaIndex

    async def llama_index(self) -> str:
        run = self

        class Model(KimiLLM):
            async def astream_chat(self, *args: Any, **kwargs: Any) -> Any:
                run.asks()
                return await super().astream_chat(*args, **kwargs)

        class Agent(KeptAgent):  # type: ignore[name-defined,misc]  # noqa: F821
            def _save(self) -> None:
                super()._save()
                run.kept(self.file.read_text())

            async def _get_streaming_response(self, ctx: Any, *args: Any) -> Any:
                write = ctx.write_event_to_stream

                def watched(event: Any) -> None:
                    write(event)
                    run.piece(event.delta if isinstance(event, AgentStream) else "")

                ctx.write_event_to_stream = watched
                return await super()._get_streaming_response(ctx, *args)

        tools = [self.look_up, self.ship_to, self.pack]
        question = PARALLEL if self.folder.name.endswith("beside") else QUESTION
        agent = Agent(llm=Model(), tools=tools, file=self.folder / "conversation.json")
        return str(await agent.answer(question))


WAYS: dict[str, Callable[[Run], Any]] = {
    "langgraph": Run.langgraph,
    "langgraph_async": lambda run: asyncio.run(run.langgraph_async()),
    "llama_index": lambda run: asyncio.run(run.llama_index()),
}


def forked(way: str, folder: Path, dies: str) -> tuple[int, str]:
    """Run in a process of its own; return the signal that ended it, and its answer."""
    answer = folder / "answer"
    if (child := os.fork()) == 0:
        try:
            answer.write_text(WAYS[way](Run(folder, dies)))
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, answer.read_text() if answer.exists() else ""


def main(folder: str, cases: str) -> None:
    gc.freeze()  # what was imported is not looked through again in each process, nor copied for it
    for way, dies in json.loads(cases):
        place = Path(folder) / f"{way}-{dies}"
        place.mkdir()
        killed, early = forked(way, place, dies)
        ended, answer = forked(way, place, "")
        runs = (place / "runs").read_text().splitlines()
        print(json.dumps([-killed, early, ended, answer, len(runs)]), flush=True)


def recipe() -> str:
    """The page's code of KeptAgent."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return str(blocks[-1].partition("\nagent = ")[0])


if __name__ == "__main__":
    exec(recipe())
    main(*sys.argv[1:])
