"""Kimi models in LangChain, from any host."""

from kimi_core import __version__
from langchain_kimi.chat_models import ChatKimi

__all__ = ["ChatKimi", "__version__"]
