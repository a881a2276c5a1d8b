"""`kimi-adapters chat`: a conversation in a terminal, or one answer through a pipe."""

from __future__ import annotations

import re
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kimi_adapters.cli.chat_view import View
from kimi_adapters.cli.demo_target import Target, stand_in
from kimi_core import FilePart, KimiClient, Message, Request, Response, ResponseBuilder, TextPart
from kimi_core.errors import KimiError, KimiWarning, MissingKeyError
from kimi_core.hosts.profile import find_host
from kimi_core.settings import DEFAULT_HOST, make_settings, require_key

_COMMANDS = "/new begins a new conversation, /exit ends; Ctrl-C stops an answer."

_PATIENCE = 3.0
"""Seconds after which it is said what is waited for."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for; see `kimi-adapters chat --help`."""

    prompt: str | None = None
    images: Sequence[Path] = ()
    system: str | None = None
    host: str | None = None
    model: str = "kimi-k2.6"
    base_url: str | None = None
    local: bool = False


def run(wish: Wish) -> int:
    """Answer the one question, or hold a conversation; return the exit code."""
    view = View()
    try:
        with target(wish.host, wish.model, wish.base_url, local=wish.local) as where, where.live(view.watched):
            chat = Chat(KimiClient(where.settings), where.model, view, wish.system, tuple(wish.images))
            if wish.prompt is None and _typed_by_hand():
                return converse(chat, where)
            return answer_once(chat, wish.prompt)
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


def _typed_by_hand() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


@dataclass(slots=True)
class Chat:
    """A conversation so far.

    Attributes:
        client: Who is asked.
        model: The model.
        view: Where it is shown.
        system: What the model is told before everything else.
        images: Pictures that go with the next question.
        messages: The turns that were answered.
    """

    client: KimiClient
    model: str
    view: View
    system: str | None = None
    images: tuple[Path, ...] = ()
    messages: list[Message] = field(default_factory=list)

    def ask(self, text: str) -> None:
        """Ask, show the answer as it comes, and keep both; what came of an answer that is interrupted is kept as well.

        Raises:
            KimiError: If the call failed; the question is not kept.
            KeyboardInterrupt: If the user stopped it.
        """
        question = self._question(text)
        start = [Message("system", self.system)] if self.system else []
        request = Request(messages=[*start, *self.messages, question], model=self.model)
        builder = ResponseBuilder()
        self.view.begin()
        with self._warnings():
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
            self.messages += [question, answer.message]
            self.images = ()

    def _question(self, text: str) -> Message:
        if not self.images:
            return Message("user", text)
        return Message("user", (TextPart(text), *(FilePart(path, "image") for path in self.images)))

    @contextmanager
    def _warnings(self) -> Iterator[None]:
        """Show the warnings of a call as notes."""
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always", KimiWarning)
            try:
                yield
            finally:
                for one in given:
                    self.view.note(str(one.message), "yellow")


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
    while (line := _line(chat.view)) is not None:
        if line == "/exit":
            break
        if line == "/new":
            chat.messages.clear()
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
