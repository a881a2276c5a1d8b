"""Rules for schemas that contain themselves."""

from __future__ import annotations

from typing import Any

from tests.schema_table.rows import NULL, STRING, Rule, of, ref, with_definitions


def node(*required: str, **properties: Any) -> dict[str, Any]:
    """Return an object with some properties, of which some are required."""
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def lists(items: Any, **more: Any) -> dict[str, Any]:
    """Return an array of something."""
    return {"type": "array", "items": items, **more}


_ME = {"$ref": "#"}

RECURSION = (
    Rule(
        "recursion that ends",
        "walle: an array ends where its items end, an object where any required property ends, a choice where any "
        "branch does; what is not needed by the root is not looked at",
        taken={
            "an optional step": with_definitions(of(ref("N"), required=["a"]), N=node(next=ref("N"))),
            "a step that may be null": with_definitions(
                of(ref("N"), required=["a"]), N=node("next", next={"anyOf": [ref("N"), NULL]})
            ),
            "null first": with_definitions(
                of(ref("N"), required=["a"]), N=node("next", next={"anyOf": [NULL, ref("N")]})
            ),
            "optional children": with_definitions(of(ref("N"), required=["a"]), N=node(children=lists(ref("N")))),
            "children beside a required value": with_definitions(
                of(ref("N"), required=["a"]), N=node("value", "children", value=STRING, children=lists(ref("N")))
            ),
            "a step beside a required value": with_definitions(
                of(ref("N"), required=["a"]), N=node("value", "next", value=STRING, next=ref("N"))
            ),
            "a choice of itself and a text": with_definitions(
                of(ref("N"), required=["a"]), N={"anyOf": [STRING, node("next", next=ref("N"))]}
            ),
            "two that lead to each other": with_definitions(
                of(ref("A"), required=["a"]), A=node(b=ref("B")), B=node(a=ref("A"))
            ),
            "an endless one that is optional": with_definitions(of(ref("N")), N=node("next", next=ref("N"))),
            "an endless one that nobody needs": with_definitions(
                of(STRING, required=["a"]), N=node("next", next=ref("N"))
            ),
            "a definition of itself that nobody needs": with_definitions(of(STRING), N=ref("N")),
            "endless lists that are optional": with_definitions(of(ref("T")), T=lists(ref("T"))),
            "the root, optional": node(child=_ME, name=STRING),
            "the root beside a required value": node("name", child=_ME, name=STRING),
            "the root in optional children": node(children=lists(_ME)),
            "the root in a choice": node("a", a={"anyOf": [NULL, node("next", next=_ME)]}),
            "further properties": {**of(STRING), "additionalProperties": _ME},
            "a list of a list of texts": with_definitions(
                of(ref("T"), required=["a"]), T=lists({"anyOf": [STRING, ref("T")]})
            ),
        },
    ),
    Rule(
        "recursion without end",
        "walle: `detected infinite recursion without termination condition`; that an array may be empty does not count",
        refused={
            "detected infinite recursion without termination condition": {
                "children": with_definitions(
                    of(ref("N"), required=["a"]), N=node("children", children=lists(ref("N")))
                ),
                "children of the root": node("items", items=lists(_ME)),
                "children beside an optional value": node("items", items=lists(_ME), name=STRING),
                "children with a count": node("items", items=lists(_ME, minItems=0)),
                "children of children": with_definitions(
                    of(ref("A"), required=["a"]), A=node("b", b=lists(ref("B"))), B=node("a", a=lists(ref("A")))
                ),
                "children through an object": with_definitions(
                    of(ref("A"), required=["a"]), A=node("b", b=ref("B")), B=node("a", a=lists(ref("A")))
                ),
                "lists of lists": with_definitions(of(ref("T"), required=["a"]), T=lists(ref("T"))),
                "lists of lists at the root": with_definitions(ref("T"), T=lists(ref("T"))),
                "a list of the root": {"type": "array", "items": _ME},
                "a choice of two lists": with_definitions(
                    of(ref("T"), required=["a"]), T={"anyOf": [lists(ref("T")), node("x", x=lists(ref("T")))]}
                ),
                "a step": with_definitions(of(ref("N"), required=["a"]), N=node("next", next=ref("N"))),
                "a step of the root": node("next", next=_ME),
                "a step and another": node("left", "right", left=_ME, right=_ME),
                "two that need each other": with_definitions(
                    of(ref("A"), required=["a"]), A=node("b", b=ref("B")), B=node("a", a=ref("A"))
                ),
                "children that must be there": node("items", items=lists(_ME, minItems=1)),
                "a choice of itself and its step": node("a", a={"anyOf": [_ME, node("next", next=_ME)]}),
                "a definition of itself": with_definitions(of(ref("N"), required=["a"]), N=ref("N")),
            }
        },
        inexpressible={
            "without end": (
                *("a step", "a step of the root", "a step and another", "two that need each other"),
                *("children that must be there", "a choice of itself and its step"),
                *("lists of lists at the root", "a list of the root", "a definition of itself"),
            ),
        },
    ),
)
