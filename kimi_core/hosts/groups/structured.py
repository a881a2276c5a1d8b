"""The ways to a structured answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutputRules:
    """The ways to a structured answer, and the schemas that it may have.

    Attributes:
        schema: The schema dialect it takes, for tools as well.
        ways: Ways to a structured answer, best first.
        with_tools: Whether tools and a response format may go together. Where not, the schema wins and no tool
            is called, or the host refuses.
    """

    schema: Literal["mfjs", "json_schema"] = "json_schema"
    ways: tuple[Literal["json_schema", "function_calling", "json_object"], ...] = (
        "json_schema",
        "function_calling",
        "json_object",
    )
    with_tools: bool = True
