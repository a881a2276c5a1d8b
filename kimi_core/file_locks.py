"""Files that one program at a time may use."""

from __future__ import annotations

from typing import IO, Any


def lock(file: IO[Any]) -> None:
    """Keep a file for this program until it is closed, where platform and file system can do that.

    Raises:
        BlockingIOError: If another has it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return
