"""Requests of many threads: each gets its own answer, they share computations, and no failure leaves one waiting."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from late_rag.indexes.micro_batching import MicroBatching

AT_MOST = 5


class Squares:
    """Computes squares; holds the first call until it is released, and fails where it is asked to."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.begun, self.released = threading.Event(), threading.Event()
        self.batching = MicroBatching(self.compute, lambda numbers: len(numbers) <= AT_MOST)

    def compute(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append(list(numbers))
        self.begun.set()
        self.released.wait(10)
        if -1 in numbers[:1]:
            raise ValueError("asked to fail")
        return [number * number for number in numbers]

    def waiting(self, count: int) -> None:
        """Returns when so many requests wait."""
        for _ in range(1000):
            if len(self.batching._waiting) == count:
                return
            threading.Event().wait(0.005)
        raise TimeoutError(f"{len(self.batching._waiting)} wait, not {count}")


def test_one_alone_computes_at_once() -> None:
    squares = Squares()
    squares.released.set()
    assert squares.batching([3, 4]) == [9, 16]
    assert squares.batching([5]) == [25]
    assert squares.calls == [[3, 4], [5]]


def test_those_who_come_meanwhile_are_answered_together() -> None:
    squares = Squares()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(squares.batching, [1])
        assert squares.begun.wait(10)
        others = []
        for number in range(2, 10):
            others.append(pool.submit(squares.batching, [number]))
            squares.waiting(len(others))
        squares.released.set()
        assert first.result(10) == [1]
        assert [other.result(10) for other in others] == [[number * number] for number in range(2, 10)]
    assert squares.calls == [[1], [2, 3, 4, 5, 6], [7, 8, 9]]


def test_more_than_fits_is_computed_where_it_is_one_request() -> None:
    squares = Squares()
    squares.released.set()
    assert squares.batching(range(AT_MOST + 3)) == [number * number for number in range(AT_MOST + 3)]


def test_an_error_reaches_the_one_who_computed_and_the_others_get_answers() -> None:
    squares = Squares()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(squares.batching, [1])
        assert squares.begun.wait(10)
        failing = pool.submit(squares.batching, [-1])
        squares.waiting(1)
        other = pool.submit(squares.batching, [3])
        squares.waiting(2)
        squares.released.set()
        assert first.result(10) == [1]
        with pytest.raises(ValueError, match="asked to fail"):
            failing.result(10)
        assert other.result(10) == [9]
    assert squares.batching([4]) == [16]


def test_one_that_is_interrupted_while_it_waits_is_not_asked_to_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    squares = Squares()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(squares.batching, [1])
        assert squares.begun.wait(10)

        def interrupt(_: object, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(threading.Event, "wait", interrupt)
            with pytest.raises(KeyboardInterrupt):
                squares.batching([2])
        squares.released.set()
        assert first.result(10) == [1]
    assert squares.batching([3]) == [9]
    assert squares.calls == [[1], [3]]


def test_many_threads_get_their_own_answers() -> None:
    squares = Squares()
    squares.released.set()

    def ask(start: int) -> bool:
        return all(squares.batching([n, n + 1]) == [n * n, (n + 1) ** 2] for n in range(start, start + 200))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(0, 8000, 1000)))
