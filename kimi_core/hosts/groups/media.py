"""What a host reads beside text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kimi_core.hosts.groups.pattern import Pattern


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MediaRules:
    """What a host reads beside text, and which files it keeps.

    Attributes:
        kinds: What it reads, where it reads less than the model could; None for all of the model's.
        urls: Kinds of media URL it takes: `data`, `ms` (uploaded file), `http`.
        inline_limit: Bytes of `data:` URLs that one request may hold beside its text; None when unknown.
        file_purposes: What files may be uploaded for.
        file_limit: Largest file in bytes; None when unknown.
        foreign_files: Regular expression of ids that are another provider's, and none of its own files. In a tool's
            result or a model's message such a file is left out; in the user's own it goes as it was given.
    """

    kinds: frozenset[Literal["image", "video"]] | None = None
    urls: frozenset[Literal["data", "ms", "http"]] = frozenset({"data", "http"})
    inline_limit: int | None = None
    file_purposes: tuple[str, ...] = ()
    file_limit: int | None = None
    foreign_files: Pattern | None = None
