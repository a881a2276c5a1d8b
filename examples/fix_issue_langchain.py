"""An agent that fixes an issue: it finds the code, edits it and runs the tests (LangChain).

    python examples/fix_issue_langchain.py

Needs: pip install "kimi-adapters[langchain,emulator]" langchain
"""

from __future__ import annotations

from langchain.agents import create_agent
from langchain_core.messages import AIMessage

from issue import ISSUE, SCRIPT, SYSTEM, Repo
from kimi_core import Budget
from langchain_kimi import ChatKimi
from which_kimi import place


def main() -> None:
    budget = Budget(usd=0.50, steps=30)  # an agent that goes astray stops here
    model = ChatKimi(**place(SCRIPT), thinking={"type": "enabled", "keep": "all"}, budget=budget)
    with Repo() as repo:
        agent = create_agent(model, repo.tools, system_prompt=SYSTEM)
        for update in agent.stream({"messages": [("user", ISSUE)]}, stream_mode="updates"):
            for step in update.values():
                show(step["messages"][-1])
        print("\nThe tests now:", repo.run_tests().splitlines()[-1])
    print("It took:", budget.spent)


def show(message: AIMessage) -> None:
    if not isinstance(message, AIMessage):
        print("   ", message.text.strip().splitlines()[-1])
    elif message.tool_calls:
        print(message.additional_kwargs.get("reasoning_content", ""), [call["name"] for call in message.tool_calls])
    else:
        print(message.text)


if __name__ == "__main__":
    main()
