"""Faults that nobody prepared: `fault_rate`."""

from __future__ import annotations

import http.client
import json

import pytest

from kimi_adapters.local_server import LocalKimi
from kimi_adapters.local_server.random_faults import FAULT_KINDS, FaultKind, RandomFaults


class Always(RandomFaults):
    """Has one kind for every request."""

    def __init__(self, kind: FaultKind) -> None:
        super().__init__(1.0, 0, 0.01)
        self.kind = kind

    def next(self) -> FaultKind | None:
        return self.kind


def answered(kind: FaultKind, *, stream: bool) -> tuple[int, bytes, bool]:
    """The status, the body as far as it came, and whether it broke off."""
    with LocalKimi() as kimi:
        kimi.random_faults = Always(kind)
        connection = http.client.HTTPConnection(kimi.host, kimi.port, timeout=10)
        body = {"model": "kimi-k2.6", "messages": [{"role": "user", "content": "Hello"}], "stream": stream}
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(body), {"authorization": f"Bearer {kimi.api_key}"}
        )
        response = connection.getresponse()
        try:
            return response.status, response.read(), False
        except http.client.IncompleteRead as error:
            return response.status, error.partial, True
        finally:
            connection.close()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("kind", "status"), [("overloaded", 429), ("server_error", 500)])
def test_errors_come_in_place_of_the_answer(kind: FaultKind, status: int, stream: bool) -> None:
    assert answered(kind, stream=stream)[0] == status


@pytest.mark.parametrize("stream", [False, True])
def test_a_cut_breaks_the_connection_within_the_answer(stream: bool) -> None:
    status, body, broke = answered("cut", stream=stream)
    assert (status, broke) == (200, True)
    assert body
    assert b"[DONE]" not in body


@pytest.mark.parametrize("stream", [False, True])
def test_a_malformed_answer_ends_properly_and_is_no_json(stream: bool) -> None:
    status, body, broke = answered("malformed", stream=stream)
    assert (status, broke) == (200, False)
    pieces = [line[5:] for line in body.splitlines() if line.startswith(b"data: {")] if stream else [body]
    with pytest.raises(json.JSONDecodeError):
        _ = [json.loads(piece) for piece in pieces]


@pytest.mark.parametrize("stream", [False, True])
def test_a_stalled_answer_comes_whole(stream: bool) -> None:
    status, body, broke = answered("stall", stream=stream)
    assert (status, broke) == (200, False)
    assert b"Hello" in body


def test_an_empty_answer_has_no_text() -> None:
    _, body, _ = answered("empty", stream=False)
    assert not json.loads(body)["choices"][0]["message"]["content"]


def test_the_same_seed_has_the_same_faults_and_all_kinds_come() -> None:
    first, second = RandomFaults(0.05, 7, 1.0), RandomFaults(0.05, 7, 1.0)
    kinds = [first.next() for _ in range(2000)]
    assert kinds == [second.next() for _ in range(2000)]
    assert {kind for kind in kinds if kind} == {*FAULT_KINDS} == {*first.made}
    assert 60 < first.made.total() < 140


def test_without_a_rate_nothing_goes_wrong() -> None:
    faults = RandomFaults(0.0, 0, 1.0)
    assert {faults.next() for _ in range(1000)} == {None}


def test_a_rate_above_1_is_refused() -> None:
    with pytest.raises(ValueError, match="share between 0 and 1, not 5"):
        LocalKimi(fault_rate=5)
