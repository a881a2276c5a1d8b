"""What the documentation says of other classes is so, for those that are installed here (`compare/` has the others)."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from langchain_community.chat_models.moonshot import MoonshotChat
from langchain_core.language_models import BaseChatModel
from langchain_core.messages.block_translators import PROVIDER_TRANSLATORS
from langchain_moonshot import ChatMoonshot
from langchain_openai import ChatOpenAI
from peer_questions import PEERS, QUESTIONS

from kimi_adapters.local_server import LocalKimi
from kimi_core.option_hints import hint
from kimi_core.options import ALIASES, CONNECTION, OPTIONS
from langchain_kimi import ChatKimi
from llama_index_kimi import KimiLLM

pytestmark = pytest.mark.filterwarnings("ignore")
RECORD = Path(__file__).parent.parent / "docs" / "peers.json"
SAID: dict[str, Any] = json.loads(RECORD.read_text("utf-8"))
BOTH = {*CONNECTION, *OPTIONS, *ALIASES, "model"}
OURS = {peer: BOTH | {*(KimiLLM if peer == "OpenAILike" else ChatKimi).model_fields} for peer in SAID["options"]}


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_class_does_what_the_table_says(
    kimi: LocalKimi, question: str, peer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if peer != "ChatKimi":  # `ChatMoonshot` names the same provider, and would have its blocks made by ours
        monkeypatch.delitem(PROVIDER_TRANSLATORS, "moonshot")

    def make(**options: Any) -> BaseChatModel:
        return PEERS[peer](base_url=kimi.base_url, api_key=kimi.api_key, model="kimi-k2.6", max_retries=0, **options)

    try:
        QUESTIONS[question](make, kimi)
        done = True
    except Exception:
        done = False
    assert SAID["langchain"][question][peer] is done


def test_the_table_has_every_question_and_no_other() -> None:
    assert [*SAID["langchain"]] == [*QUESTIONS]
    assert all([*row] == [*PEERS] for row in SAID["langchain"].values())
    assert all(row["ChatKimi"] for row in SAID["langchain"].values())


@pytest.mark.parametrize("other", [ChatOpenAI, ChatMoonshot, MoonshotChat])
def test_the_options_of_a_class_are_those_that_its_page_lists(other: type[BaseChatModel]) -> None:
    told = SAID["options"][other.__name__]
    aliases = {field.alias for field in other.model_fields.values() if field.alias}
    assert {*told["options"]} == {*other.model_fields, *aliases} - {*BaseChatModel.model_fields}
    assert told["version"] == version(told["package"])


@pytest.mark.parametrize("peer", OURS)
def test_every_option_of_a_class_exists_here_or_is_answered(peer: str) -> None:
    assert [word for word in SAID["options"][peer]["options"] if word not in OURS[peer] and hint(word) is None] == []
