"""Learners without a browser: each holds a connection to the lab as the page's own JavaScript does.

They answer to the server's timers, change controls and press Run, so that a class can be put before one server on
the machine that also measures.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import websockets
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

PATIENCE = 60.0  # seconds that a learner waits for an answer
ENDS = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
Place = tuple[int, ...]  # of an element on the page, from the outermost container inwards


@dataclass
class Learner:
    """One session with the lab."""

    url: str  # ws://…/_stcore/stream
    query: str = ""
    page: str = "gd_vs_sgd"  # its name in the address; empty for the first one
    latencies: list[float] = field(default_factory=list)  # seconds from a control to the end of its rerun
    errors: list[str] = field(default_factory=list)
    num_bytes: int = 0  # received
    speeds: dict[str, str] = field(default_factory=dict)  # contestant → samples/s, as the page shows them
    session: str = ""  # its name in the server
    elements: dict[Place, Any] = field(default_factory=dict)  # what the page shows now
    toasts: list[str] = field(default_factory=list)
    is_at_rest: bool = False  # the page is drawn to its end
    _fragments: dict[Place, str] = field(default_factory=dict)  # to which an element belongs
    _drawn: set[Place] = field(default_factory=set)  # by the run of the page that goes on
    _widgets: dict[str, tuple[str, object, str]] = field(default_factory=dict)  # key → id, element, fragment
    _timers: dict[str, tuple[float, asyncio.Task]] = field(default_factory=dict)  # fragment → seconds, its timer
    _states: dict[str, dict] = field(default_factory=dict)  # id → field of WidgetState and value
    _hash: str = ""
    _awaited: str = ""  # id of the control whose answer is waited for
    _was_heard: bool = False  # whether the server has begun a run since
    _was_sent: bool = False  # whether such a run has sent it

    async def __aenter__(self) -> Learner:
        await self._connect("streamlit")
        return self

    async def _connect(self, *words: str) -> None:
        origin = self.url.replace("ws:", "http:").split("/_")[0]
        self._socket = await websockets.connect(self.url, subprotocols=words, max_size=None, origin=origin)
        self._finished = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    def cut(self) -> None:
        """Lose the connection, without a word to the server."""
        self._stop_timers()
        self._reader.cancel()
        self._socket.transport.abort()

    async def come_back(self) -> float:
        """Connect again, in the same session if the server still has it; seconds until the page is drawn."""
        await self._connect("streamlit", "PLACEHOLDER_AUTH_TOKEN", self.session)  # as the page does without a token
        return await self._rerun()

    async def __aexit__(self, *_exception: object) -> None:
        self._stop_timers()
        self._reader.cancel()
        await self._socket.close()

    async def open(self) -> float:
        """The first run of the page; its seconds."""
        return await self._rerun()

    async def change(self, key: str, **value: object) -> float:
        """Set a control and wait for the page; its seconds.

        Args:
            key: of the control.
            value: a field of WidgetState, such as `bool_value=True`.
        """
        identity, _element, fragment = self._widgets[key]
        self._states[identity] = value
        seconds = math.inf
        try:
            seconds = await self._rerun(fragment, identity)
        finally:
            self.latencies.append(min(seconds, PATIENCE))
        return seconds

    def enabled(self, key: str) -> bool:
        """Whether a button can be pressed."""
        return key in self._widgets and not self._widgets[key][1].disabled

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands."""
        return not self._reader.done()

    async def until_enabled(self, key: str) -> None:
        """Wait until a button can be pressed."""
        while not self.enabled(key):
            await asyncio.sleep(0.1)

    async def _rerun(self, fragment: str = "", awaited: str = "") -> float:
        self._awaited, self._was_heard, self._was_sent = awaited, False, False
        self._finished.clear()
        start = time.perf_counter()
        await self._ask(fragment)
        if "trigger_value" in self._states.get(awaited, ()):  # a button is pressed once, whoever asks next
            del self._states[awaited]
        finished = asyncio.create_task(self._finished.wait())
        done, _ = await asyncio.wait([finished, self._reader], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if finished not in done:
            finished.cancel()
            if done:
                raise RuntimeError(f"The connection was lost: {self._reader.exception()!r}")
            heard = "a run began, " if self._was_heard else ""
            raise RuntimeError(
                f"{time.strftime('%X')}: {heard}no answer within {PATIENCE:g} s to {awaited or 'the first visit'}."
            )
        return time.perf_counter() - start

    async def _ask(self, fragment: str, *, by_timer: bool = False) -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_script_hash, state.fragment_id = self.query, self._hash, fragment
        state.is_auto_rerun, state.page_name = by_timer, "" if self._hash else self.page
        for identity, value in self._states.items():
            widget = state.widget_states.widgets.add(id=identity)
            for name, content in value.items():
                setattr(widget, name, content)
        await self._socket.send(message.SerializeToString())

    async def _read(self) -> None:
        async for data in self._socket:
            self.num_bytes += len(data)
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self._was_heard = True
                self.session = message.new_session.initialize.session_id
                self.is_at_rest, self._redrawn = False, frozenset(message.metadata.run.fragment_ids)
                self._drawn.clear()
                if not self._redrawn:  # the whole page: its timers are set anew
                    self._stop_timers()
            elif kind == "auto_rerun":
                self._start_timer(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            elif kind == "stop_auto_rerun":
                for name in message.stop_auto_rerun.fragment_ids:
                    self._stop_timer(name)
            elif kind == "delta":
                self._take(message.delta, tuple(message.metadata.delta_path))
            elif kind == "navigation":
                self._hash = message.navigation.page_script_hash
            elif kind == "page_info_changed":
                self.query = message.page_info_changed.query_string
            elif kind == "script_finished" and message.script_finished in ENDS:
                self._forget_stale()
                self.is_at_rest = True
                if self._was_sent or not self._awaited:
                    self._finished.set()

    def _forget_stale(self) -> None:
        """Drop what the run that ends would have drawn again, if it were still on the page."""
        for place in self.elements.keys() - self._drawn:
            if not self._redrawn or self._fragments[place] in self._redrawn:
                del self.elements[place], self._fragments[place]

    def _take(self, delta, place: Place) -> None:
        kind = delta.WhichOneof("type")
        if kind == "new_transient":
            return
        element = delta.new_element if kind == "new_element" else delta.add_block
        self.elements[place], self._fragments[place] = element, delta.fragment_id
        self._drawn.add(place)
        if kind != "new_element":
            return
        kind = element.WhichOneof("type")
        if kind == "exception":
            self.errors.append(f"{element.exception.type}: {element.exception.message}")
        elif kind == "toast":
            self.toasts.append(element.toast.body)
        part = getattr(element, kind or "", None)
        if kind == "table":
            table = convert_arrow_bytes_to_pandas_df(part.arrow_data.data)
            if "Samples/s" in table:
                self.speeds = table["Samples/s"].to_dict()
        identity = getattr(part, "id", "")
        if identity.startswith("$$ID-"):
            self._widgets[identity.split("-", 2)[2]] = (identity, part, delta.fragment_id)
            self._was_sent |= self._was_heard and identity == self._awaited

    def _start_timer(self, fragment: str, seconds: float) -> None:
        if self._timers.get(fragment, (0.0, None))[0] != seconds:
            self._stop_timer(fragment)
            self._timers[fragment] = seconds, asyncio.create_task(self._tick(fragment, seconds))

    def _stop_timer(self, fragment: str) -> None:
        if fragment in self._timers:
            self._timers.pop(fragment)[1].cancel()

    def _stop_timers(self) -> None:
        for fragment in list(self._timers):
            self._stop_timer(fragment)

    async def _tick(self, fragment: str, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._ask(fragment, by_timer=True)


async def behave(learner: Learner, is_over: asyncio.Event, think: float, race_every: float) -> None:
    """Use the page until it is over: a control every few seconds, of the picture or the race; and Run now and then."""
    draw = random.Random(id(learner))
    next_race = time.monotonic() + draw.uniform(0, race_every)
    log = True
    while not is_over.is_set():
        await asyncio.sleep(draw.expovariate(1 / think))
        if time.monotonic() > next_race and learner.enabled("race_run"):
            next_race = time.monotonic() + race_every
            await learner.change("race_run", trigger_value=True)
        elif draw.random() < 0.5:
            log = not log
            await learner.change("log", bool_value=log)
        else:
            await learner.change("seed", double_value=draw.randrange(1_000))


async def race(url: str, query: str) -> dict[str, str]:
    """Open a page, run its race, and follow it to its end; samples/s of each contestant."""
    async with Learner(url, query=query) as learner:
        await learner.open()
        await learner.until_enabled("race_run")
        await learner.change("race_run", trigger_value=True)
        await learner.until_enabled("race_run")
        return learner.speeds


async def longest_pause(is_over: asyncio.Event) -> float:
    """The longest time, in seconds, for which this process stood still; an answer may have waited for it."""
    longest = 0.0
    while not is_over.is_set():
        start = time.monotonic()
        await asyncio.sleep(0.1)
        longest = max(longest, time.monotonic() - start - 0.1)
    return longest


async def crowd(url: str, num: int) -> dict:
    """So many learners at once: seconds of their first pages and of their reruns, what went wrong, the longest pause.

    Prints "open" as soon as all have the page before them; they leave when standard input ends.
    """
    is_over = asyncio.Event()
    opened: list[float] = []
    latencies: list[float] = []
    errors: list[str] = []
    all_there = asyncio.Barrier(num + 1)

    async def one() -> None:
        learner = Learner(url, query="k=32&k=all&seconds=1&target=0")
        try:
            async with contextlib.AsyncExitStack() as connection:
                try:
                    await connection.enter_async_context(learner)
                    opened.append(await learner.open())
                finally:
                    await all_there.wait()
                await behave(learner, is_over, think=4.0, race_every=15.0)
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
        latencies.extend(learner.latencies)
        errors.extend(learner.errors)

    learners = [asyncio.create_task(one()) for _ in range(num)]
    await all_there.wait()
    pause = asyncio.create_task(longest_pause(is_over))
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    is_over.set()
    await asyncio.gather(*learners)
    return {"opened": opened, "latencies": latencies, "errors": errors, "pause": await pause}


if __name__ == "__main__":
    address, what = sys.argv[1:]
    print(json.dumps(asyncio.run(crowd(address, int(what)) if what.isdecimal() else race(address, what))))
