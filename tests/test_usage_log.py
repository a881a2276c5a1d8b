"""One line for each answer that cost something, without content and key."""

from __future__ import annotations

import logging

import pytest
from drivers import Driver

from kimi_adapters.local_server import LocalKimi

USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}


def test_every_answer_is_one_line(driver: Driver, kimi: LocalKimi, caplog: pytest.LogCaptureFixture) -> None:
    kimi.enqueue(text="The answer is 4711.", usage=USAGE)
    with caplog.at_level(logging.INFO, logger="kimi_core.usage"):
        driver.ask(driver.make(base_url=kimi.base_url, api_key=kimi.api_key), "The question is 0815.")
    (record,) = [r for r in caplog.records if r.name == "kimi_core.usage"]
    facts = ("host", "model", "prompt_tokens", "completion_tokens", "total_tokens")
    assert [getattr(record, name) for name in facts] == ["moonshot", "kimi-k2.6", 10, 20, 30]
    assert record.cost_usd == pytest.approx((10 * 0.95 + 20 * 4.0) / 1_000_000)
    assert record.request_id
    said = record.getMessage()
    assert said.startswith("host=moonshot model=kimi-k2.6 prompt_tokens=10 completion_tokens=20 total_tokens=30 ")
    assert not [secret for secret in ("4711", "0815", kimi.api_key) if secret in said]


def test_nothing_is_said_below_the_level(driver: Driver, kimi: LocalKimi, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="kimi_core.usage"):
        driver.ask(driver.make(base_url=kimi.base_url, api_key=kimi.api_key), "Hello")
    assert not [r for r in caplog.records if r.name == "kimi_core.usage"]
