"""Threads give results in order, a few things ahead, and finish only what has begun."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from labeler.executors import threads


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores", lambda: 2)


def test_results_are_in_order_whichever_is_ready_first() -> None:
    others = threading.Event()

    def slow_first(thing: int) -> int:
        if thing == 0:
            assert others.wait(60)
        else:
            others.set()
        return thing

    assert list(threads.mapped(slow_first, range(50))) == list(range(50))


def test_things_are_taken_only_a_few_ahead() -> None:
    taken = 0

    def things() -> Iterator[int]:
        nonlocal taken
        for taken in range(1, 1001):  # noqa: UP028 - it is counted
            yield taken

    with closing(threads.mapped(int, things())) as found:
        next(found)
        assert taken < 50


def test_closing_early_finishes_only_what_has_begun() -> None:
    begun, ended = [], []

    def work(thing: int) -> int:
        begun.append(thing)
        time.sleep(0.3 if thing else 0)
        ended.append(thing)
        return thing

    with closing(threads.mapped(work, range(1000))) as found:
        next(found)

    assert sorted(begun) == sorted(ended)
    assert len(begun) < 9  # Of nine that were submitted.


def test_an_error_is_raised_where_its_result_would_be() -> None:
    found = threads.mapped(lambda thing: 1 // thing, [1, 1, 0, 1])

    assert (next(found), next(found)) == (1, 1)
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_calls_that_wait_for_a_store_are_more_than_cores() -> None:
    together = threading.Barrier(16)

    assert sorted(threads.mapped(lambda _: together.wait(60), range(16), waiting=True)) == list(range(16))
