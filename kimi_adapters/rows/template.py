"""A prompt with the names of columns in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from string import Formatter
from typing import Any

from kimi_core.errors import ConfigError
from kimi_core.quoting import did_you_mean, in_short, quoted


class Template:
    """A text such as `Say something about {topic}.`, filled from rows.

    What stands in braces is the name of a column and nothing else: no attribute, index, conversion or format, since
    rows are data. `{{` and `}}` are braces.

    Attributes:
        text: The text as it was given.
        columns: The names in it, in their order.
    """

    def __init__(self, text: str) -> None:
        """Read a text.

        Raises:
            ConfigError: If its braces are not closed, or something else than a name stands in them.
        """
        self.text = text
        try:
            self._parts = [*Formatter().parse(text)]
        except ValueError as error:
            raise ConfigError(
                f"The prompt {quoted(text)} cannot be read: {error}. Braces are written {{{{ }}}}."
            ) from None
        for _, name, form, conversion in self._parts:
            if name is not None and (not name or form or conversion):
                raise ConfigError(
                    f"In the prompt {quoted(text)} something else than a column stands in braces: write {{column}}, "
                    "and {{ and }} for braces."
                )
        self.columns = tuple(dict.fromkeys(name for _, name, _, _ in self._parts if name is not None))

    def check(self, columns: Iterable[str]) -> None:
        """Compare the names with the columns that there are.

        Raises:
            ConfigError: If one of them is none of these.
        """
        known = [*columns]
        for name in self.columns:
            if name not in known:
                raise ConfigError(
                    f"There is no column {quoted(name)}; there are {in_short(', '.join(known)) or 'none'}."
                    f"{did_you_mean(name, known)}"
                )

    def fill(self, row: Mapping[str, Any]) -> str:
        """Return the text with the values of a row: texts as they are, everything else as JSON.

        Raises:
            ValueError: If a row has no value for a column: what would be asked then is not what was meant.
        """
        filled = []
        for literal, name, _, _ in self._parts:
            filled.append(literal)
            if name is not None:
                filled.append(_text(name, row.get(name)))
        return "".join(filled)


def _text(name: str, value: Any) -> str:
    if value is None:
        raise ValueError(f"the column {quoted(name)} is empty")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
