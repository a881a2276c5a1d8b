"""Checks of options by their types in a table (`CallOptions`, `ConnectionOptions`), with pydantic's messages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from kimi_core.errors import ConfigError
from kimi_core.quoting import quoted

_BEGINNING = "Input should "


def check(table: type[BaseModel], given: Mapping[str, Any]) -> None:
    """Check values by the types of a table's fields. Nothing is converted: a text is no number, and 1 is not True.

    Args:
        table: The class whose fields are the options.
        given: Values by name; None is a value like others.

    Raises:
        ConfigError: If a value is not what its option takes.
    """
    for name, value in given.items():
        try:
            checked = _adapter(table, name).validate_python(value, strict=True)
        except ValidationError as error:
            raise _config_error(table, name, value, error) from None
        # pydantic takes whatever has a float in it (a Decimal); JSON and clocks do not.
        if isinstance(checked, float) and not isinstance(value, int | float):
            raise ConfigError(f"{name} must be a float or an int, got {quoted(value)}.")


@lru_cache(maxsize=256)
def _adapter(table: type[BaseModel], name: str) -> TypeAdapter[Any]:
    """Return what checks one option; made when the option is first given."""
    field = table.model_fields[name]
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True))


def _config_error(table: type[BaseModel], name: str, value: object, error: ValidationError) -> ConfigError:
    found = (one["msg"].removeprefix(_BEGINNING) for one in error.errors(include_url=False, include_input=False))
    ways = [way.removeprefix("be ") for way in dict.fromkeys(found)]
    shown = quoted(value) if table.model_fields[name].repr else type(value).__name__  # a header may be a secret
    return ConfigError(f"{name} must be {' or '.join(ways)}, got {shown}.")
