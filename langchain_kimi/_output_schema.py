"""What an answer is to be: every form of schema that `with_structured_output` takes, and what makes its instances."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from inspect import cleandoc
from typing import Any, TypeGuard, get_origin

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import TypeAdapter
from pydantic.v1 import BaseModel as BaseModelV1
from pydantic_core import to_json
from typing_extensions import is_typeddict

from kimi_core import structured_output
from kimi_core.errors import ConfigError
from kimi_core.quoting import in_short, quoted
from kimi_core.schema import wrapped
from kimi_core.schema.empty_lists import may_leave_out, with_empty_lists
from kimi_core.types import JsonObject
from langchain_kimi._typed_dict import as_model

# What comes out of adding two of these is neither of them, and LangChain adds up what a stream yields.
_ADDED_UP = (str, bytes, int, float, list, tuple, set, frozenset, type(None))


@dataclass(frozen=True)
class OutputSchema:
    """What an answer is to be.

    Attributes:
        name: Of the schema on the wire, and of the tool that has it.
        description: What the object is.
        schema: JSON Schema of the answer; None for any JSON.
        make: Makes an instance of a JSON value; raises `ValueError` when it does not fit.
        plain: An instance is the JSON value itself.
        wrapped: It is no object, so that a tool gives it inside of one.
    """

    name: str
    description: str
    schema: JsonObject | None
    make: Callable[[Any], Any]
    plain: bool = False
    wrapped: bool = False

    def part(self, value: Any) -> Any:
        """Return what an unfinished value yields; None while it is no instance yet, or cannot be one in parts."""
        if self.wrapped:
            value = structured_output.unwrapped(value)
        if self.plain:
            return value if isinstance(value, dict) else None
        try:
            made = self.make(value)
        except Exception:  # validators of the user's own expect whole values
            return None
        return None if isinstance(made, _ADDED_UP) else made


def output_schema_of(schema: Any) -> OutputSchema:
    """Return what an answer is to be by a schema in any of its forms.

    Raises:
        ConfigError: If it is no schema.
    """
    if schema is None:
        return OutputSchema("output", "", None, _as_it_is, plain=True)
    try:
        if isinstance(schema, str | bytes):  # pydantic would evaluate text as Python
            raise TypeError("Text is no type.")
        return _unwrapping(_filling(_shape_of(schema)))
    except Exception as error:  # of whatever kind: pydantic and LangChain ask the schema itself
        raise ConfigError(
            "with_structured_output takes a pydantic class, a TypedDict, a dataclass, any other type that pydantic "
            f"knows (such as list[Person]), a JSON schema, or a function or tool; not {quoted(schema, 200)}: "
            f"{in_short(error, 500)}"
        ) from None


def _shape_of(schema: Any) -> OutputSchema:
    if isinstance(schema, type) and issubclass(schema, BaseModelV1):
        return _named(schema, schema.schema(), partial(_of_v1, schema))
    if is_typeddict(schema):
        return _named(schema, as_model(schema).model_json_schema(), partial(_of_typed_dict, schema), plain=True)
    if isinstance(schema, Mapping) and _is_json_schema(schema):
        return _titled(dict(schema))
    if isinstance(schema, Mapping | BaseTool) or _is_function(schema):
        return _titled(convert_to_json_schema(dict(schema) if isinstance(schema, Mapping) else schema))
    return _named(schema, _adapter(schema).json_schema(), partial(_of_type, schema))


def _filling(shape: OutputSchema) -> OutputSchema:
    if shape.schema is None or not may_leave_out(shape.schema):
        return shape
    return replace(shape, make=partial(_of_filled, shape.make, shape.schema))


def _unwrapping(shape: OutputSchema) -> OutputSchema:
    if shape.schema is None or wrapped(shape.schema) is None:
        return shape
    return replace(shape, make=partial(_of_wrapped, shape.make), wrapped=True)


def _named(schema: Any, described: JsonObject, make: Callable[[Any], Any], *, plain: bool = False) -> OutputSchema:
    name = schema.__name__ if isinstance(schema, type) and get_origin(schema) is None else "output"
    # A recursive class only refers to itself there. A docstring that it inherits is not its own.
    text = vars(schema).get("__doc__") if "$ref" in described and isinstance(schema, type) else None
    return OutputSchema(name, described.get("description") or cleandoc(text or ""), described, make, plain)


def _titled(schema: JsonObject) -> OutputSchema:
    name = re.sub(r"[^a-zA-Z0-9_-]+", "_", str(schema.get("title") or "output"))[:64]
    return OutputSchema(name, str(schema.get("description") or ""), schema, partial(_of_schema, schema), plain=True)


def _is_function(schema: Any) -> TypeGuard[Callable[..., Any]]:
    return callable(schema) and not isinstance(schema, type) and get_origin(schema) is None


def _is_json_schema(schema: Mapping[str, Any]) -> bool:
    """Return whether a mapping is a schema itself, and not a function or tool that has one.

    LangChain's converter keeps nothing of a schema but its `properties`.
    """
    if schema.get("type") == "function" or "parameters" in schema or "input_schema" in schema:
        return False
    return not {"type", "properties", "anyOf", "oneOf", "allOf", "$ref", "enum"}.isdisjoint(schema)


def traced_schema(schema: Any, shape: OutputSchema) -> Any:
    """Return what LangChain shows in traces: its own conversion of what the user gave, where it has one."""
    if schema is None:
        return None
    function = {"name": shape.name, "description": shape.description, "parameters": shape.schema}
    for form in (schema, function, {**function, "parameters": {}}):
        with suppress(Exception):  # of whatever kind: it knows fewer forms than there are
            traced = form if form is function else convert_to_json_schema(form)
            convert_to_json_schema(traced)  # as LangChain does when it traces
            return traced
    return None


# ------------------------------------------------------------------------------------------------- instances


def _adapter(target: Any) -> TypeAdapter[Any]:
    """Return a type's adapter. `A | B` equals `B | A`, but of two that fit the first counts: their texts differ."""
    return _kept_adapter(target, str(target))


@lru_cache(maxsize=256)
def _kept_adapter(target: Any, _: str) -> TypeAdapter[Any]:
    return TypeAdapter(target)


def _of_wrapped(make: Callable[[Any], Any], value: Any) -> Any:
    return make(structured_output.unwrapped(value))


def _of_filled(make: Callable[[Any], Any], schema: JsonObject, value: Any) -> Any:
    return make(with_empty_lists(value, schema))


def _of_type(target: Any, value: Any) -> Any:
    # As JSON, since a class may be stricter about Python values than about those that JSON can hold.
    return _adapter(target).validate_json(to_json(value))


def _of_v1(target: type[BaseModelV1], value: Any) -> Any:
    return target.parse_obj(value)


def _of_typed_dict(target: type, value: Any) -> Any:
    as_model(target).model_validate_json(to_json(value), strict=True)
    return value


def _of_schema(schema: JsonObject, value: Any) -> Any:
    return structured_output.checked(value, schema)


def _as_it_is(value: Any) -> Any:
    return value
