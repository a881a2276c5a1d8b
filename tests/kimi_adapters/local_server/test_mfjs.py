"""Moonshot-flavoured JSON Schema over HTTP; the rules themselves are in `tests/schema_table`."""

from __future__ import annotations

import httpx
import pytest

from kimi_adapters.local_server import LocalKimi, mfjs
from tests.schema_table import RULES
from tests.schema_table.rows import Row

SAMPLE: list[Row] = [row for rule in RULES for row in (*list(rule.rows())[:1], *list(rule.rows())[-1:])]


@pytest.mark.parametrize("row", SAMPLE, ids=[row.name for row in SAMPLE])
@pytest.mark.parametrize("place", ["tool", "answer"])
def test_a_request_gets_the_verdict_on_its_schema(kimi: LocalKimi, row: Row, place: str) -> None:
    body = {"model": "kimi-k2.6", "messages": [{"role": "user", "content": "Hello"}]}
    if place == "tool":
        schema = {"type": "object", "properties": {"x": {"type": "string"}}, **row.schema}
        body["tools"] = [{"type": "function", "function": {"name": "probe", "parameters": schema}}]
    else:
        shape = {"name": "probe", "strict": True, "schema": row.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": shape}

    answer = httpx.post(
        f"{kimi.base_url}/chat/completions", json=body, headers={"Authorization": f"Bearer {kimi.api_key}"}, timeout=30
    )

    said = answer.json().get("error", {}).get("message", "")
    assert answer.status_code == (200 if row.message is None else 400)
    assert row.message is None or (mfjs.NOT_VALID in said and row.message in said)


def test_the_check_of_a_wide_schema_is_quick():
    wide = {"type": "object", "properties": {f"p{at}": {"type": "string"} for at in range(2000)}}
    assert mfjs.fault(wide) is None


def test_references_that_double_at_every_step_are_checked_in_no_time():
    steps = {
        f"D{at}": {"type": "object", "properties": {name: {"$ref": f"#/$defs/D{at + 1}"} for name in "ab"}}
        for at in range(25)
    }
    schema = {
        "type": "object",
        "properties": {"x": {"$ref": "#/$defs/D0"}},
        "$defs": {**steps, "D25": {"type": "null"}},
    }
    assert mfjs.fault(schema) is None
