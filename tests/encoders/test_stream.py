"""Work in order through a window: nothing lost, nothing early, no more of it under way than the window holds."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag.encoders._stream import Failure, Running, batches, in_order


@given(st.lists(st.integers(0, 9)), st.integers(1, 5), st.integers(1, 20), st.booleans())
def test_batches_are_the_items_in_order_within_both_limits(items, count, size, broken):
    def source():
        yield from items
        if broken:
            raise OSError("broken")

    found = list(batches(source(), count, size, lambda item: item))
    assert [item for batch, _ in found for item in batch] == items
    assert all(len(batch) <= count and sum(batch[:-1]) < size for batch, _ in found)
    assert [failure is not None for _, failure in found] == [False] * (len(found) - 1) + [broken]


@given(st.lists(st.integers(1, 9), max_size=40), st.integers(1, 30))
def test_results_are_in_order_and_the_window_is_kept(weights, window):
    started = []

    def jobs(pool):
        for number, weight in enumerate(weights):
            started.append(number)
            yield Running(number, [pool.submit(lambda: None)], weight)

    with ThreadPoolExecutor(3) as pool:
        for expected, result in enumerate(in_order(jobs(pool), window)):
            assert result == expected
            under_way = weights[expected : len(started)]
            assert sum(under_way[:-1]) <= window + weights[expected]
    assert started == list(range(len(weights)))


def test_workers_do_not_wait_for_a_batch_to_end():
    """One slow job at the head: all others within the window are done meanwhile."""
    slow, done = threading.Event(), threading.Semaphore(0)
    with ThreadPoolExecutor(2) as pool:

        def jobs():
            yield Running("slow", [pool.submit(slow.wait, 10)], 1)
            for number in range(8):
                yield Running(number, [pool.submit(done.release)], 1)

        stream = in_order(jobs(), 5)
        taker = pool.submit(lambda: None)
        first = []
        reader = threading.Thread(target=lambda: first.append(next(stream)))
        reader.start()
        for _ in range(5):
            assert done.acquire(timeout=10)
        assert not first
        slow.set()
        reader.join(10)
        assert first == ["slow"]
        assert list(stream) == list(range(8))
        assert taker.done()


def test_what_is_left_is_cancelled_when_the_caller_stops():
    first_gate, gate = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(first_gate.wait, 10)
        pool.submit(gate.wait, 10)
        queued = [pool.submit(lambda: None) for _ in range(3)]

        def jobs():
            yield from (Running(future, [future], 1) for future in [first, *queued])
            first_gate.set()

        stream = in_order(jobs(), 10)
        assert next(stream) is first
        stream.close()
        assert all(future.cancelled() for future in queued)
        gate.set()


def test_a_failure_comes_in_its_turn():
    with ThreadPoolExecutor(1) as pool:
        jobs = [Running(0, [pool.submit(lambda: None)], 1), Failure(OSError("broken"))]
        stream = in_order(iter(jobs), 10)
        assert next(stream) == 0
        with pytest.raises(OSError, match="broken"):
            next(stream)


def test_what_a_worker_raises_reaches_the_caller():
    with ThreadPoolExecutor(1) as pool:
        stream = in_order(iter([Running(0, [pool.submit(lambda: 1 / 0)], 1)]), 10)
        with pytest.raises(ZeroDivisionError):
            next(stream)
