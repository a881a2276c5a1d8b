"""Turns any JSON Schema into the subset that Moonshot's servers accept and can decode to.

Moonshot-flavoured JSON Schema (MFJS) is what the server checks tool parameters and response formats against;
a schema outside it answers 400 `… is not a valid moonshot flavored json schema`. The rules are those of the
server's own validator, MoonshotAI/walle (docs/mfjs-spec.md, docs/walle.md).

The result never forbids a value that the original allows, with three exceptions that guess what the author meant:
keywords that only make sense for one type imply that type where none is written; a root without keywords is an
object; and a tool that takes one of several objects takes one object with what they declare. It may allow more,
because the flavour cannot express everything. What it cannot express goes into the description for the model to
read; answers are to be validated against the original.

Choices where the flavour leaves one:

- A subschema that allows anything becomes an `anyOf` of the six types, because `{}` inside `properties` does
  not mean "anything" to the decoder; as `items` it is left out, as `additionalProperties` it is `true`.
- `default` moves into the description everywhere: the decoder does not know it, and becomes unstable with it.
- References are written out, because hosts answer 400 to a `$ref` when both it and its target have a description.
  Recursive ones stay, and so do all others when the schema would outgrow the server's limits without them.
- A list of types becomes an `anyOf`, the one form that takes other keywords as well.
- Names that no property may have are spelled otherwise; `PropertyNames` translates them both ways.
- A required property whose recursion the server cannot end (a list of the object itself) becomes optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from kimi_core.schema.compiler import Compiler
from kimi_core.schema.errors import NoSchemaError, NotAnObjectError, NoValueError, Outgrown, SchemaError
from kimi_core.schema.json_text import as_json, read
from kimi_core.schema.limits import check, used, within_limits
from kimi_core.schema.numbers import without_infinities
from kimi_core.schema.property_names import PropertyNames, spell_names
from kimi_core.schema.recursion import let_end
from kimi_core.schema.union import Atom, Choice, has_every_type, merge_objects, write

__all__ = [
    "Dialect",
    "JsonObject",
    "PropertyNames",
    "SchemaError",
    "as_json",
    "normalise",
    "read",
    "tool_parameters",
    "wrapped",
    "written",
]

JsonObject: TypeAlias = dict[str, Any]
Dialect: TypeAlias = Literal["mfjs", "json_schema"]

_SHAPING = ("type", "properties", "$ref", "allOf", "anyOf", "oneOf", "enum", "const")


def normalise(schema: Mapping[str, Any], dialect: Dialect = "mfjs") -> JsonObject:
    """Return the schema as a host of that dialect takes it; see `written`."""
    return dict(written(read(as_json(schema)), dialect).schema)


def tool_parameters(schema: Mapping[str, Any] | None, dialect: Dialect = "mfjs") -> JsonObject:
    """Return the schema as the parameters of a tool, which are always an object; see `written`."""
    return dict(written(read(as_json(schema or {})), dialect, tool=True).schema)


def written(schema: Mapping[str, Any], dialect: Dialect = "mfjs", *, tool: bool = False) -> PropertyNames:
    """Return the schema as a host of that dialect takes it, with the names of its properties there.

    Args:
        schema: Any JSON Schema, such as `Model.model_json_schema()`. It stays as it is.
        dialect: `mfjs` for Moonshot's flavour. `json_schema` for hosts that take the standard: only `$schema`
            and `$id` are left out, which some refuse, and a root without keywords becomes an object.
        tool: Whether it is the parameters of a tool, which are always an object.

    Raises:
        SchemaError: If the schema cannot be expressed, or describes no object where one is needed; the error says
            where and what to do.
    """
    if dialect == "mfjs":
        return _flavoured(schema, tool=tool)
    _demand_value(schema, tool=tool)
    standard = _standard(schema)
    if tool and standard.get("type", "object") != "object":
        raise _not_an_object(str(standard["type"]))
    return PropertyNames(standard, {})


def wrapped(schema: Mapping[str, Any]) -> JsonObject | None:
    """Return an object with the schema as its one property `value`; None when it describes an object already.

    For answers that are to come as the arguments of a tool, which are always an object.
    """
    if schema.get("type") == "object":
        return None
    try:
        tool_parameters(schema)
    except NotAnObjectError:
        outside = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
        inside = {key: value for key, value in schema.items() if key not in outside}
        return {"type": "object", "properties": {"value": inside}, "required": ["value"], **outside}
    except SchemaError:  # is raised where it is sent
        return None
    return None


def _demand_value(schema: Mapping[str, Any], *, tool: bool) -> None:
    """Raise for what is no schema, or one that nobody can answer in: servers break at it, each in its own way."""
    try:
        _flavoured(schema, tool=tool)
    except (NoSchemaError, NoValueError):
        raise
    except SchemaError:  # of no interest to a host that takes the standard
        return


def _standard(schema: Mapping[str, Any]) -> JsonObject:
    standard: JsonObject = without_infinities({k: v for k, v in schema.items() if k not in ("$schema", "$id")})
    if not any(key in standard for key in _SHAPING):
        standard["type"] = "object"
    if standard.get("type") == "object" or "properties" in standard:
        standard.setdefault("type", "object")
        standard.setdefault("properties", {})
    return standard


def _flavoured(schema: Mapping[str, Any], *, tool: bool) -> PropertyNames:
    try:
        try:
            return _assemble(Compiler(schema), tool=tool)
        except Outgrown:
            return _assemble(Compiler(schema, share=True), tool=tool)
    except Outgrown as problem:
        raise SchemaError((), str(problem)) from None
    except RecursionError:
        raise SchemaError((), "too many subschemas inside one another; flatten it.") from None


def _assemble(compiler: Compiler, *, tool: bool) -> PropertyNames:
    choice = compiler.root()
    definitions = {name: within_limits(node, ("$defs", name)) for name, node in compiler.definitions.items()}
    choice.atoms = [within_limits(atom) for atom in _written_out(choice.atoms, definitions)]
    if has_every_type(choice.atoms):
        choice.atoms = [{"type": "object"}]
    root = _as_parameters(choice) if tool else write(choice)
    if root is None:
        raise SchemaError((), "no value can satisfy it.")
    root = within_limits(root)
    if root.get("type") == "object":
        root.setdefault("properties", {})
    kept = used(root, definitions) if definitions else {}
    let_end(root, kept)
    if kept:
        root["$defs"] = kept
    names = spell_names(root)
    check(root)
    return PropertyNames(root, names)


def _written_out(atoms: list[Atom], definitions: Mapping[str, Atom]) -> list[Atom]:
    """Replace the references at the root, where hosts want to see the type itself."""
    seen: set[str] = set()
    result: list[Atom] = []
    waiting = list(atoms)
    while waiting:
        atom = waiting.pop(0)
        if "$ref" not in atom:
            result.append(atom)
        elif (name := atom["$ref"].removeprefix("#/$defs/")) not in seen:
            seen.add(name)
            waiting = [*definitions[name].get("anyOf", [definitions[name]]), *waiting]
    return result


def _as_parameters(choice: Choice) -> Atom | None:
    """Make one object of the choice. A null alternative is dropped: arguments are always an object."""
    atoms = [within_limits(atom) for atom in choice.atoms if atom != {"type": "null"}]
    others = [atom["type"] for atom in atoms if atom["type"] != "object"]
    if others or not atoms:
        raise _not_an_object(" or ".join(others) or "null")
    if len(atoms) > 1:
        choice.notes.append(f"one of these sets: {'; '.join(map(_set_of, atoms))}")
        atoms = [merge_objects(atoms)]
    return write(Choice(atoms, choice.title, choice.description, choice.notes))


def _set_of(atom: Atom) -> str:
    names = ", ".join(atom.get("required") or atom.get("properties", {}))
    return f"{atom.get('title', '')} ({names})".strip()


def _not_an_object(kind: str) -> NotAnObjectError:
    return NotAnObjectError(
        (),
        f"a tool's parameters must be an object, and this allows {kind}. "
        'Wrap it: {"type": "object", "properties": {"value": …}, "required": ["value"]}.',
    )
