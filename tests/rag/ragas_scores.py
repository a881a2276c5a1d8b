"""Measures with ragas and prints the scores as JSON. In a process of its own, since ragas patches asyncio for good.

For each host and framework, and each metric: the score; for three answers to one prompt these, and the `n` of each
request. ragas sets `n` and `temperature` on the model that it is given.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any

os.environ["RAGAS_DO_NOT_TRACK"] = "true"  # it is read once, with the import

from ragas import EvaluationDataset, RunConfig, SingleTurnSample, evaluate
from ragas.embeddings import BaseRagasEmbeddings
from ragas.llms import LangchainLLMWrapper, LlamaIndexLLMWrapper
from ragas.metrics import (
    AspectCritic,
    FactualCorrectness,
    Faithfulness,
    LLMContextPrecisionWithReference,
    LLMContextRecall,
    ResponseRelevancy,
)
from ragas.metrics._answer_relevance import ResponseRelevanceInput

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

SAMPLE = SingleTurnSample(
    user_input="When did the second shop open?",
    response="The second shop opened in May.",
    retrieved_contexts=["The second shop opened in May."],
    reference="In May.",
)
STATEMENT = "The second shop opened in May."
QUESTIONS = tuple({"question": question, "noncommittal": 0} for question in (SAMPLE.user_input, "Qqq?", "Zzz?"))
VERDICT = {"reason": "It says so.", "verdict": 1}
VERDICTS = {"statements": [{"statement": STATEMENT, **VERDICT}]}


class Letters(BaseRagasEmbeddings):
    """Counts letters, so that equal texts are equal and nothing is downloaded."""

    def embed_query(self, text: str) -> list[float]:
        return [float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    async def aembed_query(self, text: str) -> list[float]:
        return self.embed_query(text)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embed_documents(texts)


JUDGES: dict[str, Callable[..., Any]] = {
    "langchain": lambda **where: LangchainLLMWrapper(ChatKimi(**where)),
    "llama_index": lambda **where: LlamaIndexLLMWrapper(KimiLLM(**where)),
}
# Each with what the model is to answer.
METRICS: dict[str, tuple[Callable[[Any], Any], tuple[Any, ...]]] = {
    "faithfulness": (lambda llm: Faithfulness(llm=llm), ({"statements": [STATEMENT]}, VERDICTS)),
    "answer_relevancy": (lambda llm: ResponseRelevancy(llm=llm, embeddings=Letters(), strictness=3), QUESTIONS),
    "context_precision": (lambda llm: LLMContextPrecisionWithReference(llm=llm), (VERDICT,)),
    "context_recall": (
        lambda llm: LLMContextRecall(llm=llm),
        ({"classifications": [{"statement": STATEMENT, "reason": "", "attributed": 1}]},),
    ),
    "critic": (lambda llm: AspectCritic(name="critic", definition="Is it fine?", llm=llm), (VERDICT,)),
    "correctness": (lambda llm: FactualCorrectness(llm=llm, mode="precision"), ({"claims": [STATEMENT]}, VERDICTS)),
}


def measured(server: LocalKimi, judge: Any, name: str) -> float:
    make, said = METRICS[name]
    server.reset()
    for value in said:
        server.enqueue(text=json.dumps(value))
    return float(asyncio.run(make(judge).single_turn_ascore(SAMPLE)))


def questions(server: LocalKimi, judge: Any) -> tuple[list[str], list[Any]]:
    """Three answers to one prompt, which ragas asks for by `n`."""
    server.reset()
    for value in QUESTIONS:
        server.enqueue(text=json.dumps(value))
    prompt = ResponseRelevancy().question_generation
    data = ResponseRelevanceInput(response=STATEMENT)
    found = asyncio.run(prompt.generate_multiple(data=data, llm=judge, n=3))
    return sorted(one.question for one in found), [request.body.get("n") for request in server.requests]


def evaluated(server: LocalKimi, judge: Any) -> list[float]:
    """The scores of a data set, by `evaluate`."""
    server.reset()
    server.enqueue(text=json.dumps(VERDICT))
    server.enqueue(text=json.dumps({**VERDICT, "verdict": 0}))
    critic = METRICS["critic"][0](None)
    found = evaluate(
        EvaluationDataset([SAMPLE, SAMPLE]),
        metrics=[critic],
        llm=judge,
        run_config=RunConfig(max_workers=1),
        show_progress=False,
        raise_exceptions=True,
    )
    return sorted(score["critic"] for score in found.scores)


def main() -> None:
    found: dict[str, Any] = {}
    for host in ("moonshot", "vllm"):
        with LocalKimi(host) as server:  # type: ignore[arg-type]
            where = {"host": host, "base_url": server.base_url, "api_key": server.api_key}
            for framework, make in JUDGES.items():
                judge = make(**where, on_unsupported="ignore")  # Moonshot takes no temperature of ragas'
                for name in METRICS:
                    found[f"{host} {framework} {name}"] = measured(server, judge, name)
                if framework == "langchain":  # of LlamaIndex's models it reads one answer
                    found[f"{host} questions"] = questions(server, judge)
                found[f"{host} {framework} evaluate"] = evaluated(server, judge)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
