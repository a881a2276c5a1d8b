"""The schemas of a request, of its tools and of its output, in the dialect of its host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from kimi_core import schema
from kimi_core.errors import MessageError
from kimi_core.hosts.profile import Profile
from kimi_core.quoting import quoted
from kimi_core.types import Request


class WireSchema(NamedTuple):
    """A schema as the host takes it: its text, and the names of its properties where they had to be changed."""

    text: bytes
    names: schema.PropertyNames | None


@lru_cache(maxsize=1024)
def _written(raw: bytes, dialect: Any, what: str) -> WireSchema:
    """Write a schema in a host's dialect; cached, since tools come again with every call."""
    names = schema.written(schema.read(raw), dialect, tool=what == "tool")
    return WireSchema(to_json(names.schema), names if names.originals else None)


def _for_host(value: Mapping[str, Any], profile: Profile, what: str, name: str) -> WireSchema:
    try:
        return _written(schema.as_json(value), profile.host.structured.schema, what)
    except schema.SchemaError as error:
        label = f"{'tool' if what == 'tool' else 'the output'} {quoted(name)}"
        raise MessageError(f"The schema of {label} cannot be expressed for {profile.where}: {error}") from error


def wire_schema(value: Mapping[str, Any], profile: Profile, what: str, name: str) -> Any:
    """Return a schema in the host's dialect; `what` is `tool` or `output`, `name` what that is called.

    Raises:
        MessageError: If the schema cannot be expressed in the dialect; the error names what it is the schema of.
    """
    return from_json(_for_host(value, profile, what, name).text)


class RequestSchemas(NamedTuple):
    """The schemas of one request.

    Attributes:
        tools: That of each tool; None where it has none.
        arguments: Tool -> names of its properties, where some are called otherwise on the wire.
        output: That of the answer; None where it has none.
    """

    tools: Sequence[WireSchema | None] = ()
    arguments: Mapping[str, schema.PropertyNames] = {}
    output: WireSchema | None = None


NO_SCHEMAS: Final = RequestSchemas()


def request_schemas(request: Request, profile: Profile) -> RequestSchemas:
    """Write the schemas of a request in the dialect of its host.

    Raises:
        MessageError: If one cannot be expressed in the dialect; the error names what it is the schema of.
    """
    tools = [
        None if tool.type == "builtin_function" else _for_host(tool.parameters or {}, profile, "tool", tool.name)
        for tool in request.tools
    ]
    given = zip(request.tools, tools, strict=True)
    arguments = {tool.name: shape.names for tool, shape in given if shape is not None and shape.names}
    written: WireSchema | None = None
    if (output := request.output) is not None and output.method != "json_object":
        written = _for_host(output.schema or {}, profile, "output", output.name)
    return RequestSchemas(tools, arguments, written)
