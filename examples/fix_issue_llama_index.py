"""An agent that fixes an issue: it finds the code, edits it and runs the tests (LlamaIndex).

    python examples/fix_issue_llama_index.py

Needs: pip install "kimi-adapters[llama-index,emulator]"
"""

from __future__ import annotations

import asyncio

from llama_index.core.agent.workflow import AgentOutput, FunctionAgent, ToolCallResult
from llama_index.core.base.llms.types import ThinkingBlock

from issue import ISSUE, SCRIPT, SYSTEM, Repo
from kimi_core import Budget
from llama_index_kimi import KimiLLM
from which_kimi import place


async def main() -> None:
    budget = Budget(usd=0.50, steps=30)  # an agent that goes astray stops here
    llm = KimiLLM(**place(SCRIPT), thinking={"type": "enabled", "keep": "all"}, budget=budget)
    with Repo() as repo:
        run = FunctionAgent(tools=repo.tools, llm=llm, system_prompt=SYSTEM).run(ISSUE)
        async for event in run.stream_events():
            show(event)
        print(await run)
        print("\nThe tests now:", repo.run_tests().splitlines()[-1])
    print("It took:", budget.spent)


def show(event: object) -> None:
    if isinstance(event, ToolCallResult):
        print("   ", str(event.tool_output.content).strip().splitlines()[-1])
    elif isinstance(event, AgentOutput) and event.tool_calls:
        thoughts = [block.content for block in event.response.blocks if isinstance(block, ThinkingBlock)]
        print(*thoughts, [call.tool_name for call in event.tool_calls])


if __name__ == "__main__":
    asyncio.run(main())
