"""Replaces tool names that Moonshot refuses with names that it takes."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2s
from typing import Final

from kimi_core.types import is_builtin

LONGEST: Final = 64
"""Most characters of a tool's name."""

# Moonshot's chat API page: `^[a-zA-Z_][a-zA-Z0-9-_]{2,63}$`. Newer pages allow 1 to 128 characters; this is what
# both allow.
_LEGAL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{2,63}", re.ASCII)


def safe_names(names: Sequence[str]) -> dict[str, str]:
    """Return for each tool name the name to send instead.

    A name that the server takes is sent as it is, and so is one that starts with `$`, which is a builtin function of
    Moonshot's. Others are spelled with the characters allowed; a short hash is added when that loses letters, or when
    another tool would get the same name. No two tools get the same name, and a name does not depend on names that are
    spelled differently.

    Args:
        names: The names of all tools of one request; repeated ones count once.

    Returns:
        The names to send by the original names, in the order given.
    """
    safe = {name: name for name in dict.fromkeys(names)}
    taken = {name for name in safe if is_legal(name)}
    spelled = {name: _spell(name) for name in safe if name not in taken}
    wanted = Counter(spelled.values())
    for name in sorted(spelled):
        exact = wanted[spelled[name]] == 1 and not _loses_letters(name) and len(spelled[name]) <= LONGEST
        safe[name] = _free(name, spelled[name], taken, exact=exact)
        taken.add(safe[name])
    return safe


def is_legal(name: str) -> bool:
    """Return whether the server takes the name as it is."""
    return is_builtin(name) or _LEGAL.fullmatch(name) is not None


def _spell(name: str) -> str:
    """Return the name in the characters allowed; different names may be spelled the same."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    spelled = re.sub(r"[^a-zA-Z0-9_-]+", "_", plain).strip("_-")
    starts_well = spelled[:1].isalpha() and len(spelled) >= 3
    return spelled if starts_well else f"tool_{spelled}".rstrip("_")


def _loses_letters(name: str) -> bool:
    """Return whether a letter or digit of the name has no counterpart in ASCII."""
    decomposed = unicodedata.normalize("NFKD", name)
    return any(character.isalnum() and not character.isascii() for character in decomposed)


def _free(name: str, spelled: str, taken: set[str], *, exact: bool) -> str:
    candidate, attempt = spelled, 0
    while candidate in taken or not (exact or attempt):
        attempt += 1
        mark = blake2s(f"{attempt}:{name}".encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
        candidate = f"{spelled[: LONGEST - len(mark) - 1]}_{mark}"
    return candidate
