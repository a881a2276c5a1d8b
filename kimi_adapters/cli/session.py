"""A conversation in a file, so that it can be gone on with: its texts, and what was sent with them.

The file has no settings, and so no key.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import platformdirs

from kimi_core.errors import ConfigError
from kimi_core.quoting import in_short, quoted
from kimi_core.transport.redaction import MASK
from kimi_core.types import DocumentPart, ImagePart, Message, Part, Reasoning, TextPart, VideoPart

_MARK: Final = "kimi-adapters chat"
_FORM: Final = 1
_NAME: Final = re.compile(r"[\w-][\w.-]{0,99}")
_KINDS: Final[dict[str, type[Any]]] = {
    "text": TextPart,
    "image": ImagePart,
    "video": VideoPart,
    "document": DocumentPart,
}


@dataclass(slots=True)
class Kept:
    """What a session's file has.

    Attributes:
        model: The model, as it was asked for.
        host: The host, as it was asked for; None for the one of the environment.
        system: What the model is told before everything else.
        messages: The turns that were answered.
    """

    model: str | None = None
    host: str | None = None
    system: str | None = None
    messages: Sequence[Message] = ()


def folder() -> Path:
    """Return where sessions with a name are kept: in the user's folder for what programs remember."""
    return platformdirs.user_state_path("kimi-adapters", appauthor=False) / "sessions"


def path_of(name: str) -> Path:
    """Return the file of a session: a path as it is, a name in the folder of sessions.

    Raises:
        ConfigError: If it is neither.
    """
    if "/" in name or os.sep in name or name.endswith(".json"):
        return Path(name).expanduser()
    if not _NAME.fullmatch(name):
        raise ConfigError(f"--session takes a name of letters, digits, '-' and '_', or a path, not {quoted(name)}.")
    return folder() / f"{name}.json"


def latest() -> Path:
    """Return the file of the session that was used last.

    Raises:
        ConfigError: If there is none.
    """
    found = [*folder().glob("*.json")] if folder().is_dir() else []
    if not found:
        raise ConfigError(f"There is no session to continue in {folder()}. `--session NAME` keeps one.")
    return max(found, key=lambda path: path.stat().st_mtime_ns)


def load(path: Path) -> Kept | None:
    """Return what a session's file has; None when there is no such file.

    No path and no address in it is ever opened: a file may come from anybody.

    Raises:
        ConfigError: If it cannot be read, or is not the file of a session.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"The session {in_short(path)} cannot be read: {error.strerror}.") from None
    try:
        return _kept(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ConfigError(f"{in_short(path)} is not a session of `kimi-adapters chat`.") from None


def save(path: Path, kept: Kept, key: str = "") -> bool:
    """Write a session's file, whole or not at all; only its owner may read it.

    Args:
        path: The file.
        kept: What it is to have.
        key: The key in use; where it stands in a text, the file has `[redacted]`.

    Returns:
        Whether the key stood in it.

    Raises:
        ConfigError: If it cannot be written; what was there before is still there.
    """
    known = {
        "what": _MARK,
        "form": _FORM,
        "model": kept.model,
        "host": kept.host,
        "system": kept.system,
        "messages": [_written(message) for message in kept.messages],
    }
    text, secret = json.dumps(known, indent=1), json.dumps(key)[1:-1]
    leaks = bool(secret) and secret in text
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # with the mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text.replace(secret, MASK) if leaks else text)
            os.replace(new, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(new)
            raise
    except OSError as error:
        raise ConfigError(f"The session {in_short(path)} cannot be kept: {error.strerror or error}.") from None
    return leaks


# ------------------------------------------------------------------------------------------------- one message


def _written(message: Message) -> dict[str, Any]:
    content: Any = message.content
    if not isinstance(content, str):
        content = [{"type": _kind(part), **asdict(part)} for part in content]
    shown: dict[str, Any] = {"role": message.role, "content": content}
    if message.reasoning is not None:
        shown["reasoning"] = asdict(message.reasoning)
    return shown | ({"refusal": message.refusal} if message.refusal else {})


def _kind(part: Part) -> str:
    return next(kind for kind, made in _KINDS.items() if type(part) is made)


def _kept(known: Any) -> Kept:
    if known["what"] != _MARK or known["form"] != _FORM:
        raise ValueError
    given = {name: known[name] for name in ("model", "host", "system")}
    if not all(value is None or isinstance(value, str) for value in given.values()):
        raise TypeError
    messages = tuple(map(_message, known["messages"]))
    if any(message.role != ("user", "assistant")[at % 2] for at, message in enumerate(messages)) or len(messages) % 2:
        raise ValueError
    return Kept(**given, messages=messages)


def _message(known: Any) -> Message:
    content = known["content"]
    if not isinstance(content, str):
        content = tuple(_parts(content))
    thought = known.get("reasoning")
    reasoning = None
    if thought is not None:
        key = thought["key"] if thought["key"] is None else _text(thought["key"])
        reasoning = Reasoning(_text(thought["text"]), key, tuple(thought["details"]))
    return Message(known["role"], content, reasoning, refusal=_text(known.get("refusal", "")))


def _parts(known: Any) -> Iterator[Part]:
    for one in known:
        kind, given = one["type"], {name: value for name, value in one.items() if name != "type"}
        if not all(value is None or isinstance(value, str) for value in given.values()):
            raise TypeError
        if kind != "text" and not given["url"].startswith("data:"):
            raise ValueError
        yield _KINDS[kind](**given)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
