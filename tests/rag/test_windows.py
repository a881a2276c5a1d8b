"""Small context windows, wherever they are set: engines answer, and what they send fits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core import Document, PromptTemplate, Settings, SummaryIndex
from llama_index.core.indices.prompt_helper import ChatPromptHelper, PromptHelper
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.utils import get_tokenizer
from pydantic import BaseModel

from kimi_adapters.local_server import LocalKimi
from llama_index_kimi import KimiLLM

FACT = "The lighthouse of Alora is 41 metres tall. "
ASKED = "How tall is the lighthouse of Alora?"
WORDLESS = [ResponseMode.NO_TEXT, ResponseMode.CONTEXT_ONLY]


@pytest.fixture(autouse=True)
def own_settings() -> Iterator[None]:
    """LlamaIndex's defaults are as they were."""
    yield
    Settings._llm = Settings._prompt_helper = Settings._chat_prompt_helper = None


@pytest.fixture(scope="module")
def pages() -> SummaryIndex:
    """More than a window of 8,000 tokens holds."""
    return SummaryIndex.from_documents([Document(text=FACT * 150) for _ in range(6)])


def tokens_of(request: Any) -> int:
    texts = [str(message.get("content") or "") for message in request.body["messages"]]
    return sum(len(get_tokenizer()(text)) for text in texts)


def check(kimi: LocalKimi, window: int, answer: int) -> None:
    """Prompt and answer fit into the window, in every request."""
    assert kimi.errors == []
    assert max(map(tokens_of, kimi.requests)) <= window - answer


@pytest.mark.parametrize("mode", [mode for mode in ResponseMode if mode not in WORDLESS], ids=lambda mode: mode.value)
def test_every_mode_keeps_to_the_window_of_the_model(
    make: Callable[..., KimiLLM], pages: SummaryIndex, kimi: LocalKimi, mode: ResponseMode
) -> None:
    engine = pages.as_query_engine(llm=make(context_window=8000), response_mode=mode)
    assert str(engine.query(ASKED))
    check(kimi, 8000, 2000)
    assert not any("max_completion_tokens" in request.body for request in kimi.requests)


@pytest.mark.parametrize("mode", WORDLESS, ids=lambda mode: mode.value)
def test_modes_that_ask_nothing_take_a_small_window(
    make: Callable[..., KimiLLM], pages: SummaryIndex, kimi: LocalKimi, mode: ResponseMode
) -> None:
    Settings.llm = make(context_window=8000)
    assert pages.as_query_engine(response_mode=mode).query(ASKED).source_nodes
    assert kimi.requests == []


@pytest.mark.parametrize(
    ("window", "streaming"), [(3900, False), (4096, True), (8192, False), (16_000, True), (32_000, False)]
)
def test_a_window_that_is_set_for_all_of_llama_index_is_kept(
    make: Callable[..., KimiLLM], pages: SummaryIndex, kimi: LocalKimi, window: int, streaming: bool
) -> None:
    Settings.llm = make()
    Settings.context_window = window
    answer = pages.as_query_engine(response_mode=ResponseMode.COMPACT, streaming=streaming).query(ASKED)
    assert "41 metres" in ("".join(answer.response_gen) if streaming else str(answer))
    check(kimi, window, 3072)


ORDERS: dict[str, Callable[[Callable[..., KimiLLM], int], None]] = {}


def order(fill: Callable[[Callable[..., KimiLLM], int], None]) -> Callable[[Callable[..., KimiLLM], int], None]:
    ORDERS[fill.__name__.replace("_", " ")] = fill
    return fill


@order
def the_window_after_the_model(make: Callable[..., KimiLLM], window: int) -> None:
    Settings.llm = make()
    Settings.context_window = window


@order
def the_window_before_the_model(make: Callable[..., KimiLLM], window: int) -> None:
    Settings.context_window = window
    Settings.llm = make()


@order
def a_window_of_the_model(make: Callable[..., KimiLLM], window: int) -> None:
    Settings.llm = make(context_window=window)


@order
def a_smaller_window_after_that_of_the_model(make: Callable[..., KimiLLM], window: int) -> None:
    Settings.llm = make(context_window=16_000)
    Settings.context_window = window


@order
def a_window_below_the_limit_of_answers(make: Callable[..., KimiLLM], window: int) -> None:
    Settings.llm = make(max_tokens=8000)
    Settings.context_window = window


@order
def the_windows_of_both_helpers(make: Callable[..., KimiLLM], window: int) -> None:
    Settings.llm = make()
    Settings.context_window = Settings.chat_context_window = window


@pytest.mark.parametrize("mode", [ResponseMode.COMPACT, ResponseMode.TREE_SUMMARIZE], ids=lambda mode: mode.value)
@pytest.mark.parametrize("window", [1500, 3500])
@pytest.mark.parametrize("fill", ORDERS.values(), ids=ORDERS)
def test_a_very_small_window_is_kept_whenever_it_is_set(
    make: Callable[..., KimiLLM], kimi: LocalKimi, fill: Any, window: int, mode: ResponseMode
) -> None:
    fill(make, window)
    pages = SummaryIndex.from_documents([Document(text=FACT * 150)])
    assert "41 metres" in str(pages.as_query_engine(response_mode=mode).query(ASKED))
    check(kimi, window, window // 8)


def test_a_small_window_with_a_template_of_ones_own_is_kept(make: Callable[..., KimiLLM], kimi: LocalKimi) -> None:
    the_window_after_the_model(make, 1500)
    template = PromptTemplate("{context_str}\nAnswer in the words of the text, and in nothing else: {query_str}")
    pages = SummaryIndex.from_documents([Document(text=FACT * 150)])
    assert "41 metres" in str(pages.as_query_engine(text_qa_template=template).query(ASKED))
    check(kimi, 1500, 375)


def test_what_the_user_reserves_for_answers_stays(make: Callable[..., KimiLLM]) -> None:
    Settings.llm = make()
    Settings.context_window, Settings.num_output = 2000, 1800
    assert Settings.llm.metadata.num_output == 3072
    assert Settings.num_output == 1800


SMALL: dict[str, tuple[dict[str, Any], int, int]] = {
    "a window of the model": ({"context_window": 16_000}, 16_000, 3072),
    "a small window of the model": ({"context_window": 4096}, 4096, 1024),
    "a fact about the host": ({"overrides": {"context": 32_000}}, 32_000, 3072),
    "with a limit": ({"context_window": 16_000, "max_tokens": 9000}, 16_000, 9000),
    "a limit among the further fields": (
        {"context_window": 16_000, "additional_kwargs": {"max_tokens": 9000}},
        16_000,
        9000,
    ),
    "a limit as large as the window": ({"context_window": 16_000, "max_tokens": 16_000}, 16_000, 14_000),
    "a limit beyond a small window": ({"context_window": 4096, "max_tokens": 32_768}, 4096, 3072),
    "a limit beyond the window": ({"overrides": {"context": 16_000}, "max_tokens": 32_768}, 16_000, 14_000),
}


@pytest.mark.parametrize(("given", "window", "answer"), SMALL.values(), ids=SMALL)
def test_what_is_left_for_the_answer_fits_into_the_window(
    make: Callable[..., KimiLLM], pages: SummaryIndex, kimi: LocalKimi, given: Any, window: int, answer: int
) -> None:
    llm = make(**given)
    assert (llm.metadata.context_window, llm.metadata.num_output) == (window, answer)
    result = asyncio.run(pages.as_query_engine(llm=llm, response_mode=ResponseMode.COMPACT).aquery(ASKED))
    assert "41 metres" in str(result)
    check(kimi, window, answer)


@pytest.mark.parametrize(
    ("given", "limit"), [({}, None), ({"max_tokens": 32_768}, 32_768)], ids=["no limit", "a limit"]
)
def test_the_window_changes_nothing_of_what_is_sent(
    make: Callable[..., KimiLLM], kimi: LocalKimi, given: Any, limit: int | None
) -> None:
    make(context_window=16_000, **given).complete("Hi")
    assert kimi.requests[-1].body.get("max_completion_tokens") == limit


class Height(BaseModel):
    """A height."""

    metres: int


def test_an_engine_of_objects_keeps_to_the_window(
    make: Callable[..., KimiLLM], pages: SummaryIndex, kimi: LocalKimi
) -> None:
    kimi.enqueue(text='{"metres": 41}')
    llm = make(context_window=4096).as_structured_llm(Height)
    engine = pages.as_query_engine(llm=llm, response_mode=ResponseMode.SIMPLE_SUMMARIZE)
    assert engine.query(ASKED).response == Height(metres=41)
    check(kimi, 4096, 1024)


@pytest.mark.parametrize("helper", [PromptHelper, ChatPromptHelper])
def test_a_large_window_is_filled_but_for_the_answer(make: Callable[..., KimiLLM], helper: Any) -> None:
    given, limited = (helper.from_llm_metadata(make(**words).metadata) for words in ({}, {"max_tokens": 32_768}))
    assert given.context_window - given.num_output == 262_144 - 3072
    assert limited.context_window - limited.num_output == 262_144 - 32_768


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_without_room_is_refused(make: Callable[..., KimiLLM], window: int) -> None:
    with pytest.raises(ValueError, match="context_window"):
        make(context_window=window)
