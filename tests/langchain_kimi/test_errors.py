"""Errors are LangChain's own, and only what may pass is tried again."""

from __future__ import annotations

import openai
import pytest
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelRateLimitError,
)
from langchain_core.messages import HumanMessage, SystemMessage

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi


def test_an_overflow_is_langchains_own_error(model: ChatKimi, kimi: LocalKimi) -> None:
    message = "Invalid request: Your request exceeded model token limit: 262144 (requested: 269030)"
    kimi.fail(1, status=400, type="invalid_request_error", message=message)
    with pytest.raises(ContextOverflowError):
        model.invoke("Hello")


def test_a_quota_that_is_used_up_is_not_tried_again(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.fail(5, status=429, type="exceeded_current_quota_error")
    with pytest.raises(ModelRateLimitError) as caught:
        model.invoke("Hello")
    assert caught.value.is_retryable is False
    assert len(kimi.requests) == 1
    assert isinstance(caught.value, openai.RateLimitError)


def test_an_overload_is_tried_again(model: ChatKimi, kimi: LocalKimi) -> None:
    kimi.fail(2)
    assert model.invoke([SystemMessage("Be brief."), HumanMessage("Hello")]).text
    assert len(kimi.requests) == 3
