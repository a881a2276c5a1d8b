"""Over three hundred schemas, and what Moonshot's validator says to each.

Written from what is known about the validator (MoonshotAI/walle at its level `strict`) and the live servers, and from
neither the client nor the local server: both are held against it.
"""

from tests.schema_table.alternatives import ALTERNATIVES
from tests.schema_table.keywords import KEYWORDS
from tests.schema_table.limits import LIMITS
from tests.schema_table.recursion import RECURSION
from tests.schema_table.references import REFERENCES
from tests.schema_table.rows import Rule
from tests.schema_table.types import TYPES

RULES: tuple[Rule, ...] = (*TYPES, *KEYWORDS, *ALTERNATIVES, *REFERENCES, *RECURSION, *LIMITS)
"""All rules, each with its fact and its schemas."""

ROWS = tuple(row for rule in RULES for row in rule.rows())
"""All rows of the table."""
