"""`kimi-adapters chat`: a conversation in a terminal, or one answer through a pipe."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kimi_adapters.cli import session
from kimi_adapters.cli.chat_view import JsonView, View
from kimi_adapters.cli.demo_target import Target, stand_in
from kimi_adapters.cli.output import noted_warnings
from kimi_adapters.cli.session import Kept
from kimi_core import FilePart, KimiClient, Message, Request, Response, ResponseBuilder, TextPart
from kimi_core.errors import ConfigError, KimiError, MissingKeyError
from kimi_core.hosts.profile import find_host
from kimi_core.media import documents, local_files
from kimi_core.quoting import in_short
from kimi_core.settings import DEFAULT_HOST, make_settings, require_key
from kimi_core.types import DocumentPart, Part

_COMMANDS = "/new begins a new conversation, /exit ends; Ctrl-C stops an answer."

_PATIENCE = 3.0
"""Seconds after which it is said what is waited for."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for; see `kimi-adapters chat --help`."""

    prompt: str | None = None
    images: Sequence[Path] | None = None
    files: Sequence[Path] | None = None
    system: str | None = None
    session: str | None = None
    go_on: bool = False
    host: str | None = None
    model: str | None = None
    base_url: str | None = None
    local: bool = False
    as_json: bool = False


def run(wish: Wish) -> int:
    """Answer the one question, or hold a conversation; return the exit code."""
    view = JsonView() if wish.as_json else View()
    by_hand = wish.prompt is None and _typed_by_hand()
    if by_hand and wish.as_json:
        view.note("--json answers one question: give -p, or a text through a pipe.", "red")
        return 2
    try:
        path, kept = _session(wish)
        kept = replace(
            kept,
            model=wish.model or kept.model or "kimi-k2.6",
            host=wish.host or kept.host,
            system=wish.system if wish.system is not None else kept.system,
        )
        parts = (*_read(wish.images or (), "image"), *_read(wish.files or (), "document"))
        with (
            target(kept.host, kept.model or "", wish.base_url, local=wish.local) as where,
            where.live(view.watched),
        ):
            # Who hands a document over wants it read.
            client = KimiClient(where.settings.model_copy(update={"documents": "extract"}))
            chat = Chat(client, view, kept, parts, path)
            return converse(chat, where) if by_hand else answer_once(chat, wish.prompt)
    except KeyboardInterrupt:
        return 130
    except KimiError as error:
        hint = " Without a key: kimi-adapters chat --local." if isinstance(error, MissingKeyError) else ""
        view.note(f"{error}{hint}", "red")
        return 1


@contextmanager
def target(host: str | None, model: str, base_url: str | None, *, local: bool) -> Iterator[Target]:
    """Yield the host that was asked for, or a local server in its place if that is wanted.

    Raises:
        MissingKeyError: If the host needs a key and there is none.
        ConfigError: If there is no such host, or no local server that stands in for it.
    """
    if local:
        with stand_in(find_host(host or DEFAULT_HOST), model) as place:
            yield place
        return
    settings = make_settings(host=host, base_url=base_url)
    require_key(settings)
    yield Target(settings, model)


def _session(wish: Wish) -> tuple[Path | None, Kept]:
    """Return the file of the session, None for none, and what it has.

    Raises:
        ConfigError: If one is to be continued that is not there, or its file is not one.
    """
    if wish.session is None and not wish.go_on:
        return None, Kept()
    path = session.path_of(wish.session) if wish.session is not None else session.latest()
    kept = session.load(path)
    if kept is None and wish.go_on:
        raise ConfigError(f"There is no session {in_short(path)}. Without --continue it is begun.")
    return path, kept or Kept()


def _read(paths: Iterable[Path], kind: Literal["image", "document"]) -> Iterator[Part]:
    """Yield files as parts of a question; what was handed over as a document is a picture where its bytes are one.

    Raises:
        MediaError: If one cannot be read, or is nothing that Kimi takes.
    """
    for path in paths:
        file = FilePart(path, kind)
        part = local_files.to_part(file, local_files.load(file))
        yield documents.normalized(part) if isinstance(part, DocumentPart) else part


def _typed_by_hand() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


@dataclass(slots=True)
class Chat:
    """A conversation so far.

    Attributes:
        client: Who is asked.
        view: Where it is shown.
        kept: Model and system message, and the turns that were answered.
        parts: Pictures and documents that go with the next question.
        path: The file in which it is kept; None for none.
    """

    client: KimiClient
    view: View
    kept: Kept
    parts: tuple[Part, ...] = ()
    path: Path | None = None

    @property
    def model(self) -> str:
        """The model."""
        return self.kept.model or ""

    def ask(self, text: str) -> None:
        """Ask, show the answer as it comes, and keep both; what came of an answer that is interrupted is kept as well.

        Raises:
            KimiError: If the call failed; the question is not kept. If the session cannot be kept; both are remembered.
            KeyboardInterrupt: If the user stopped it.
        """
        question = self._question(text)
        start = [Message("system", self.kept.system)] if self.kept.system else []
        request = Request(messages=[*start, *self.kept.messages, question], model=self.model)
        builder = ResponseBuilder()
        self.view.begin()
        with noted_warnings():
            try:
                with closing(self.client.stream(request)) as events:
                    for event in events:
                        builder.add(event)
                        self.view.show(event)
            except KeyboardInterrupt:
                self._keep(question, builder.response())
                raise
            except BaseException:
                self.view.break_off()  # whatever it is: a terminal gets its cursor back
                raise
            self._keep(question, builder.response())

    def _keep(self, question: Message, answer: Response) -> None:
        """Keep question and answer; neither when nothing was said, since a host refuses a turn without content."""
        self.view.end(answer)
        if answer.text or answer.refusal:
            self.kept.messages = (*self.kept.messages, question, replace(answer.message, tool_calls=(), steps=()))
            self.parts = ()
            if self.path is not None and session.save(self.path, self.kept, self._key()):
                self.view.note("Your key stands in the conversation; the session does not have it.", "yellow")

    def _key(self) -> str:
        secret = self.client.settings.api_key
        return secret.get_secret_value() if secret else ""

    def _question(self, text: str) -> Message:
        return Message("user", (TextPart(text), *self.parts) if self.parts else text)


def answer_once(chat: Chat, prompt: str | None) -> int:
    """Answer a prompt, what comes through the pipe, or the one about the other; return the exit code."""
    piped = _piped(chat.view).strip()
    text = "\n\n".join(part for part in ((prompt or "").strip(), piped) if part)
    if not text:
        chat.view.note("Nothing was asked: give -p, or a text through a pipe.", "red")
        return 2
    chat.ask(text)
    return 0


def _piped(view: View) -> str:
    """Return what comes through the pipe, to its end; say so when that takes long, since it may never come."""
    if sys.stdin is None or _typed_by_hand():
        return ""
    told = threading.Timer(_PATIENCE, view.note, ["Reading from the pipe to its end; without one, give < /dev/null."])
    told.start()
    try:
        return sys.stdin.read()
    finally:
        told.cancel()


def converse(chat: Chat, where: Target) -> int:
    """Answer what is typed until the user leaves; return the exit code."""
    with suppress(ImportError):
        import readline  # noqa: F401  (makes lines editable)
    place = "a local server: rules, no model" if where.local else where.settings.base_url
    chat.view.note(f"{chat.model} at {place}. {_COMMANDS}")
    if chat.path is not None:
        before = len(chat.kept.messages) // 2
        chat.view.note(f"Kept in {chat.path}" + (f": {before} answered before." if before else "."))
    while (line := _line(chat.view)) is not None:
        if line == "/exit":
            break
        if line == "/new":
            chat.kept.messages = ()
        elif re.fullmatch(r"/\w+", line):
            chat.view.note(f"There is no {line}. {_COMMANDS}", "yellow")
        elif line:
            _turn(chat, line)
    chat.view.total()
    return 0


def _turn(chat: Chat, text: str) -> None:
    """Ask; neither an error nor Ctrl-C ends the conversation."""
    try:
        chat.ask(text)
    except KeyboardInterrupt:
        chat.view.note("Stopped.", "yellow")
    except KimiError as error:
        chat.view.note(str(error), "red")
    chat.view.note("")


def _line(view: View) -> str | None:
    """Return the next line; None at the end of the input, an empty one after Ctrl-C."""
    try:
        return input("› ").strip()
    except EOFError:
        view.note("")
        return None
    except KeyboardInterrupt:
        view.note("\n/exit or Ctrl-D ends the conversation.")
        return ""
