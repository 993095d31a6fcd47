"""Workers: answers, a time limit that holds, crashes, and a bound on how many wait."""

from __future__ import annotations

import os
import threading
import time

import pytest

from apolar.page.workers import Busy, Crashed, Pool, TooLong


def respond(question):
    """Doubles numbers; sleeps or dies where it is told to."""
    if question == "endless":
        while True:
            pass
    if question == "die":
        os._exit(3)
    if question == "sleep":
        time.sleep(1)
    return 2 * question


@pytest.fixture(scope="module")
def pool():
    found = Pool(respond, 0, size=1, seconds=2, waiting=2)
    yield found
    found.close()


def test_answers(pool):
    assert [pool.ask(k) for k in range(3)] == [0, 2, 4]


def test_what_takes_too_long_is_ended_and_the_next_question_answered(pool):
    started = time.monotonic()
    with pytest.raises(TooLong) as caught:
        pool.ask("endless")
    assert caught.value.seconds == 2
    assert time.monotonic() - started < 10
    assert pool.ask(5) == 10


def test_a_crash_is_replaced(pool):
    with pytest.raises(Crashed):
        pool.ask("die")
    assert pool.ask(6) == 12


def test_more_questions_than_places_are_refused_at_once(pool):
    pool.ask(0)  # the process is there
    threads = [threading.Thread(target=pool.ask, args=("sleep",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    started = time.monotonic()
    with pytest.raises(Busy):
        pool.ask(1)
    assert time.monotonic() - started < 0.5
    for thread in threads:
        thread.join()
    assert pool.ask(1) == 2


def test_closing_ends_the_processes():
    pool = Pool(respond, 0, size=2, seconds=2)
    processes = [worker.process for worker in pool._workers]
    assert all(process.is_alive() for process in processes)
    pool.close()
    assert not any(process.is_alive() for process in processes)
