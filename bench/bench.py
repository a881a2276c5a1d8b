"""What a call costs beside the raw openai SDK doing the same work, in CPU time of this process.

The local Kimi server runs in a process of its own and is never what is measured. Figures are medians of interleaved
rounds; ratios hold from machine to machine, times do not.

    make bench
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ThinkingBlock, ToolCallBlock
from openai import OpenAI

from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

ROUNDS = 5
TURNS = 1000
STREAM = "Count from 1 to 2000."
SERVER = (
    "from kimi_adapters.local_server import LocalKimi; import sys; k = LocalKimi().start();"
    "print(k.base_url, k.api_key, flush=True); sys.stdin.read()"
)
FLOORS = {
    "ChatKimi": ("from langchain_core.language_models.chat_models import BaseChatModel", "import langchain_kimi"),
    "KimiLLM": ("from llama_index.core.llms.function_calling import FunctionCallingLLM", "import llama_index_kimi"),
}
THOUGHT = "I should look at the file first, then decide what to change. " * 7
RESULT = "line 17: def handler(event): return process(event)\n" * 40


def cpu(work: Callable[[], Any]) -> float:
    """Seconds of CPU time."""
    start = time.process_time()
    work()
    return time.process_time() - start


def openai_history() -> list[Any]:
    messages: list[Any] = [{"role": "user", "content": "Fix the bug."}]
    for i in range(TURNS):
        call = {"id": f"functions.read:{i}", "type": "function", "function": {"name": "read", "arguments": '{"n": 1}'}}
        messages.append({"role": "assistant", "reasoning_content": THOUGHT, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": RESULT})
    return messages


def langchain_history() -> list[Any]:
    messages: list[Any] = [HumanMessage("Fix the bug.")]
    for i in range(TURNS):
        call = {"name": "read", "args": {"n": 1}, "id": f"functions.read:{i}", "type": "tool_call"}
        messages.append(AIMessage("", tool_calls=[call], additional_kwargs={"reasoning_content": THOUGHT}))
        messages.append(ToolMessage(RESULT, tool_call_id=call["id"]))
    return messages


def llama_index_history() -> list[Any]:
    messages: list[Any] = [ChatMessage(role="user", content="Fix the bug.")]
    for i in range(TURNS):
        call = ToolCallBlock(tool_call_id=f"functions.read:{i}", tool_name="read", tool_kwargs={"n": 1})
        messages.append(ChatMessage(role="assistant", blocks=[ThinkingBlock(content=THOUGHT), call]))
        result = {"tool_call_id": call.tool_call_id}
        messages.append(ChatMessage(role="tool", blocks=[TextBlock(text=RESULT)], additional_kwargs=result))
    return messages


def workloads(base_url: str, api_key: str) -> dict[str, dict[str, Callable[[], Any]]]:
    """Return what is measured, by client."""
    sdk = OpenAI(base_url=base_url, api_key=api_key)
    chat, llm = ChatKimi(base_url=base_url, api_key=api_key), KimiLLM(base_url=base_url, api_key=api_key)
    create: Any = sdk.chat.completions.create
    said = [{"role": "user", "content": STREAM}]
    histories = openai_history(), langchain_history(), llama_index_history()
    return {
        "a stream, iterated": {
            "openai SDK": lambda: list(create(model="kimi-k2.6", messages=said, stream=True)),
            "ChatKimi": lambda: [None for _ in chat.stream(STREAM)],
            "KimiLLM": lambda: [None for _ in llm.stream_chat([ChatMessage(role="user", content=STREAM)])],
        },
        f"one call after {TURNS} tool turns": {
            "openai SDK": lambda: create(model="kimi-k3", messages=histories[0]),
            "ChatKimi": lambda: chat.invoke(histories[1], model="kimi-k3"),
            "KimiLLM": lambda: llm.chat(histories[2], model="kimi-k3"),
        },
    }


def measure(name: str, clients: dict[str, Callable[[], Any]]) -> None:
    for work in clients.values():
        work()  # connections and lazy imports
    rounds = [{client: cpu(work) for client, work in clients.items()} for _ in range(ROUNDS)]
    print(f"\n{name}")
    for client in clients:
        seconds = statistics.median(r[client] for r in rounds)
        ratio = statistics.median(r[client] / r["openai SDK"] for r in rounds)
        print(f"  {client:<12}{seconds * 1000:9.1f} ms   {ratio:5.2f} x")


def imports() -> None:
    print("import, beside the framework's own")
    for client, sources in FLOORS.items():
        took = [statistics.median(import_time(source) for _ in range(ROUNDS)) for source in sources]
        print(f"  {client:<12}{took[1] * 1000:9.1f} ms   {took[1] / took[0]:5.2f} x")


def import_time(source: str) -> float:
    code = f"import time; {source}; print(time.process_time())"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main() -> None:
    imports()
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=-1, stdout=-1, text=True) as server:
        assert server.stdout
        base_url, api_key = server.stdout.readline().split()
        for name, clients in workloads(base_url, api_key).items():
            measure(name, clients)
        server.kill()


if __name__ == "__main__":
    main()
