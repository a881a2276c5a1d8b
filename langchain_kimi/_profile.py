"""LangChain's model profile, from the core's rows."""

from __future__ import annotations

from typing import cast

from langchain_core.language_models import ModelProfile

from kimi_core.hosts.profile import Profile
from kimi_core.settings import Settings


def model_profile(profile: Profile, settings: Settings) -> ModelProfile:
    """What this model can do on this host, in LangChain's words (those that the installed version knows)."""
    host, model = profile.host, profile.model
    fetched = "http" in host.media_urls or settings.fetch_media is not False
    extracted = settings.documents == "extract" and "file-extract" in host.file_purposes
    facts = {
        "name": model.id,
        "status": "deprecated" if model.id in host.retired else "active",
        "max_input_tokens": model.context,
        "max_output_tokens": model.context,  # less the prompt
        "text_inputs": True,
        "image_inputs": "image" in profile.media,
        "image_url_inputs": fetched and "image" in profile.media,
        "video_inputs": "video" in profile.media,
        "audio_inputs": False,
        "pdf_inputs": extracted,
        "image_tool_message": host.tool_media and "image" in profile.media,
        "pdf_tool_message": extracted,
        "text_outputs": True,
        "image_outputs": False,
        "audio_outputs": False,
        "video_outputs": False,
        "reasoning_output": model.thinking != "never",
        "reasoning_effort_levels": list(model.efforts) if host.effort_field else [],
        "reasoning_effort_default": model.default_effort if host.effort_field else None,
        "tool_calling": True,
        "tool_call_streaming": True,
        "tool_choice": _forces(profile),
        "mid_conversation_system_messages": True,
        # An agent has tools and a format at once.
        "structured_output": "json_schema" in host.structured and host.tools_with_output,
        "attachment": bool(profile.media),
        "temperature": not host.pinned_sampling,
        "open_weights": model.open_weights,
    }
    known = ModelProfile.__annotations__
    return cast(ModelProfile, {k: v for k, v in facts.items() if k in known and v not in (None, [])})


def _forces(profile: Profile) -> bool:
    """Whether a tool can be forced, if need be without thinking."""
    host = profile.host
    instant = profile.thinks(False) is False and "required" in host.tool_choices_instant
    return instant or "required" in host.tool_choices_thinking
