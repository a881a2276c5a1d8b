"""What a call costs beside the raw openai SDK doing the same work, in CPU time of this process.

The server runs in a process of its own and is never what is measured. Of interleaved rounds the best of each client
counts, since what else the machine does only ever adds. Ratios hold from machine to machine, times do not.

    python bench/bench.py             prints the figures
    python bench/bench.py --record    writes them to `results.json` as well, of which the documentation makes its page
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llama_index.core.base.llms.types as li
from floors import floors
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.output_parsers import PydanticToolsParser
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

import kimi_core
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

ROUNDS = 7
RESULTS = Path(__file__).parent / "results.json"
MODEL, SDK, LANGCHAIN, LLAMA_INDEX = "kimi-k2.6", "openai SDK", "ChatKimi", "KimiLLM"
LANGCHAIN_FLOOR, LLAMA_INDEX_FLOOR = "LangChain's floor", "LlamaIndex's floor"
THOUGHT = "I should look at the file first, then decide what to change. " * 7
RESULT = "line 17: def handler(event): return process(event)\n" * 40
PICTURE = base64.b64decode("iVBORw0KGgoA" * 870_000)
FIRST = {
    SDK: "from openai import OpenAI; c = OpenAI(base_url={url!r}, api_key='k'); "
    "c.chat.completions.create(model='kimi-k2.6', messages=[{{'role': 'user', 'content': 'Hi'}}])",
    LANGCHAIN: "from langchain_kimi import ChatKimi; ChatKimi(base_url={url!r}, api_key='k').invoke('Hi')",
    LLAMA_INDEX: "from llama_index_kimi import KimiLLM; KimiLLM(base_url={url!r}, api_key='k').complete('Hi')",
}
FLOORS = {
    SDK: "pass",
    LANGCHAIN: "from langchain_core.language_models.chat_models import BaseChatModel",
    LLAMA_INDEX: "from llama_index.core.llms.function_calling import FunctionCallingLLM",
}
Work = Callable[[], Any]


class Person(BaseModel):
    """Facts about a person."""

    name: str
    age: int
    tags: list[str]


def cpu(work: Work) -> float:
    """Seconds of CPU time."""
    start = time.process_time()
    work()
    return time.process_time() - start


class Clients:
    """The three of them, doing the same."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.create: Any = OpenAI(base_url=url, api_key="k").chat.completions.create
        self.chat = ChatKimi(base_url=url, api_key="k")
        self.llm = KimiLLM(base_url=url, api_key="k")

    def said(self, what: str) -> list[dict[str, Any]]:
        return [{"role": "user", "content": f"[[{what}]]"}]

    def body(self, what: str, **options: Any) -> bytes:
        return json.dumps({"model": MODEL, "messages": self.said(what), **options}).encode()

    def short(self) -> dict[str, Work]:
        native = [li.ChatMessage(role="user", content="[[short]]")]
        chat, llm = floors(self.url, self.body("short"))
        return {
            LANGCHAIN_FLOOR: lambda: [chat.invoke("[[short]]") for _ in range(50)],
            LLAMA_INDEX_FLOOR: lambda: [llm.chat(native) for _ in range(50)],
            SDK: lambda: [self.create(model=MODEL, messages=self.said("short")) for _ in range(50)],
            LANGCHAIN: lambda: [self.chat.invoke("[[short]]") for _ in range(50)],
            LLAMA_INDEX: lambda: [self.llm.chat(native) for _ in range(50)],
        }

    def in_loop(self, times: int, at_once: int, **options: Any) -> dict[str, Callable[[], float]]:
        """Make calls in an event loop, so many at once; each returns the seconds, without making the client."""
        chat = ChatKimi(base_url=self.url, api_key="k", **options)
        llm = KimiLLM(base_url=self.url, api_key="k", **options)
        native = [li.ChatMessage(role="user", content="[[short]]")]
        chat_floor, llm_floor = floors(self.url, self.body("short"))

        async def repeated(call: Callable[[], Any]) -> float:
            await call()
            start = time.process_time()
            for _ in range(times):
                if at_once == 1:
                    await call()
                else:
                    await asyncio.gather(*(call() for _ in range(at_once)))
            return time.process_time() - start

        async def sdk() -> float:
            async with AsyncOpenAI(base_url=self.url, api_key="k") as client:
                create: Any = client.chat.completions.create
                return await repeated(lambda: create(model=MODEL, messages=self.said("short")))

        async def floor(host: Any, call: Callable[[], Any]) -> float:
            async with host.opened():
                return await repeated(call)

        made = {
            SDK: lambda: asyncio.run(sdk()),
            LANGCHAIN: lambda: asyncio.run(repeated(lambda: chat.ainvoke("[[short]]"))),
            LLAMA_INDEX: lambda: asyncio.run(repeated(lambda: llm.achat(native))),
        }
        if not options:
            made[LANGCHAIN_FLOOR] = lambda: asyncio.run(floor(chat_floor.host, lambda: chat_floor.ainvoke("[[short]]")))
            made[LLAMA_INDEX_FLOOR] = lambda: asyncio.run(floor(llm_floor.host, lambda: llm_floor.achat(native)))
        return made

    def streamed(self, what: str) -> dict[str, Work]:
        native = [li.ChatMessage(role="user", content=f"[[{what}]]")]
        chat, llm = floors(self.url, self.body(what, stream=True))
        return {
            SDK: lambda: [None for _ in self.create(model=MODEL, messages=self.said(what), stream=True)],
            LANGCHAIN: lambda: [None for _ in self.chat.stream(f"[[{what}]]")],
            LLAMA_INDEX: lambda: [None for _ in self.llm.stream_chat(native)],
            LANGCHAIN_FLOOR: lambda: [None for _ in chat.stream(f"[[{what}]]")],
            LLAMA_INDEX_FLOOR: lambda: [None for _ in llm.stream_chat(native)],
        }

    def streamed_in_loop(self, what: str, **options: Any) -> dict[str, Callable[[], float]]:
        """Iterate over a stream in an event loop; each returns the seconds, without making the client."""
        own = ChatKimi(base_url=self.url, api_key="k", **options)
        own_llm = KimiLLM(base_url=self.url, api_key="k", **options)
        native = [li.ChatMessage(role="user", content=f"[[{what}]]")]
        chat, llm = floors(self.url, self.body(what, stream=True))

        async def iterated(stream: Callable[[], Any]) -> float:
            for _ in range(2):  # the first one makes the client
                start = time.process_time()
                events = stream()
                async for _ in await events if asyncio.iscoroutine(events) else events:
                    pass
            return time.process_time() - start

        async def sdk() -> float:
            async with AsyncOpenAI(base_url=self.url, api_key="k") as client:
                create: Any = client.chat.completions.create
                return await iterated(lambda: create(model=MODEL, messages=self.said(what), stream=True))

        async def floor(host: Any, stream: Callable[[], Any]) -> float:
            async with host.opened():
                return await iterated(stream)

        made = {
            SDK: lambda: asyncio.run(sdk()),
            LANGCHAIN: lambda: asyncio.run(iterated(lambda: own.astream(f"[[{what}]]"))),
            LLAMA_INDEX: lambda: asyncio.run(iterated(lambda: own_llm.astream_chat(native))),
        }
        if not options:
            made[LANGCHAIN_FLOOR] = lambda: asyncio.run(floor(chat.host, lambda: chat.astream(f"[[{what}]]")))
            made[LLAMA_INDEX_FLOOR] = lambda: asyncio.run(floor(llm.host, lambda: llm.astream_chat(native)))
        return made

    def summed(self, what: str) -> dict[str, Work]:
        def total(model: Any) -> Any:
            chunks = model.stream(f"[[{what}]]")
            full = next(chunks)
            for chunk in chunks:
                full += chunk
            return full

        chat, _ = floors(self.url, self.body(what, stream=True))
        return {**self.streamed(what), LANGCHAIN: lambda: total(self.chat), LANGCHAIN_FLOOR: lambda: total(chat)}

    def history(self, turns: int) -> dict[str, Work]:
        """Take an agent's step: the same messages again, and two new ones."""
        talks: dict[str, list[Any]] = {
            SDK: self.said("short"),
            LANGCHAIN: [HumanMessage("[[short]]")],
            LLAMA_INDEX: [li.ChatMessage(role="user", content="[[short]]")],
        }

        def grow(client: str) -> None:
            talks[client] += TURNS[client](len(talks[client]))

        for client in talks:
            for _ in range(turns):
                grow(client)
        chat, llm = floors(self.url, self.body("short"))
        talks |= {LANGCHAIN_FLOOR: talks[LANGCHAIN][:], LLAMA_INDEX_FLOOR: talks[LLAMA_INDEX][:]}
        ask: dict[str, Callable[[Any], Any]] = {
            LANGCHAIN_FLOOR: chat.invoke,
            LLAMA_INDEX_FLOOR: llm.chat,
            SDK: lambda talk: self.create(model=MODEL, messages=talk),
            LANGCHAIN: self.chat.invoke,
            LLAMA_INDEX: self.llm.chat,
        }

        def step(client: str) -> Work:
            def work() -> None:
                grow(client)
                ask[client](talks[client])

            work()  # the second time is not the third: see `kimi_core.remembered`
            work()
            return work

        return {client: step(client) for client in talks}

    def picture(self) -> dict[str, Work]:
        url = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
        parts: list[Any] = [{"type": "text", "text": "[[short]]"}, {"type": "image_url", "image_url": {"url": url}}]
        native = [li.ChatMessage(role="user", blocks=[li.TextBlock(text="[[short]]"), li.ImageBlock(image=PICTURE)])]
        chat = [HumanMessage(parts)]
        return {
            SDK: lambda: self.create(model=MODEL, messages=[{"role": "user", "content": parts}]),
            LANGCHAIN: lambda: self.chat.invoke(chat),
            LLAMA_INDEX: lambda: self.llm.chat(native),
        }

    def structured(self) -> dict[str, Work]:
        schema = {"name": "Person", "description": "Facts about a person.", "parameters": Person.model_json_schema()}
        tools = [{"type": "function", "function": schema}]
        chat = self.chat.with_structured_output(Person, method="function_calling")
        llm = self.llm.as_structured_llm(Person)
        native = [li.ChatMessage(role="user", content="[[person]]")]
        chat_floor, llm_floor = floors(self.url, self.body("person", tools=tools))
        parsed = chat_floor.bind_tools(tools) | PydanticToolsParser(tools=[Person], first_tool_only=True)
        structured = llm_floor.as_structured_llm(Person)

        def sdk() -> Person:
            answer = self.create(model=MODEL, messages=self.said("person"), tools=tools)
            return Person.model_validate_json(answer.choices[0].message.tool_calls[0].function.arguments)

        return {
            SDK: lambda: [sdk() for _ in range(50)],
            LANGCHAIN: lambda: [chat.invoke("[[person]]") for _ in range(50)],
            LLAMA_INDEX: lambda: [llm.chat(native) for _ in range(50)],
            LANGCHAIN_FLOOR: lambda: [parsed.invoke("[[person]]") for _ in range(50)],
            LLAMA_INDEX_FLOOR: lambda: [structured.chat(native) for _ in range(50)],
        }


def sdk_turn(i: int) -> list[Any]:
    call = {"id": f"functions.read:{i}", "type": "function", "function": {"name": "read", "arguments": '{"n": 1}'}}
    said = {"role": "assistant", "content": "", "reasoning_content": THOUGHT, "tool_calls": [call]}
    return [said, {"role": "tool", "tool_call_id": call["id"], "content": f"{i} {RESULT}"}]


def langchain_turn(i: int) -> list[Any]:
    call = {"name": "read", "args": {"n": 1}, "id": f"functions.read:{i}", "type": "tool_call"}
    said = AIMessage("", tool_calls=[call], additional_kwargs={"reasoning_content": THOUGHT})
    return [said, ToolMessage(f"{i} {RESULT}", tool_call_id=call["id"])]


def llama_index_turn(i: int) -> list[Any]:
    call = li.ToolCallBlock(tool_call_id=f"functions.read:{i}", tool_name="read", tool_kwargs={"n": 1})
    said = li.ChatMessage(role="assistant", blocks=[li.ThinkingBlock(content=THOUGHT), call])
    known = {"tool_call_id": call.tool_call_id}
    return [said, li.ChatMessage(role="tool", content=f"{i} {RESULT}", additional_kwargs=known)]


TURNS: dict[str, Callable[[int], list[Any]]] = {
    SDK: sdk_turn,
    LANGCHAIN: langchain_turn,
    LLAMA_INDEX: llama_index_turn,
    LANGCHAIN_FLOOR: langchain_turn,
    LLAMA_INDEX_FLOOR: llama_index_turn,
}


def first_answer(url: str) -> dict[str, float]:
    """Seconds from the start of a process to its first answer, without Python's and the framework's own import."""
    took: dict[str, float] = {}
    for client, source in FIRST.items():
        whole, floor = (min(seconds_of(code.format(url=url)) for _ in range(2)) for code in (source, FLOORS[client]))
        took[client] = whole - floor
    return took


def seconds_of(source: str) -> float:
    code = f"import time; {source}; print(time.process_time())"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def measured(url: str) -> dict[str, dict[str, float]]:
    """Return the CPU seconds of each client, by what was done; what was done is named as the page shows it."""
    clients = Clients(url)
    plain: dict[str, Callable[[], dict[str, Work]]] = {
        "50 short calls": clients.short,
        "a stream of 2,000 deltas, iterated": lambda: clients.streamed("stream"),
        "the same stream, summed with `+`": lambda: clients.summed("stream"),
        "a stream of 500 deltas, a read of the network for each": lambda: clients.streamed("live"),
        "a tool call with 100 kB of arguments, iterated": lambda: clients.streamed("arguments"),
        "the same call, summed with `+`": lambda: clients.summed("arguments"),
        "a step after 100 tool turns": lambda: clients.history(100),
        "a step after 1,000 tool turns": lambda: clients.history(1000),
        "a step after 4,000 tool turns": lambda: clients.history(4000),
        "a picture of 8 MB": clients.picture,
        "50 structured answers by a tool": clients.structured,
    }
    took = {name: best({client: partial(cpu, work) for client, work in make().items()}) for name, make in plain.items()}
    took["50 short calls in an event loop, one after another"] = best(clients.in_loop(50, 1))
    took["200 in an event loop, 100 at once"] = best(clients.in_loop(2, 100))
    took['the same with `async_transport="aiohttp"`'] = best(clients.in_loop(2, 100, async_transport="aiohttp"))
    took["a stream of 500 deltas in an event loop, a read for each"] = best(clients.streamed_in_loop("live"))
    took['that stream with `async_transport="aiohttp"`'] = best(
        clients.streamed_in_loop("live", async_transport="aiohttp")
    )
    took["the first answer of a process, without Python's and the framework's own import"] = first_answer(url)
    return took


def best(clients: dict[str, Callable[[], float]]) -> dict[str, float]:
    for timed in clients.values():
        timed()  # connections and late imports
    rounds = [{client: timed() for client, timed in clients.items()} for _ in range(ROUNDS)]
    return {client: min(taken[client] for taken in rounds) for client in clients}


def line(name: str, took: dict[str, float]) -> str:
    ratios = "".join(
        f"{took[client] / took[SDK]:9.3f} x" if client in took else f"{'–':>11}"
        for client in (LANGCHAIN, LANGCHAIN_FLOOR, LLAMA_INDEX, LLAMA_INDEX_FLOOR)
    )
    return f"{name:<66}{took[SDK] * 1000:9.1f} ms{ratios}"


def processor() -> str:
    """Return what the processor is called."""
    info = Path("/proc/cpuinfo")
    names = [row.partition(":")[2].strip() for row in info.read_text().splitlines() if row.startswith("model name")]
    return names[0] if info.exists() and names else platform.machine()


def record(took: dict[str, dict[str, float]]) -> None:
    """Write the figures down, in place of those of the same release and the same major of the SDK."""
    found = {
        "release": kimi_core.__version__,
        "day": date.today().isoformat(),
        "processor": f"{os.cpu_count()} × {processor()}",
        "load": round(os.getloadavg()[0], 1),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {name: version(name) for name in ("openai", "langchain-core", "llama-index-core")},
        "rounds": ROUNDS,
        "milliseconds": {
            name: {client: round(seconds * 1000, 2) for client, seconds in clients.items()}
            for name, clients in took.items()
        },
    }
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else []
    kept = [other for other in known if key(other) != key(found)]
    RESULTS.write_text(json.dumps(sorted([*kept, found], key=key), indent=1, ensure_ascii=False) + "\n", "utf-8")


def key(run: dict[str, Any]) -> tuple[str, int]:
    return run["release"], int(run["versions"]["openai"].partition(".")[0])


def main() -> None:
    server = [sys.executable, str(Path(__file__).parent / "server.py")]
    with subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        took = measured(f"http://127.0.0.1:{running.stdout.readline().strip()}/v1")
        running.kill()
    print()
    for name, clients in took.items():
        print(line(name, clients))
    if "--record" in sys.argv[1:]:
        record(took)


if __name__ == "__main__":
    main()
