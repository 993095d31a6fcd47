"""Separate processes that compute: kept warm, ended and replaced where a question takes too long."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

START_SECONDS = 120
"""In which a new process must be ready; it imports PyTorch."""


class TooLong(Exception):
    """A question took more than these seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Busy(Exception):
    """As many questions as are allowed are being computed or wait."""


class Crashed(Exception):
    """The process ended by itself, as one does that runs out of memory."""


class Worker:
    """One process that answers one question at a time."""

    def __init__(self, answer: Callable[[Any], Any], first: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, answer, first), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False

    def ask(self, question: Any, seconds: float) -> Any:
        """The answer.

        Raises:
            TooLong: not within this time.
            Crashed: the process ended.
        """
        try:
            if not self.ready:
                self._receive(START_SECONDS)
                self.ready = True
            self.connection.send(question)
            return self._receive(seconds)
        except (EOFError, OSError) as error:
            raise Crashed from error

    def _receive(self, seconds: float) -> Any:
        if not self.connection.poll(seconds):
            raise TooLong(seconds)
        return self.connection.recv()

    def end(self) -> None:
        """Whatever it is doing."""
        self.process.kill()
        self.process.join()
        self.connection.close()


class Pool:
    """A few workers.

    Args:
        answer: what they compute; a function of a module, of one argument that can be pickled.
        first: a question that each of them answers for itself at its start, so that everything is imported.
        size: how many.
        seconds: for one answer.
        waiting: so many questions are computed or wait; more are refused at once.
    """

    def __init__(
        self, answer: Callable[[Any], Any], first: Any, size: int = 2, seconds: float = 20, waiting: int = 4
    ) -> None:
        self.answer, self.first, self.seconds = answer, first, seconds
        self._places = threading.Semaphore(waiting)
        self._workers = {Worker(answer, first) for _ in range(size)}
        self._idle: queue.Queue[Worker] = queue.Queue()
        for worker in self._workers:
            self._idle.put(worker)
        self._closed = False

    def ask(self, question: Any) -> Any:
        """The answer.

        Raises:
            Busy: too many questions at once.
            TooLong: it took more than the seconds of the pool.
            Crashed: the process ended while it computed.
        """
        if not self._places.acquire(blocking=False):
            raise Busy
        try:
            worker = self._idle.get()
            try:
                return worker.ask(question, self.seconds)
            except BaseException:
                worker = self._replaced(worker)
                raise
            finally:
                self._idle.put(worker)
        finally:
            self._places.release()

    def _replaced(self, worker: Worker) -> Worker:
        worker.end()
        if self._closed:
            return worker
        self._workers.discard(worker)
        fresh = Worker(self.answer, self.first)
        self._workers.add(fresh)
        return fresh

    def close(self) -> None:
        """End all processes, whatever they are doing."""
        self._closed = True
        for worker in list(self._workers):
            worker.process.kill()
            worker.process.join()


def _work(connection: Connection, answer: Callable[[Any], Any], first: Any) -> None:
    """In the process: answer until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server ends its workers
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        answer(first)
        connection.send("ready")
        while True:
            connection.send(answer(connection.recv()))


def _end_with(server: Any) -> None:
    """Do not go on computing for a server that is gone."""
    server.join()
    os._exit(1)
