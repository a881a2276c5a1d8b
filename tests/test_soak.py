"""A little of `make soak` in every run, and that it notices what is left over."""

from __future__ import annotations

from dataclasses import replace

import pytest
import soak
from soak import Ended, Held, judge, slope_per_1000

HELD = Held(rss=200.0, descriptors=12, sockets=3, threads=1, tasks=1)
LEVEL = [(n * 100, 200.0) for n in range(10)]


def test_some_agents_of_both_frameworks_end_flat_while_requests_fail(capsys: pytest.CaptureFixture[str]) -> None:
    code = soak.main(["--minutes", "0.05", "--agents", "8", "--faults", "0.2", "--interval", "1"])
    shown = capsys.readouterr().out
    assert code == 0, shown
    assert "faults: {" in shown


@pytest.mark.parametrize("what", ["descriptors", "sockets", "threads", "tasks"])
def test_what_is_left_over_is_noticed(what: str) -> None:
    assert judge(HELD, HELD, LEVEL, Ended())
    assert not judge(HELD, replace(HELD, **{what: 99}), LEVEL, Ended())


def test_memory_that_grows_is_noticed() -> None:
    growing = [(n * 1000, 200.0 + 3 * n) for n in range(20)]
    assert slope_per_1000(growing) == pytest.approx(3)
    assert not judge(HELD, HELD, growing, Ended())


def test_an_error_of_another_kind_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    ended = Ended()
    with ended.counting("a stream"):
        raise ValueError("no")
    assert not judge(HELD, HELD, LEVEL, ended)
    assert "ValueError in a stream" in capsys.readouterr().out
