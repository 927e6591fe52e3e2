"""The threads of the embedded engine: several that read, one that writes.

A job is a function of a `Session`. The event loop hands it over and waits for a future that only the
thread resolves. Whoever stops waiting, by cancellation or because the deadline has passed, first stops
the job and sees the thread leave it: nothing of a call outlives the call. A job that no thread has
taken up yet is simply withdrawn.

The writing thread takes what is queued, up to `GROUP_EVENTS`, as one transaction, and answers after
the commit. While it commits, the next group gathers by itself. A write that has begun is not stopped.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Generic

from podledger.errors import Cancelled, DeadlineExceeded, DomainError, StoreClosed, StoreUnavailable
from podledger.store.sqlite_connecting import Result, Session

GROUP_EVENTS = 256
GROUP_SECONDS = 0.005
"""A group is closed by the bound that it meets first (operations 10)."""
QUEUED_EVENTS = 10_000
"""Events that may wait for the writing thread; beyond, the store is unavailable."""

Connect = Callable[[], Session]
"""Opens a connection; called in the thread that will own it."""


# ----------------------------------------------------------------------------------------------- tasks


class _State(Enum):
    WAITING = auto()
    RUNNING = auto()
    OVER = auto()


class _Task(Generic[Result]):
    """A job on its way through a thread, seen from both sides."""

    def __init__(self, job: Callable[[Session], Result], *, deadline: float | None = None, events: int = 1) -> None:
        self.job = job
        self.events = events
        self.deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[Result] = self._loop.create_future()
        self._lock = threading.Lock()
        self._state = _State.WAITING
        self._interrupted: Session | None = None
        self._stopped = False

    # in the thread

    def claim(self, interruptible: Session | None = None) -> bool:
        """Take the job up; False when it was withdrawn. Stopping it interrupts the session given here."""
        with self._lock:
            if self._state is not _State.WAITING:
                return False
            self._state, self._interrupted = _State.RUNNING, interruptible
            return True

    def stopped(self) -> bool:
        """Whether the job must end."""
        return self._stopped

    def succeed(self, result: Result) -> None:
        """Answer with the result."""
        self._leave(lambda: self._future.set_result(result))

    def fail(self, error: BaseException) -> None:
        """Answer with an error."""
        self._leave(lambda: self._future.set_exception(error))

    def _leave(self, answer: Callable[[], None]) -> None:
        """From here on nobody interrupts the session on behalf of this job."""
        with self._lock:
            self._state, self._interrupted = _State.OVER, None
        if not self._loop.is_closed():  # closed: nobody waits any more
            self._loop.call_soon_threadsafe(answer)

    # on the loop

    async def result(self) -> Result:
        """Wait for the answer. Leaving early stops the job and sees it stop."""
        try:
            await asyncio.wait([self._future], timeout=_remaining(self.deadline))
        except asyncio.CancelledError:
            await self._abandon()
            raise
        if not self._future.done():
            await self._abandon()
            raise DeadlineExceeded
        return self._future.result()

    async def _abandon(self) -> None:
        if not self.stop():
            self._future.add_done_callback(_look_at)
            await asyncio.wait([self._future])

    def stop(self) -> bool:
        """Withdraw the job, or make it end soon. True when no thread has it, nor will have."""
        with self._lock:
            withdrawn = self._state is _State.WAITING
            if withdrawn:
                self._state = _State.OVER
            self._stopped = True
            if self._interrupted is not None:
                self._interrupted.connection.interrupt()
        return withdrawn

    def refuse(self) -> None:
        """Stop the job because the store closes. Whoever waits gets `StoreClosed`."""
        if self.stop() and not self._future.done():
            self._future.set_exception(StoreClosed())


def _look_at(future: asyncio.Future[Any]) -> None:
    """Take note of an answer that nobody waits for, or asyncio would complain of it."""
    if not future.cancelled():
        future.exception()


def _remaining(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


# --------------------------------------------------------------------------------------------- threads


class _Threads:
    """Threads with a queue in front, each with a connection of its own."""

    def __init__(self, connect: Connect, *, name: str, count: int) -> None:
        self._connect = connect
        self._name = name
        self._count = count
        self._queue: queue.SimpleQueue[_Task[Any] | None] = queue.SimpleQueue()
        self._ends: list[asyncio.Future[None]] = []
        self._threads: list[threading.Thread] = []
        self._open = False

    async def start(self) -> None:
        """Start the threads. An error on opening a connection comes out here, and no thread remains."""
        loop = asyncio.get_running_loop()
        opened = [self._spawn(loop, number) for number in range(self._count)]
        self._open = True
        for error in await asyncio.gather(*opened, return_exceptions=True):
            if error is not None:
                await self.close()
                raise error

    def _spawn(self, loop: asyncio.AbstractEventLoop, number: int) -> asyncio.Future[None]:
        opened: asyncio.Future[None] = loop.create_future()
        ended: asyncio.Future[None] = loop.create_future()
        self._ends.append(ended)
        name = f"podledger-{self._name}-{number}"
        thread = threading.Thread(target=self._main, args=(loop, opened, ended), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return opened

    def _main(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None], ended: asyncio.Future[None]) -> None:
        try:
            session = self._connect()
        except BaseException as error:  # noqa: BLE001 - `start` raises it
            loop.call_soon_threadsafe(opened.set_exception, error)
        else:
            loop.call_soon_threadsafe(opened.set_result, None)
            try:
                self._serve(session)
            finally:
                session.close()
        loop.call_soon_threadsafe(ended.set_result, None)

    def _serve(self, session: Session) -> None:
        raise NotImplementedError

    def _submit(self, task: _Task[Any]) -> None:
        if not self._open:
            raise StoreClosed
        self._queue.put(task)

    async def close(self) -> None:
        """Finish what is queued and end the threads. A second time it does nothing."""
        if not self._open:
            return
        self._open = False
        for _ in self._ends:
            self._queue.put(None)
        await asyncio.wait(self._ends)
        for thread in self._threads:
            thread.join()  # it has said its last word; this waits for its last instructions


class ReadingThreads(_Threads):
    """Threads for reads whose work grows with the table."""

    def __init__(self, connect: Connect, *, count: int) -> None:
        super().__init__(connect, name="reader", count=count)
        self._tasks: set[_Task[Any]] = set()

    async def read(self, job: Callable[[Session], Result], *, deadline: float | None) -> Result:
        """Run a job within its deadline. Raises `DeadlineExceeded`, and what the job raises."""
        if _remaining(deadline) == 0:  # or a quick job would be done before anybody looks
            raise DeadlineExceeded
        task = _Task(job, deadline=deadline)
        self._submit(task)
        self._tasks.add(task)
        try:
            return await task.result()
        except Cancelled as error:  # by `close` alone: who cancels the call itself has left before
            raise StoreClosed from error
        finally:
            self._tasks.discard(task)

    async def close(self) -> None:
        """Interrupt all reads and end the threads."""
        for task in self._tasks:
            task.refuse()
        await super().close()

    def _serve(self, session: Session) -> None:
        while (task := self._queue.get()) is not None:
            if task.claim(session):
                _read(session, task)


def _read(session: Session, task: _Task[Any]) -> None:
    try:
        result = session.run(task.job, deadline=task.deadline, stopped=task.stopped)
    except BaseException as error:  # noqa: BLE001 - whoever waits gets it
        task.fail(error)
    else:
        task.succeed(result)


class WritingThread(_Threads):
    """The one thread that writes."""

    def __init__(self, connect: Connect) -> None:
        super().__init__(connect, name="writer", count=1)
        self._waiting = 0
        self.trouble: BaseException | None = None
        """Why the last transaction failed; None since one succeeded."""

    async def write(self, job: Callable[[Session], Result], *, events: int = 1) -> Result:
        """Run a job in a transaction; done when it is durable. `events` is its weight in queue and group.

        The job may run a second time when another one of its group fails. A job that refuses by a
        `DomainError` has not written anything before.
        """
        if self._waiting and self._waiting + events > QUEUED_EVENTS:
            raise StoreUnavailable("too many changes wait to be written")
        task = _Task(job, events=events)
        self._submit(task)
        self._waiting += events
        try:
            return await task.result()
        finally:
            self._waiting -= events

    def _serve(self, session: Session) -> None:
        last = False
        while not last:
            group, last = self._gather()
            if group:
                self._commit(session, group)

    def _gather(self) -> tuple[list[_Task[Any]], bool]:
        """The next group, and whether it is the last one. Waits for its first job only."""
        group: list[_Task[Any]] = []
        task = self._queue.get()
        closes = time.monotonic() + GROUP_SECONDS
        while task is not None:
            if task.claim():
                group.append(task)
            if sum(member.events for member in group) >= GROUP_EVENTS or time.monotonic() >= closes:
                return group, False
            try:
                task = self._queue.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, session: Session, group: list[_Task[Any]]) -> None:
        """One transaction for the group; when it fails, one for each of its jobs."""
        try:
            outcomes = session.run(lambda session: _transaction(session, group))
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            self.trouble = error
            if len(group) == 1:
                group[0].fail(error)
            else:
                for task in group:
                    self._commit(session, [task])
        else:
            self.trouble = None
            for task, (result, refusal) in zip(group, outcomes, strict=True):
                task.succeed(result) if refusal is None else task.fail(refusal)


def _transaction(session: Session, group: list[_Task[Any]]) -> list[tuple[Any, DomainError | None]]:
    session.connection.execute("BEGIN IMMEDIATE")
    outcomes = [_attempt(session, task.job) for task in group]
    session.connection.execute("COMMIT")
    return outcomes


def _attempt(session: Session, job: Callable[[Session], Any]) -> tuple[Any, DomainError | None]:
    """Result or refusal of a job. Any other error, and one after a write, spoils the transaction."""
    before = session.connection.total_changes()
    try:
        return job(session), None
    except DomainError as error:
        if session.connection.total_changes() != before:
            raise
        return None, error
