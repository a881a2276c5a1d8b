"""TypedDicts as pydantic models: for their JSON schema, and to hold answers against them.

LangChain's own conversion forgets that a key may be None or missing, and gives up on recursive ones.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from functools import lru_cache
from types import UnionType
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import BaseModel, Field, create_model
from typing_extensions import ReadOnly, is_typeddict

_QUALIFIERS = (Required, NotRequired, ReadOnly)


@lru_cache(maxsize=256)
def as_model(typed_dict: type) -> type[BaseModel]:
    """Return a model of the same keys.

    A key's annotation may hold more, as in LangChain: `Annotated[int, default, description]`, where `...` means
    no default.
    """
    making = _Making()
    model = making.model(typed_dict)
    for made in making.models.values():
        made.model_rebuild(_types_namespace=making.models)
    return model


class _Making:
    """One conversion: models by the names under which TypedDicts that are not finished yet refer to them."""

    def __init__(self) -> None:
        self.models: dict[str, type[BaseModel]] = {}
        self._names: dict[type, str] = {}

    def model(self, typed_dict: type) -> type[BaseModel]:
        name = self._names[typed_dict] = f"{typed_dict.__name__}_{len(self._names)}"
        # Named by alias, so that a key may be any text, and the name of one of pydantic's methods too.
        fields = {f"field_{i}": field for i, field in enumerate(self._fields(typed_dict))}
        made: type[BaseModel] = create_model(typed_dict.__name__, __doc__=typed_dict.__doc__, **fields)  # type: ignore[call-overload]
        self.models[name] = made
        return made

    def _fields(self, typed_dict: type) -> Iterator[tuple[Any, Any]]:
        required: frozenset[str] = typed_dict.__required_keys__  # type: ignore[attr-defined]
        for key, hint in get_type_hints(typed_dict, include_extras=True).items():
            hint, needed = _unqualified(hint, key in required)
            described = _described(hint.__metadata__) if get_origin(hint) is Annotated else {}
            if not needed and "default" not in described:
                described["default_factory"] = lambda: None
            yield self._replaced(hint), Field(alias=key, **described)

    def _replaced(self, hint: Any) -> Any:
        """Return a type with models in the places of TypedDicts."""
        if is_typeddict(hint):
            name = self._names.get(hint)
            return self.model(hint) if name is None else self.models.get(name, ForwardRef(name))
        origin, parts = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return Annotated[(self._replaced(parts[0]), *parts[1:])]
        replaced = parts if origin in (Literal, None) else tuple(map(self._replaced, parts))
        if replaced == parts:
            return hint
        return (Union if origin is UnionType else origin)[replaced]


def _unqualified(hint: Any, needed: bool) -> tuple[Any, bool]:
    """Return the type inside `Required`, `NotRequired` and `ReadOnly`, and whether the key must be there."""
    while (origin := get_origin(hint)) in _QUALIFIERS:
        needed = needed if origin is ReadOnly else origin is Required
        (hint,) = get_args(hint)
    return hint, needed


def _described(metadata: tuple[Any, ...]) -> dict[str, Any]:
    """Return a description, and the default before it. What else an annotation has is pydantic's."""
    match metadata:
        case (str(description),) | (builtins.Ellipsis, str(description), *_):
            return {"description": description}
        case (default, str(description), *_):
            return {"description": description, "default": default}
    return {}
