"""Kimi models in LangChain, from any host."""

try:
    # First, before anything of ours: in this order the same imports cost 5 % less (fewer passes of the garbage
    # collector).
    import langchain_core.language_models.chat_models  # noqa: F401
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"ChatKimi needs {missing.name}: pip install 'kimi-adapters[langchain]'", name=missing.name
    ) from missing

from kimi_core import __version__
from langchain_kimi._messages_in import prefill
from langchain_kimi._register import register
from langchain_kimi.chat_models import ChatKimi

__all__ = ["ChatKimi", "__version__", "prefill", "register"]
