"""A class at work for an hour, while workers die, connections break and addresses hold nonsense.

    python benchmarks/soak.py [--minutes 60] [--learners 30] [--seed 0] [--out FOLDER]

Starts the server as `make app` does, with a temporary folder of its own. Each learner opens a random page, one visit in
five with nonsense in its address, presses Run and waits, stops the run, loses the connection for some seconds, or
leaves. Meanwhile worker processes and the process of the local cluster are killed (SIGKILL). When the time is over, who
still waits presses Stop.

Counted, one row for every ten minutes: runs that finished, were stopped or left by their learners, failed since their
worker was killed twice, or were lost, which is all else; wrong messages (an exception, a failure without a kill,
nonsense in an address that is not named, no answer); the faults; memory and descriptors. At the end: growth per run,
processes and files that the server has left behind. Exit status 1 if anything was lost, wrong or left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import judge
import learners
import psutil
import report
import tally
from learners import Learner
from server import Server
from tally import Notes, Sample

from sgd_tf.claims import view as claims_view
from sgd_tf.devices import controls as devices
from sgd_tf.double_loop import controls as what_is_sgd_controls
from sgd_tf.memory import controls as memory
from sgd_tf.noise import controls as noise
from sgd_tf.racing import controls
from sgd_tf.sampling import controls as sampling
from sgd_tf.sweep import controls as sweep_controls
from sgd_tf.sweep import view as sweep_view
from sgd_tf.ui import settings

FUZZED = 0.2  # share of the visits with nonsense in the address
FATES = {"wait": 0.55, "cut": 0.2, "stop": 0.15, "leave": 0.1}  # what becomes of a run, with its probability
WORKER_EVERY, CLUSTER_EVERY = (60.0, 150.0), (240.0, 420.0)  # s between two kills
CUT = (1.0, 12.0)  # s without a connection; a run that nobody wants is stopped after 30 s
PATIENCE = 900.0  # s that a run may take, its queue included
RECENT = 120.0  # s after a kill, in which the workers may be away
STOPPED_AFTER = 30.0  # s, at the very most
LOOK_EVERY, SAMPLE_EVERY = 0.5, 5.0  # s
END_SECONDS = 5.0  # that a server takes to be gone with all its processes
NONSENSE = (
    *("nan", "-inf", "1e400", "-3", "0x10", "9" * 400, "1" * 5000, "½", "٣٣٣٣٣٣٣٣٣٣٣٣", "64; 32", "all,", "\x00"),
    *("<script>alert(1)</script>", "![x](http://example.org)", "../../etc/passwd", "$x^2$", ":red[x]", "🏁"),
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A page, or a part of one, that learners come to."""

    page: str  # name in the address; empty for the first
    address: Mapping[str, str] = field(default_factory=dict)  # always there: the part, what keeps runs short
    choices: Mapping[str, Sequence[str | list[str]]] = field(default_factory=dict)  # what differs from visit to visit
    settings: tuple[settings.Setting[Any], ...]  # all that the address may hold
    run: str = ""  # key of its button; empty where the page asks by itself
    stop: str = ""
    results: str = ""  # key of what stands there after a complete run only
    weight: float = 1.0  # how often, beside others


def _of(
    page: str,
    name: str,
    settings: tuple[settings.Setting[Any], ...],
    *,
    results: str = "",
    weight: float = 1.0,
    **address: str,
) -> Place:
    """An experiment with the buttons that all have."""
    run, stop = f"{name}_run", f"{name}_stop"
    return Place(page=page, address=address, settings=settings, run=run, stop=stop, results=results, weight=weight)


PLACES = (
    Place(
        page="gd_vs_sgd",
        address={"seconds": "1"},
        choices={
            "k": [["32", "all"], ["1", "128"], ["8", "64", "all"]],
            "problem": ["digits", "diabetes", "breast_cancer", "line"],
            "model": ["linear", "mlp"],
            "x": ["seconds", "update"],
        },
        settings=controls.SETTINGS,
        run="race_run",
        stop="race_stop",
        weight=6.0,
    ),
    Place(page="what_is_sgd", settings=what_is_sgd_controls.SETTINGS, choices={"sgd_k": ["2", "6", "7"]}),
    Place(
        page="sampling",
        settings=(sampling.SAMPLES, sampling.BATCH_SIZE, sampling.BUFFER_SIZE, sampling.SEED, sampling.EPOCHS),
        choices={"sampling_k": ["5", "10", "30"]},
    ),
    Place(
        page="gradient_noise",
        settings=(noise.BATCH_SIZE, noise.RATE, noise.PATH, noise.UPDATES),
        choices={"noise_k": ["1", "8"]},
    ),
    _of("sampling", "sampling_floor", (sampling.FLOOR_SIZE,), sampling_part="floor", sampling_seeds="3"),
    _of(
        "sampling",
        "sampling_sorted",
        (sampling.SORTED_BUFFER, sampling.SORTED_RATE, sampling.SORTED_SIZE, sampling.MEASURE),
        sampling_part="sorted",
        sampling_seeds="3",
    ),
    _of(
        "sampling",
        "sampling_genie",
        (sampling.COPIES, sampling.GENIE_SIZE, sampling.COUNTER),
        sampling_part="genie",
        sampling_seeds="3",
    ),
    _of(
        "gradient_noise",
        "noise_law",
        (noise.LAW_PROBLEM, noise.LAW_MODEL, noise.STAGE, noise.SEED),
        results="noise_law_results",
        noise_part="law",
    ),
    _of("gradient_noise", "noise_escape", (noise.SPREAD, noise.SEED), noise_part="escape"),
    _of(
        "gradient_noise",
        "noise_edge",
        (noise.EDGE_PROBLEM, noise.EDGE_MODEL, noise.SEED),
        results="noise_edge_results",
        noise_part="edge",
    ),
    Place(
        page="batch_size",
        address={"sweep_seeds": "1", "sweep_rule": "fixed", "sweep_k": "256"},
        settings=sweep_controls.SETTINGS + sweep_view.SETTINGS,
        run="sweep_run",
        stop="sweep_stop",
    ),
    # These start processes with a TensorFlow of their own, and take many times as long.
    _of(
        "memory",
        "memory_wall",
        (memory.PROBLEM, memory.MODEL, memory.LIMIT, memory.MICRO_BATCH_SIZE),
        weight=0.2,
        memory_part="wall",
        memory_k="256",
    ),
    _of(
        "memory", "memory_parts", (memory.PROBLEM, memory.MODEL), weight=0.2, memory_part="parts", memory_parts_k="256"
    ),
    _of(
        "data_parallel",
        "parallel_devices",
        (devices.PROBLEM, devices.BATCH_SIZE),
        weight=0.2,
        parallel_part="devices",
        parallel_r="2",
    ),
    _of(
        "data_parallel",
        "parallel_machines",
        (devices.PROBLEM, devices.BATCH_SIZE, devices.FATE),
        weight=0.2,
        parallel_part="machines",
    ),
    Place(page="claims", settings=claims_view.SETTINGS, run="claims_run_iterations", stop="claims_stop"),
)


def address_of(place: Place, draw: random.Random) -> tuple[str, list[str]]:
    """A random address of a page, and the settings in it that hold nonsense."""
    words: dict[str, str | list[str]] = {"lang": draw.choice(["ko", "en"])}
    words |= {key: draw.choice(options) for key, options in place.choices.items()}
    fuzzed = []
    if draw.random() < FUZZED:
        free = [setting for setting in place.settings if setting.key not in place.address]
        for setting in draw.sample(free, min(len(free), draw.randint(1, 4))):
            words[setting.key] = text = draw.choice(NONSENSE)
            if is_nonsense(setting, text):
                fuzzed.append(setting.key)
    return urlencode({**words, **place.address}, doseq=True), fuzzed


def is_nonsense(setting: settings.Setting[Any], text: str) -> bool:
    """Whether a text is no value of a setting: then its default is used, and the page says so."""
    try:
        setting.parse([text])
    except (ValueError, KeyError, OverflowError):
        return True
    return False


class Watch:
    """The processes of the server: what they take, which to kill, and what is left of them."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.server, self.folder = psutil.Process(pid), folder
        self.seen: set[psutil.Process] = set()

    def clusters(self) -> list[psutil.Process]:
        """The process of the local cluster; a list, since it may be away."""
        return [child for child in self.server.children() if "sgd_tf.jobs.local_cluster" in _command(child)]

    def workers(self) -> list[psutil.Process]:
        """The processes that train."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [
                child for parent in self.clusters() for child in parent.children() if "spawn_main" in _command(child)
            ]
        return []

    def sample(self, notes: Notes) -> None:
        """Note what is taken now."""
        self.seen.update(self.server.children(recursive=True))
        workers = 0
        for worker in self.workers():
            with contextlib.suppress(psutil.NoSuchProcess):
                workers += worker.memory_info().rss
        notes.samples.append(
            Sample(
                second=notes.now,
                num_runs=notes.num("finished", "stopped", "left", "failed"),
                server=self.server.memory_info().rss / 1e6,
                workers=workers / 1e6,
                descriptors=self.server.num_fds(),
                load=os.getloadavg()[0],
            )
        )

    def left_behind(self) -> list[str]:
        """Processes and files that are there after the server's end; the processes are ended."""
        psutil.wait_procs(self.seen, timeout=END_SECONDS)
        alive = [process for process in self.seen if process.is_running()]  # not another process with its number
        left = [f"process {process.pid}: {_command(process)}" for process in alive]
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return left + [f"in the temporary folder: {path.name}" for path in sorted(self.folder.iterdir())]


def _command(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


class Visit:
    """A learner on a page: opens it, begins a run, and sees what becomes of it."""

    def __init__(
        self, learner: Learner, place: Place, notes: Notes, draw: random.Random, class_over: asyncio.Event
    ) -> None:
        self.learner, self.place, self.notes, self.draw = learner, place, notes, draw
        self.class_over = class_over
        self.began: float | None = None  # when Run was pressed, as long as it is not known what became of it
        self._reported: set[str] = set()

    async def go(self, nonsense: Sequence[str]) -> None:
        """From the address to the end of the run.

        Args:
            nonsense: settings that the page must name, since their text in the address is no value.
        """
        await self.learner.open()
        self.notes("visit")
        self.look()
        if nonsense:
            self.notes("fuzzed")
            if silent := [key for key in nonsense if not any(f"`{key}`" in toast for toast in self.learner.toasts)]:
                self._report(f"nonsense in {silent} is not named")
        if not self.place.run:
            if not self.is_over:
                self.began = self.notes.now
                await self.wait()
        elif self.learner.enabled(self.place.run):
            await asyncio.sleep(self.draw.uniform(0.5, 5.0))
            if self.class_over.is_set():
                return
            self.began = self.notes.now
            await self.learner.change(self.place.run, trigger_value=True)
            await getattr(self, self.draw.choices(list(FATES), list(FATES.values()))[0])()

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, as far as the page shows."""
        if self.place.run:
            return self.learner.is_at_rest and self.learner.enabled(self.place.run)
        kinds = {element.WhichOneof("type") for element in self.learner.elements.values()}
        return self.learner.is_at_rest and "skeleton" not in kinds

    async def wait(self) -> None:
        """Wait for the end, of the run or of the class."""
        if not await self._ends_within(PATIENCE, self.class_over):
            if self.class_over.is_set():
                await self._press_stop()
                return
            self._conclude("lost", f"not ended after {PATIENCE:g} s: {self._status()}")
            return
        parts = self._parts()
        ending = judge.ending(parts, self.place.results) if self.place.run else judge.answer(parts)
        self._conclude(ending, self._status() if ending == "lost" else "")

    async def cut(self) -> None:
        """Lose the connection, come back, and wait for the end."""
        await self._ends_within(self.draw.uniform(0.5, 15.0))
        self.notes("cut")
        session = self.learner.session
        self.learner.cut()
        await asyncio.sleep(self.draw.uniform(*CUT))
        await self.learner.come_back()
        if self.learner.session != session:
            self._report("another session after a cut")
        await self.wait()

    async def stop(self) -> None:
        """Press Stop after a while, waiting or running."""
        if await self._ends_within(self.draw.expovariate(1 / 15.0)):
            await self.wait()
        else:
            await self._press_stop()

    async def _press_stop(self) -> None:
        if not self.place.stop:  # nothing to press: the server stops what nobody looks at
            self._conclude("left")
            return
        await self.learner.change(self.place.stop, trigger_value=True)
        is_stopped = await self._ends_within(STOPPED_AFTER)
        self._conclude("stopped" if is_stopped else "lost", "" if is_stopped else f"not stopped: {self._status()}")

    async def leave(self) -> None:
        """Go away in the middle: the server stops what nobody wants."""
        if await self._ends_within(self.draw.uniform(1.0, 20.0)):
            await self.wait()
        else:
            self._conclude("left")

    async def _ends_within(self, seconds: float, unless: asyncio.Event | None = None) -> bool:
        deadline = self.notes.now + seconds
        while not self.is_over and self.notes.now < deadline and not (unless and unless.is_set()):
            if not self.learner.is_connected:
                raise ConnectionError("The server has ended the connection.")
            await asyncio.sleep(LOOK_EVERY)
            self.look()
        return self.is_over

    def look(self) -> None:
        """Note what must not stand on the page, each message once."""
        kills = self.notes.kills
        messages = judge.wrong_messages(
            self._parts(),
            num_kills=0 if self.began is None else sum(at >= self.began for at in kills),
            is_kill_recent=bool(kills) and self.notes.now - kills[-1] < RECENT,
        )
        for message in [*messages, *(f"exception: {error}" for error in self.learner.errors)]:
            self._report(message)
        if judge.has_begun_again(self._parts()) and "begun again" not in self._reported:
            self._reported.add("begun again")
            self.notes("begun again")

    def _report(self, message: str) -> None:
        if message not in self._reported:
            self._reported.add(message)
            self.notes("wrong", f"/{self.place.page}?{self.learner.query}: {message}")

    def _conclude(self, event: str, detail: str = "") -> None:
        self.look()
        self.notes(event, f"/{self.place.page}?{self.learner.query}: {detail}" if detail else "")
        self.began = None

    def _parts(self) -> list[judge.Part]:
        return judge.parts_of(self.learner.elements.values())

    def _status(self) -> str:
        shown = [part for part in self._parts() if part.kind in ("alert", "progress", "slider", "skeleton")]
        return "; ".join(f"{part.kind} {part.text!r} {part.value:g}" for part in shown)


class Soak:
    """A class before one server, with all that goes wrong meanwhile."""

    def __init__(self, server: Server, watch: Watch, *, num_learners: int, seed: int) -> None:
        self.url = f"ws://127.0.0.1:{server.port}/_stcore/stream"
        self.watch, self.num_learners, self.seed = watch, num_learners, seed
        self.is_over = asyncio.Event()
        self.notes = Notes()

    async def run(self, seconds: float) -> None:
        """Let the class work for so long, and stop the runs that are under way then."""
        await learners.race(self.url, "k=32&k=all&seconds=1")  # from here on the workers are ready
        self.notes = Notes()
        self.watch.sample(self.notes)
        beside = [
            asyncio.create_task(self._kill("worker killed", self.watch.workers, WORKER_EVERY)),
            asyncio.create_task(self._kill("cluster killed", self.watch.clusters, CLUSTER_EVERY)),
            asyncio.create_task(self._sample()),
        ]
        class_ = [asyncio.create_task(self._work(number)) for number in range(self.num_learners)]
        await asyncio.sleep(seconds)
        self.is_over.set()
        await asyncio.gather(*class_)
        for task in beside:
            task.cancel()
        await asyncio.sleep(SAMPLE_EVERY)  # the server notices that all have gone
        self.watch.sample(self.notes)

    async def _work(self, number: int) -> None:
        """One learner, from page to page."""
        draw = random.Random(f"{self.seed} {number}")
        await self._pause(draw.uniform(0.0, 30.0))
        while not self.is_over.is_set():
            (place,) = draw.choices(PLACES, [place.weight for place in PLACES])
            query, nonsense = address_of(place, draw)
            learner = Learner(self.url, query=query, page=place.page)
            visit = Visit(learner, place, self.notes, draw, self.is_over)
            try:
                async with learner:
                    await visit.go(nonsense)
            except Exception as error:
                event = "wrong" if visit.began is None else "lost"
                self.notes(event, f"/{place.page}?{query}: {type(error).__name__}: {error}")
            await self._pause(draw.uniform(1.0, 10.0))

    async def _kill(self, event: str, find: Callable[[], list[psutil.Process]], every: tuple[float, float]) -> None:
        draw = random.Random(f"{self.seed} {event}")
        while True:
            await self._pause(draw.uniform(*every))
            if self.is_over.is_set():
                return
            if found := find():
                self.notes(event)
                with contextlib.suppress(psutil.NoSuchProcess):
                    draw.choice(found).kill()

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_EVERY)
            self.watch.sample(self.notes)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.is_over.wait()


def main() -> int:
    """Let the class work, and print what has become of it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--learners", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    report.add_out(parser)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sgd-tf-soak-") as folder, (arguments.out / "soak.log").open("wb") as log:
        with Server(environment={"TMPDIR": folder}, log=log) as server:
            watch = Watch(server.process.pid, Path(folder))
            soak = Soak(server, watch, num_learners=arguments.learners, seed=arguments.seed)
            asyncio.run(soak.run(60 * arguments.minutes))
        left_behind = watch.left_behind()
    text = "\n".join([tally.table(soak.notes), "", *tally.summary(soak.notes, left_behind)])
    (arguments.out / "soak.md").write_text("\n".join([text, "", *soak.notes.details, ""]), encoding="utf-8")
    print(text)
    return int(soak.notes.num("lost", "wrong") > 0 or bool(left_behind))


if __name__ == "__main__":
    sys.exit(main())
