"""Threads for an event loop: short calls share few of them, long ones keep nobody waiting."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from gateway.threads import MOMENT, Threads

MOST, FEW = 8, 2


def test_a_call_gives_or_raises_as_it_would_by_itself() -> None:
    async def asked() -> None:
        threads = Threads(MOST, FEW)
        assert await threads.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await threads.run(divmod, 7, 0)
        assert await asyncio.gather(*(threads.run(int, f"{each}") for each in range(500))) == list(range(500))

    asyncio.run(asked())


def test_short_calls_share_few_threads() -> None:
    seen: set[int] = set()

    def short() -> None:
        seen.add(threading.get_ident())
        time.sleep(0.001)

    async def asked() -> None:
        threads = Threads(MOST, FEW)
        await asyncio.gather(*(threads.run(short) for _ in range(300)))

    asyncio.run(asked())
    assert len(seen) == FEW


def test_long_calls_keep_no_short_one_waiting_and_are_never_too_many_at_a_time() -> None:
    running, most = 0, 0
    lock, done = threading.Lock(), threading.Event()

    def long() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        done.wait(20)
        with lock:
            running -= 1

    async def asked() -> None:
        threads = Threads(MOST, FEW)
        waiting = [threads.run(long) for _ in range(MOST - 1)]
        began = time.monotonic()
        assert await asyncio.wait_for(threads.run(int, "1"), 15) == 1
        assert time.monotonic() - began < 10 * MOMENT * MOST
        waiting += [threads.run(long) for _ in range(MOST)]
        late = threads.run(int, "2")
        await asyncio.sleep(20 * MOMENT)
        assert most == MOST
        assert not late.done()
        done.set()
        await asyncio.gather(*waiting)
        assert await late == 2
        # Threads that were started in the place of others are gone again.
        for _ in range(100):
            await asyncio.sleep(0.01)
        assert len([each for each in threading.enumerate() if each.name == "answers"]) <= before + FEW

    before = len([each for each in threading.enumerate() if each.name == "answers"])
    asyncio.run(asked())


def test_whoever_no_longer_waits_harms_nobody() -> None:
    async def asked() -> None:
        threads = Threads(MOST, FEW)
        gone = threads.run(time.sleep, 0.05)
        gone.cancel()
        await asyncio.sleep(0.1)
        assert await threads.run(int, "3") == 3

    asyncio.run(asked())


def test_a_loop_that_ends_before_its_calls_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    async def asked() -> None:
        Threads(MOST, FEW).run(time.sleep, 0.2)
        await asyncio.sleep(0.01)

    asyncio.run(asked())
    time.sleep(0.4)
    assert "Traceback" not in capsys.readouterr().err
