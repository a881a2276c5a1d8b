"""`examples/llama_index_scale`: ingestion in several processes, which is killed and goes on."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import llama_index.core
import pytest
from example_scripts import EXAMPLES
from llama_index.core.prompts import PromptTemplate

from kimi_adapters.local_server import LocalKimi

EXAMPLE = EXAMPLES / "llama_index_scale"
CANARY = "sk-canary-4711"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Its modules, which have common names, so that none is left behind."""
    monkeypatch.syspath_prepend(EXAMPLE)
    tokens = Path(llama_index.core.__file__).parent / "_static" / "tiktoken_cache"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tokens))  # the example sets it, if it is not set
    names = ("ask", "corpus", "ingest", "kept", "parts", "run")
    try:
        import corpus
        import ingest
        import kept
        import parts
        import run

        yield SimpleNamespace(corpus=corpus, ingest=ingest, kept=kept, parts=parts, run=run)
    finally:
        for name in names:
            sys.modules.pop(name, None)


@pytest.mark.filterwarnings("ignore:table_names:DeprecationWarning", "ignore:create_fts_index:DeprecationWarning")
def test_two_processes_ingest_and_answers_have_their_sources(
    example: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("MOONSHOT_API_KEY", "MOONSHOT_BASE_URL", "INGEST_USAGE", "KIMI_LIMITS_STORAGE"):
        monkeypatch.setenv(name, "")  # the example sets some of them, and they are set back
    assert example.run.main(["--documents", "4", "--searches", "10", "--answers", "2"]) == 0
    shown = capfd.readouterr()
    assert shown.err == ""
    assert "asked again: 0" in shown.out
    assert "hybrid: the passage is among the first 5 for 10 of 10 questions" in shown.out
    assert "answers with the right number and its source: 2 of 2" in shown.out


@pytest.mark.filterwarnings("ignore:table_names:DeprecationWarning")  # LlamaIndex's store asks LanceDB for them
@pytest.mark.parametrize("place", ["labels", "store"])
def test_an_ingestion_that_broke_off_goes_on_and_pays_nothing_twice(
    example: SimpleNamespace, kimi: LocalKimi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("MOONSHOT_BASE_URL", kimi.base_url)
    monkeypatch.setenv("MOONSHOT_API_KEY", kimi.api_key)
    begin = [str(tmp_path), "--documents", "2", "--workers", "1"]
    with monkeypatch.context() as broken:
        if place == "labels":
            broken.setattr(example.parts.RecordExtractor, "aextract", breaks_off)
        else:  # the chunks are in the vector store, and no document is known
            broken.setattr(example.parts.BatchedPipeline, "_update_docstore", breaks_off)
        with pytest.raises(BrokeOff):
            example.ingest.main(begin)
    example.ingest.main(begin)

    assert len(kimi.requests) == 2 * 8
    chunks = example.ingest.open_store(tmp_path).table.to_pandas()
    assert len(chunks) == 2 * (example.corpus.PASSAGES + 1)
    assert chunks["text"].is_unique
    example.ingest.main(begin)
    assert len(kimi.requests) == 2 * 8


class BrokeOff(Exception):
    """The process would have been killed here."""


def breaks_off(*_: object, **__: object) -> None:
    raise BrokeOff


def test_what_is_sent_to_workers_has_no_key(example: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", CANARY)
    monkeypatch.setenv("KIMI_LIMITS_STORAGE", f"redis://:{CANARY}@127.0.0.1/0")
    sent = pickle.dumps(example.ingest.steps(at_once=4, concurrency=4))
    assert b"KimiLLM" in sent or b"LabellingLLM" in sent
    assert CANARY.encode() not in sent


def test_what_another_object_has_put_is_found(example: SimpleNamespace, tmp_path: Path) -> None:
    store = example.kept.SQLiteKVStore(str(tmp_path / "kept"))
    other = pickle.loads(pickle.dumps(store))
    other.put("key", {"value": ["ä"]}, collection="cache")
    assert store.get("key", collection="cache") == {"value": ["ä"]}
    assert store.get("key") is None
    assert store.delete("key", collection="cache")
    assert other.get_all(collection="cache") == {}
    store.close()
    other.close()


async def test_an_answer_that_says_nothing_is_asked_for_again(example: SimpleNamespace, kimi: LocalKimi) -> None:
    llm = example.parts.LabellingLLM(base_url=kimi.base_url, api_key=kimi.api_key, thinking=False)
    kimi.enqueue(text="")
    kimi.enqueue(text="A title")
    assert await llm.apredict(PromptTemplate("Give a title.")) == "A title"
    assert len(kimi.requests) == 2
