"""Where reasoning comes and how it goes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DETAILS = "reasoning_details"
"""The key of reasoning that is an array."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReasoningRules:
    """Where reasoning comes and how it goes back.

    Attributes:
        keys_in: Keys under which reasoning arrives, first that holds text wins. `reasoning_details` is read as
            the array it is, beside the text of another key.
        key_out: Key under which it goes back. `observed` repeats the key it came under, with the details beside
            it; `reasoning_details` sends these in its place, and the text under the first key when there are none.
            Empty: it does not go back.
        think_tags: Where `<think>…</think>` in the text of an answer is a thought: nowhere (`no`), when the answer
            begins with it (`leading`), `anywhere`, or the answer begins inside it, since the opening tag is part of
            the prompt (`opened`).
        required: It refuses assistant turns with tool calls that lack their reasoning.
        required_when_kept: While the reasoning of all turns is kept in view, it refuses any assistant turn without
            the field; an empty text will do where no tools are called.
        blank: Stands in for reasoning that a foreign history lacks; None leaves it out.
    """

    keys_in: tuple[str, ...] = ("reasoning_content", "reasoning", DETAILS)
    key_out: str = "observed"
    think_tags: Literal["no", "leading", "anywhere", "opened"] = "leading"
    required: bool = False
    required_when_kept: bool = False
    blank: str | None = None
