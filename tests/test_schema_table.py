"""The local server and the client, both held against one table of schemas and verdicts."""

from __future__ import annotations

import copy

import pytest

from kimi_adapters.local_server import mfjs
from kimi_core.schema import SchemaError, normalise
from tests.schema_table import ROWS, RULES, Rule

IDS = [row.name for row in ROWS]


def test_the_table_has_three_hundred_schemas_and_each_has_a_name_of_its_own():
    assert len(ROWS) >= 300
    assert len(set(IDS)) == len(IDS)


def test_every_inexpressible_schema_is_in_the_table():
    assert [unknown for rule in RULES for unknown in _unknown(rule)] == []


def _unknown(rule: Rule) -> list[str]:
    names = {*rule.taken, *(name for schemas in rule.refused.values() for name in schemas)}
    return [name for listed in rule.inexpressible.values() for name in listed if name not in names]


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_local_server_refuses_as_moonshots_validator_does(row):
    fault = mfjs.fault(row.schema)

    assert fault is None if row.message is None else row.message in (fault or "")


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_what_the_client_makes_of_a_schema_is_taken_or_an_error_has_the_reason(row):
    before = copy.deepcopy(row.schema)
    if row.inexpressible is None:
        assert mfjs.fault(normalise(row.schema)) is None
    else:
        with pytest.raises(SchemaError, match=row.inexpressible):
            normalise(row.schema)
    assert row.schema == before
