"""``twin``: the same work in a thread, with overrides, errors, cancelling."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from late_rag.asynchronous import to_reader, to_writer, twin
from late_rag.errors import CancelledError

request = contextvars.ContextVar("request", default="none")


class Worker:
    def __init__(self) -> None:
        self.steps = 0
        self.ended: BaseException | None = None

    def thread(self, greeting: str = "hello") -> tuple[str, str]:
        """Says on which thread it runs."""
        return greeting, threading.current_thread().name

    def fail(self) -> None:
        raise ValueError("as it is")

    def context(self) -> str:
        return request.get()

    def work(self, count: int, *, progress: Callable[[int], object] | None = None) -> int:
        try:
            for step in range(count):
                time.sleep(0.002)
                self.steps += 1
                if progress is not None:
                    progress(step)
        except BaseException as error:
            self.ended = error
            raise
        return count

    def write(self) -> str:
        return threading.current_thread().name

    athread = twin(thread)
    awrite = twin(write, writes=True)
    afail = twin(fail)
    acontext = twin(context)
    awork = twin(work)


class Polite(Worker):
    def thread(self, greeting: str = "good morning") -> tuple[str, str]:
        return super().thread(greeting)


def test_runs_beside_the_event_loop():
    greeting, thread = asyncio.run(Worker().athread("hi"))
    assert greeting == "hi"
    assert thread != threading.current_thread().name


def test_an_override_has_a_twin():
    assert asyncio.run(Polite().athread())[0] == "good morning"


def test_errors_come_as_they_are():
    with pytest.raises(ValueError, match="as it is"):
        asyncio.run(Worker().afail())


def test_context_variables_are_seen():
    async def main() -> str:
        request.set("mine")
        return await Worker().acontext()

    assert asyncio.run(main()) == "mine"


def test_the_name_and_the_documentation_say_what_it_is():
    assert Worker.athread.__name__ == "athread"
    assert "thread" in (Worker.athread.__doc__ or "")


def test_progress_is_still_told():
    told: list[int] = []
    assert asyncio.run(Worker().awork(3, progress=told.append)) == 3
    assert told == [0, 1, 2]


def test_cancelling_the_task_stops_the_work_at_its_next_step():
    worker = Worker()

    async def main() -> None:
        task = asyncio.create_task(worker.awork(100_000))
        while not worker.steps:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())  # waits for the thread at its end
    assert isinstance(worker.ended, CancelledError)
    assert worker.steps < 1000


def test_a_write_waits_for_no_reader() -> None:
    gate, count = threading.Event(), 100  # more than there can be threads

    async def main() -> None:
        readers = [asyncio.create_task(to_reader(gate.wait)) for _ in range(count)]
        await asyncio.sleep(0)
        try:
            assert await asyncio.wait_for(to_writer(lambda: "written"), 5) == "written"
            assert (await asyncio.wait_for(Worker().awrite(), 5)).startswith("late_rag_write")
        finally:
            gate.set()
        assert await asyncio.gather(*readers) == [True] * count

    asyncio.run(main())


def test_the_threads_of_the_event_loop_are_left_to_others() -> None:
    async def main() -> set[str]:
        return {await Worker().awrite(), (await Worker().athread())[1], await to_reader(name), await to_writer(name)}

    def name() -> str:
        return threading.current_thread().name

    assert {each.rpartition("_")[0] for each in asyncio.run(main())} == {"late_rag_read", "late_rag_write"}


def test_what_waited_for_a_thread_and_was_cancelled_is_never_done() -> None:
    gate, done = threading.Event(), list[int]()

    async def main() -> None:
        others = [asyncio.create_task(to_reader(gate.wait)) for _ in range(100)]
        waiting = asyncio.create_task(to_reader(done.append, 1))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.set()
        await asyncio.gather(*others)

    asyncio.run(main())
    assert done == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own() -> None:
    asyncio.run(Worker().athread())
    asyncio.run(Worker().awrite())
    child = os.fork()
    if not child:
        try:
            signal.alarm(10)  # else a child that waits for its parent's threads waits for ever
            asyncio.run(Worker().athread())
            asyncio.run(Worker().awrite())
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
