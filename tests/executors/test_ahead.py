"""Work ahead: in order, never before it is asked for, and never after a failure."""

from __future__ import annotations

import threading
import time

import pytest

from labeler.executors.threads import ahead


@pytest.mark.parametrize("threaded", [True, False])
def test_results_are_those_of_their_items_in_order(threaded: bool) -> None:
    with ahead(lambda item: item * item, threaded=threaded) as working:
        found = [(item, result()) for item, result in working.of(range(100))]

    assert found == [(item, item * item) for item in range(100)]


@pytest.mark.parametrize("threaded", [True, False])
def test_nothing_is_done_before_it_is_asked_for(threaded: bool) -> None:
    done: list[int] = []
    with ahead(done.append, threaded=threaded) as working:
        for item, result in working.of(range(1000)):
            if item >= 900:
                result()
            else:
                assert done == []

    assert sorted(done) == list(range(900, 1000))


def test_items_are_worked_on_while_one_is_waited_for() -> None:
    both = threading.Barrier(2, timeout=60)
    with ahead(lambda _: both.wait()) as working:
        pairs = working.of(range(2))
        if working.threads == 1:
            pytest.skip("one core")
        found = [result() for _, result in pairs]  # The first would wait for ever for the second.

    assert sorted(found) == [0, 1]


def test_an_error_is_that_of_its_item() -> None:
    with ahead(lambda item: 1 / item) as working:
        for item, result in working.of([1, 0, 2]):
            if item:
                assert result() == 1 / item
            else:
                with pytest.raises(ZeroDivisionError):
                    result()


def test_after_a_failure_only_what_was_begun_ends() -> None:
    begun: list[int] = []

    def do(item: int) -> None:
        begun.append(item)
        time.sleep(0.01)
        if item == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), ahead(do) as working:
        [result() for _, result in working.of(range(100_000))]

    assert len(begun) < 100
