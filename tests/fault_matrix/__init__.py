"""What a host may do wrong, and what comes of it: a table that tests hold and the documentation shows.

Plain data, so that the documentation can read it without the tests.
"""

from __future__ import annotations

from collections.abc import Mapping

from .bodies import CALLS, ERRORS, NOT_JSON, SHAPES
from .connections import BODIES_OF_HTTP, CONNECTIONS
from .fault import Fault, Outcome
from .server import HEADER, FaultyServer, faulty_server
from .statuses import HEADERS, PAGES, REDIRECTS, STATUSES, TYPES
from .streams import CUTS, ENDS, ERROR_FRAMES, FORMS, FRAMES, STALLS, STREAMED_CALLS

KINDS: Mapping[str, tuple[Fault, ...]] = {
    "The connection": CONNECTIONS,
    "Lengths and encodings": BODIES_OF_HTTP,
    "HTTP statuses": STATUSES,
    "Bodies of errors": PAGES,
    "Redirects": REDIRECTS,
    "Headers": HEADERS,
    "Content types": TYPES,
    "Bodies that are no answer": NOT_JSON,
    "Errors in place of an answer": ERRORS,
    "Bodies of another shape": SHAPES,
    "Calls of tools": CALLS,
    "Streams that are cut": CUTS,
    "Streams that fall silent": STALLS,
    "Errors inside a stream": ERROR_FRAMES,
    "How a stream is written": FORMS,
    "How a stream ends": ENDS,
    "Frames of another shape": FRAMES,
    "Pieces of calls": STREAMED_CALLS,
}

__all__ = ["HEADER", "KINDS", "Fault", "FaultyServer", "Outcome", "faulty_server"]
