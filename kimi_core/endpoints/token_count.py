"""A host's own estimate of a prompt's tokens."""

from __future__ import annotations

from typing import Any

from kimi_core.codecs import WireRequest
from kimi_core.codecs.error_mapping import MALFORMED
from kimi_core.endpoints.paths import path_of
from kimi_core.errors import DecodeError, make
from kimi_core.hosts.profile import Profile
from kimi_core.quoting import in_short


def request(profile: Profile, wire: WireRequest) -> WireRequest:
    """Return what asks for the tokens of a request that is ready to be sent.

    Raises:
        UnsupportedError: If the host has no such endpoint.
    """
    path = path_of("count_tokens", profile, "has no endpoint that counts tokens")
    return WireRequest(path=path, body={"model": profile.model_id, "messages": wire.body["messages"]})


def read(body: Any, profile: Profile) -> int:
    """Return the count in an answer.

    Raises:
        DecodeError: If there is none.
    """
    try:
        return int(body["data"]["total_tokens"])
    except MALFORMED:
        text = f"{profile.where} answered something that is no count of tokens: {in_short(body)!r}."
        raise make(DecodeError, text, host=profile.host.name, model=profile.model_id, body=body) from None
