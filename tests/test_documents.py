"""The bodies that the hosts' own pages print decode in both frameworks, in every mode."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from drivers import Answer, Driver

from kimi_adapters.local_server import LocalKimi

FIXTURES = Path(__file__).parent / "fixtures"
AIMLAPI = json.loads((FIXTURES / "aimlapi-kimi-k2.6.json").read_text())
AIMLAPI_EXAMPLE = json.loads((FIXTURES / "aimlapi-page-example.json").read_text())
MOONSHOT = json.loads((FIXTURES / "moonshot-page-example.json").read_text())
STREAM = (FIXTURES / "moonshot-page-example.sse").read_bytes()

WHOLE = {"invoke", "ainvoke"}


def ask(driver: Driver, kimi: LocalKimi, **options: object) -> Answer:
    model = driver.make(base_url=kimi.base_url, api_key=kimi.api_key, max_retries=0, **options)
    return driver.ask(model, "Hi! What do you think about mankind?")


def as_stream(body: dict) -> list[dict]:
    """A whole body as the chunks that a host would send: role, reasoning, content, finish, and usage with cost."""
    head = {k: v for k, v in body.items() if k not in ("choices", "usage", "meta")} | {
        "object": "chat.completion.chunk"
    }
    message = body["choices"][0]["message"]
    deltas: list[dict] = [{"role": "assistant", "content": ""}]
    deltas += [{key: message[key]} for key in ("reasoning_content", "content") if message.get(key)]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    end = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": body["choices"][0]["finish_reason"]}]}
    last = {**head, "choices": [], "usage": body["usage"], **{k: body[k] for k in ("meta",) if k in body}}
    return [*chunks, end, last]


def prepare(driver: Driver, kimi: LocalKimi, body: dict) -> None:
    kimi.enqueue(sse=as_stream(body)) if driver.streams else kimi.enqueue(json=body)


def test_the_real_answer_on_aimlapis_page_decodes(driver: Driver, aimlapi: LocalKimi) -> None:
    prepare(driver, aimlapi, AIMLAPI)
    answer = ask(driver, aimlapi, host="aimlapi")
    message = AIMLAPI["choices"][0]["message"]
    assert answer.text == message["content"]
    assert answer.reasoning == message["reasoning_content"]
    assert answer.finish_reason == "stop"
    assert answer.model == "kimi-k2.6"
    assert (answer.input_tokens, answer.output_tokens, answer.total_tokens) == (16, 977, 993)
    assert answer.cost_usd == 0.0051005
    assert aimlapi.requests[-1].body["model"] == "moonshot/kimi-k2-6"


def test_the_example_on_aimlapis_page_decodes(driver: Driver, aimlapi: LocalKimi) -> None:
    prepare(driver, aimlapi, AIMLAPI_EXAMPLE)
    answer = ask(driver, aimlapi, host="aimlapi")
    assert answer.text.startswith("Hello! I'm just a program")
    assert answer.reasoning == ""
    assert (answer.total_tokens, answer.cost_usd, answer.model) == (1051, 0.06, "moonshot/kimi-k2-6")


def test_the_example_on_moonshots_page_decodes(driver: Driver, kimi: LocalKimi) -> None:
    prepare(driver, kimi, MOONSHOT)
    answer = ask(driver, kimi)
    assert answer.text.startswith("Hello, Li Lei! 1+1 equals 2.")
    assert (answer.input_tokens, answer.output_tokens, answer.total_tokens, answer.cached_tokens) == (19, 21, 40, 10)
    assert (answer.finish_reason, answer.model) == ("stop", "kimi-k2.6")
    # 9 fresh and 10 cached tokens in, 21 out, at 0.95 / 0.16 / 4.00 USD a million
    assert answer.cost_usd == pytest.approx((9 * 0.95 + 10 * 0.16 + 21 * 4.00) / 1e6)


def test_the_stream_on_moonshots_page_decodes(driver: Driver, kimi: LocalKimi) -> None:
    """Its usage is in the last choice, not at the top."""
    if not driver.streams:
        kimi.enqueue(json=MOONSHOT)
        assert ask(driver, kimi).total_tokens == 40
        return
    kimi.enqueue(raw=STREAM, content_type="text/event-stream")
    answer = ask(driver, kimi)
    assert answer.text == "Hello"
    assert (answer.input_tokens, answer.output_tokens, answer.total_tokens) == (19, 13, 32)
    assert answer.finish_reason == "stop"
