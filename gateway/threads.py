"""Threads that run calls for an event loop: few while the calls are short, more while some take long.

Only one thread runs Python at a time. Short calls in many threads do not end sooner, but make these wait for one
another again and again, which costs a fifth of all that a process can answer. A call that waits long for the database,
however, must not keep others from being made: once it has taken a moment, another thread is started in the place of its
own, which ends with it.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Given = TypeVar("_Given")
_Work = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", "Callable[..., Any]", tuple[Any, ...]]

FEW = 3
MOMENT = 0.03
"""Seconds after which a call counts as long."""


class Threads:
    """Threads for one event loop, started when they are needed. They do not keep the process from ending."""

    def __init__(self, most: int, few: int = FEW) -> None:
        """At most `most` calls run at a time, of which `few` are short ones."""
        self._most, self._few = most, few
        self._waiting: SimpleQueue[_Work] = SimpleQueue()
        self._began: dict[int, float] = {}  # when the call of each busy thread began, by the thread's number
        self._count = 0
        self._counting = threading.Lock()
        self._looking = False

    def run(self, call: Callable[..., _Given], *arguments: Any) -> asyncio.Future[_Given]:
        """What the call gives or raises, to be awaited in the running loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Given] = loop.create_future()
        self._waiting.put((loop, future, call, arguments))
        if self._count < self._few:
            self._start()
        elif not self._looking and not self._waiting.empty():
            self._looking = True
            loop.call_later(MOMENT, self._look, loop)
        return future

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start another thread while calls wait and too few threads are free of long ones."""
        self._looking = not self._waiting.empty()
        if self._looking:
            since = monotonic() - MOMENT
            long = sum(began < since for began in list(self._began.values()))
            if self._count - long < self._few and self._count < self._most:
                self._start()
            loop.call_later(MOMENT, self._look, loop)

    def _start(self) -> None:
        with self._counting:
            self._count += 1
        threading.Thread(target=self._work, name="answers", daemon=True).start()

    def _work(self) -> None:
        me = threading.get_ident()
        while True:
            loop, future, call, arguments = self._waiting.get()
            began = self._began[me] = monotonic()
            try:
                answered = future.set_result, call(*arguments)
            except BaseException as raised:  # noqa: BLE001 - whoever awaits it gets it
                answered = future.set_exception, raised
            del self._began[me]
            with suppress(RuntimeError):  # The loop has ended.
                loop.call_soon_threadsafe(_tell, future, *answered)
            del future, call, arguments, answered  # Idle, it holds on to nothing.
            if monotonic() - began > MOMENT and self._surplus():
                return

    def _surplus(self) -> bool:
        """Whether this thread was one too many; it is then no longer counted."""
        with self._counting:
            surplus = self._count > self._few
            self._count -= surplus
        return surplus


def _tell(future: asyncio.Future[Any], tell: Callable[[Any], None], what: Any) -> None:
    if not future.done():  # Nobody may wait for it any more.
        tell(what)
