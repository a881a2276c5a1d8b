"""langchain-tests' unit suite, unmodified. It calls no host, so modes of the server make no difference to it."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_kimi import ChatKimi
from tests.langchain_kimi.standard.modes import MODELS, OUTPUT_VERSIONS


@pytest.mark.usefixtures("loadable")
@pytest.mark.filterwarnings("ignore:The method `BaseChatModel.dict` was deprecated")  # the suite calls it
class KimiUnit(ChatModelUnitTests):
    """Every flag that Kimi supports is set."""

    model_id: str
    output_version: str

    chat_model_class = ChatKimi
    supports_json_mode = True
    supports_image_inputs = True
    supports_image_tool_message = True
    supports_video_inputs = True
    supports_anthropic_inputs = True

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": self.model_id, "output_version": self.output_version, "api_key": "test"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        env = {"MOONSHOT_API_KEY": "test", "MOONSHOT_BASE_URL": "https://kimi.example/v1"}
        params = {"model": self.model_id, "output_version": self.output_version}
        return env, params, {"api_key": "test", "base_url": "https://kimi.example/v1"}


for _model in MODELS[:2]:
    for _version in OUTPUT_VERSIONS:
        _name = f"Test{_model.id.title()}{_version.title()}".replace("-", "").replace(".", "")
        globals()[_name] = type(_name, (KimiUnit,), {"model_id": _model.id, "output_version": _version})
