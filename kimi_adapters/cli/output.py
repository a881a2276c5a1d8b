"""What commands have in common: JSON that steers no terminal, notes on standard error, exit codes."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from kimi_core.errors import KimiError, KimiWarning

FAILED: Final = 1
"""The exit code of a command that did not get what was asked for."""
WRONG: Final = 2
"""That of a command that was written wrongly."""
INTERRUPTED: Final = 130
"""That of Ctrl-C."""

_STEERING = re.compile(r"[\x7f-\x9f\ud800-\udfff]")
_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE)


def as_json(value: Any, *, indent: int | None = 2) -> str:
    """Return JSON in one text; what steers terminals, and half characters, are escapes in it."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def write_json(value: Any, *, indent: int | None = 2) -> None:
    """Print JSON to standard output."""
    sys.stdout.write(as_json(value, indent=indent) + "\n")
    sys.stdout.flush()


def note(text: str, style: str = "dim") -> None:
    """Print something beside the result, to standard error."""
    from rich.console import Console
    from rich.text import Text

    from kimi_adapters.notebook.wording import clean

    Console(stderr=True, highlight=False).print(Text(clean(text), style=style), soft_wrap=True)


def finished(work: Callable[[], int]) -> int:
    """Do a command's work; return its exit code. An error is one sentence, a warning a note."""
    try:
        with noted_warnings():
            return work()
    except KeyboardInterrupt:
        return INTERRUPTED
    except KimiError as error:
        note(str(error), "red")
        return FAILED


@contextmanager
def noted_warnings() -> Iterator[None]:
    """Show the warnings of a call as notes."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always", KimiWarning)
        try:
            yield
        finally:
            for one in given:
                note(str(one.message), "yellow")


@contextmanager
def safe_to_close() -> Iterator[None]:
    """End quietly when nobody reads the output any more, and with one sentence when it cannot be written.

    Raises:
        SystemExit: In place of the error, with the exit code 1.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # what is left fails here, and not while Python ends
    except OSError as error:
        if error.errno not in _CANNOT_WRITE or error.filename is not None:
            raise
        _to_nowhere(sys.stdout)
        with suppress(OSError):
            if error.errno != errno.EPIPE:
                sys.stderr.write(f"The output cannot be written: {error.strerror}.\n")
            sys.stderr.flush()
        raise SystemExit(FAILED) from None


def _to_nowhere(stream: Any) -> None:
    """Let a stream that failed swallow what is left in its buffer."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
