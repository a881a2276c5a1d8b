"""An evaluation with LangSmith's pytest plugin: are answers taken from the text?

    LANGSMITH_TEST_TRACKING=false pytest examples/langsmith_eval     # offline
    LANGSMITH_API_KEY=… pytest examples/langsmith_eval --langsmith-output

Needs: pip install "kimi-adapters[langchain,emulator]" "langsmith[pytest]"
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from langsmith import testing

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi

MEMO = (
    "Harbour Coffee opened its second shop in May. In August sales dipped because the roaster stood still. "
    "Returns are taken back for 30 days."
)
CASES = [
    ("When did the second shop open?", "May"),
    ("Why did sales dip in August?", "roaster stood still"),
    ("For how many days are returns taken back?", "30"),
]


@pytest.fixture(scope="module")
def model() -> Iterator[ChatKimi]:
    """Return the real Kimi when there is a key, else the local server."""
    if os.environ.get("MOONSHOT_API_KEY"):
        yield ChatKimi()
        return
    with LocalKimi() as local:
        yield ChatKimi(base_url=local.base_url, api_key=local.api_key)


@pytest.mark.langsmith
@pytest.mark.parametrize(("question", "expected"), CASES)
def test_the_answer_is_taken_from_the_memo(model: ChatKimi, question: str, expected: str) -> None:
    testing.log_inputs({"question": question})
    testing.log_reference_outputs({"contains": expected})
    answer = model.invoke(f"{MEMO}\n\n{question}")
    testing.log_outputs({"answer": answer.text, "usage": answer.usage_metadata})
    testing.log_feedback(key="found", score=float(expected in answer.text))
    testing.log_feedback(key="short", score=float(len(answer.text) < len(MEMO)))
    assert expected in answer.text
