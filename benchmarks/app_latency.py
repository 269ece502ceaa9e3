"""How quickly the lab answers, in a real browser before the real server, alone and with a class at work.

    python benchmarks/app_latency.py [--quick] [--learners 1 10 30] [--out FOLDER]

Server, workers, browser and the other learners share this machine. "First content" is the page's heading, "complete"
its picture. The other learners are connections without a browser (learners.py): each changes a control every 4 s
and runs a race every 15 s. A class is measured alone first, as if its browsers were elsewhere, then beside this one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import report
from playwright.sync_api import Browser, Page, sync_playwright
from server import ROOT, Server

from sgd_tf.racing.rows import run_race
from sgd_tf.training import history
from sgd_tf.training.records import RacePlan, TrainConfig
from sgd_tf.training.warm_up import warm_up

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
)
RACE = "k=32&k=all&seconds=5&target=0"  # of the measurements of a live page
READY = 120_000  # ms
CLASS_SECONDS = 60.0  # that a class works alone
HAS_LINE = """() => [...document.querySelectorAll(".st-key-race_chart .mark-line path")].some(
  (path) => (path.getAttribute("d") ?? "").includes("L"))"""
# From the first line on, how often the chart is drawn anew: all changes up to the next frame are one.
COUNT_FRAMES = f"""() => {{
  let waiting = false;
  window.frames = 0;
  window.counter?.disconnect();
  window.counter = new MutationObserver(() => {{
    if (waiting || !({HAS_LINE})()) return;
    waiting = true;
    requestAnimationFrame(() => {{ waiting = false; window.frames += 1; }});
  }});
  const chart = document.querySelector(".st-key-race_chart");
  window.counter.observe(chart, {{subtree: true, childList: true, attributes: true}});
}}"""


# Of a new visit, by the page's own clock, which begins as the browser goes to the address: ms until the heading is
# there, and until a picture (any chart or image) is, or the page is drawn and has none.
WATCH_VISIT = """
const seen = {};
window.visit = seen;
new MutationObserver((_changes, observer) => {
  if (document.querySelector("[data-testid=stMain] h3")) seen.heading ??= performance.now();
  if (document.querySelector("[data-testid=stMain] :is(svg.marks, canvas, .st-key-start_race)")
      || document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]") && seen.heading
         && !document.querySelector("[data-testid=stSkeleton]")) {
    seen.complete = performance.now();
    observer.disconnect();
  }
}).observe(document, {subtree: true, childList: true, attributes: true});
"""
EMPTY_PAGE = """import streamlit as st

st.subheader("Empty")
"""


def pages() -> list[str]:
    """Addresses of all pages: the name of each file, and nothing for the first page."""
    return ["", *sorted(file.stem for file in (ROOT / "pages").rglob("*.py") if file.stem != "start")]


def first_content(browser: Browser, url: str) -> tuple[float, float]:
    """Seconds until a new visitor sees the heading, and until a picture (any chart or image) is there."""
    with browser.new_context(locale="en-US", viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        page.add_init_script(WATCH_VISIT)
        page.goto(url, wait_until="commit")
        page.wait_for_function("window.visit.heading && window.visit.complete", timeout=READY)
        visit = page.evaluate("window.visit")
        return visit["heading"] / 1e3, visit["complete"] / 1e3


def empty_page(browser: Browser, repetitions: int) -> list[float]:
    """Seconds until a visitor sees the heading of a page with nothing else: what Streamlit itself takes here."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "empty.py"
        script.write_text(EMPTY_PAGE)
        with Server(script) as server:
            first_content(browser, server.url)
            return [first_content(browser, server.url)[0] for _ in range(repetitions)]


def control_seconds(page: Page) -> float:
    """From a click on "Counted in" to the chart with the other axis."""
    to, title = ("Updates", "parameter updates") if "x=update" not in page.url else ("Seconds", "training time")
    button = page.locator(".st-key-x").get_by_role("radio", name=to)
    start = time.perf_counter()
    button.click()
    page.locator(".st-key-race_chart").get_by_text(f"Training loss against {title}").wait_for()
    return time.perf_counter() - start


def race(page: Page) -> dict[str, float]:
    """A race to its end: seconds to the first point, frames and bytes per second while it runs, samples/s of each."""
    page.evaluate(COUNT_FRAMES)
    start = time.perf_counter()
    page.locator(".st-key-race_run button").click()
    page.wait_for_function(HAS_LINE, timeout=READY)
    first, bytes_before = time.perf_counter(), page.num_bytes
    page.wait_for_timeout(2_000)
    seconds = time.perf_counter() - first
    num_frames = page.evaluate("window.frames")
    num_bytes = page.num_bytes - bytes_before
    page.locator(".st-key-race_results").wait_for(timeout=READY)
    speeds = page.locator(".st-key-race_standings tbody tr").evaluate_all(
        "rows => rows.map(row => row.innerText.split('\\t').map(cell => cell.trim()))"
    )
    result = {
        "first point": first - start,
        "chart updates per second": num_frames / seconds,
        "kB per second": num_bytes / seconds / 1e3,
    }
    for cells in speeds:
        result[f"samples/s {cells[0]}"] = float(cells[5].replace(",", ""))
    return result


def new_race(browser: Browser, url: str) -> dict[str, float]:
    """A race on a fresh page: no earlier line stands on its chart."""
    page = open_page(browser, url)
    measured = race(page)
    page.context.close()
    return measured


def race_elsewhere(server: Server) -> dict[str, float]:
    """A race whose page is drawn by a browser of another machine; samples/s of each contestant.

    Here, that is: the page is sent as to a browser, and nothing is drawn.
    """
    shown = json.loads(subprocess.check_output(without_browser(server, f"{RACE}&lang=en"), text=True))
    return {f"samples/s {name}": float(speed.replace(",", "")) for name, speed in shown.items()}


def without_browser(server: Server, *arguments: str) -> list[str]:
    """The command that makes connections as learners do."""
    script = str(Path(__file__).with_name("learners.py"))
    return [sys.executable, script, f"ws://127.0.0.1:{server.port}/_stcore/stream", *arguments]


class Others:
    """Learners without a browser: `num` connections, who work until `leave`."""

    def __init__(self, server: Server, num: int) -> None:
        command = without_browser(server, str(num))
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "open":
            raise RuntimeError("The class did not come.")

    def leave(self) -> dict[str, Any]:
        """Send them away; their `errors`, and seconds: of first pages (`opened`), of answers (`latencies`), `pause`."""
        return json.loads(self.process.communicate()[0])


class Unwatched:
    """The same race on a worker without a server, a page or a browser."""

    def __init__(self) -> None:
        from sgd_tf.jobs import Cluster
        from sgd_tf.training.tuned_rates import tuned_learning_rate

        rates = {k: tuned_learning_rate("digits", "mlp", k) or 0.1 for k in ("all", 32)}
        names = {"all": "GD (k = 1,437)", 32: "k = 32"}
        configs = {names[k]: TrainConfig(batch_size=k, learning_rate=rate) for k, rate in rates.items()}
        self.plan = RacePlan(problem="digits", configs=configs, seconds=5.0)
        self.cluster = Cluster(num_workers=1)
        self.cluster.warm_up(warm_up)
        self.race()

    def race(self) -> dict[str, float]:
        """Samples/s of each contestant."""
        job = self.cluster.submit(run_race, self.plan, learner="me", seconds_limit=60)
        job.wait()
        table = history.latest(history.to_frame(row for row in job.rows if isinstance(row, history.Row)))
        return {
            f"samples/s {name}": speed for name, speed in zip(table["run"], table["examples_per_second"], strict=True)
        }


def open_page(browser: Browser, url: str) -> Page:
    """A tab with the race page, which counts the bytes that the server sends it."""
    page = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 800}).new_page()
    page.num_bytes = 0

    def count(data: str | bytes) -> None:
        page.num_bytes += len(data)

    page.on("websocket", lambda websocket: websocket.on("framereceived", count))
    page.goto(url)
    page.locator(".st-key-race_run button:not([disabled])").wait_for(timeout=READY)
    return page


class Notes:
    """What was measured: printed at once, and kept for the file and the chart."""

    def __init__(self) -> None:
        self.rows: list[dict] = []

    def __call__(self, what: str, num_learners: int, values: Sequence[float], unit: str = "s") -> None:
        """Note the median and the 95th percentile of some values."""
        middle, high = statistics.median(values), float(np.quantile(values, 0.95))
        self.rows.append({"what": what, "learners": num_learners, "median": middle, "p95": high, "unit": unit})
        report.console.print(f"{num_learners:>2} learners  {what:<44} {middle:>12,.3f} {unit}   p95 {high:,.3f}")


def measure_pages(browser: Browser, server: Server, note: Notes, num_learners: int, repetitions: int) -> None:
    """All pages for new visitors, and the controls of the first before and after a race."""
    for path in pages():
        seen = [first_content(browser, server.url + path) for _ in range(repetitions)]
        note(f"first content, /{path}", num_learners, [heading for heading, _ in seen])
        note(f"complete, /{path}", num_learners, [complete for _, complete in seen])
    page = open_page(browser, f"{server.url}gd_vs_sgd?{RACE}")
    for when in ("before", "after"):
        seen = [control_seconds(page) for _ in range(4 * repetitions)]
        note(f"control to redrawn chart, {when} a race", num_learners, seen)
        if when == "before":
            race(page)
    page.context.close()


def measure_class(server: Server, note: Notes, num_learners: int) -> None:
    """A class whose browsers are on other machines: nothing but the server and its worker shares the cores."""
    others = Others(server, num_learners)
    time.sleep(CLASS_SECONDS)
    note_class(others, note, num_learners, "a class alone")


def note_class(others: Others, note: Notes, num_learners: int, where: str) -> None:
    """Send a class away, and note how quickly it was answered."""
    spoken = others.leave()
    note(f"first page, all at once, {where}", num_learners, spoken["opened"])
    note(f"control to answer, {where}", num_learners, spoken["latencies"])
    note(f"learners' longest pause, {where}", num_learners, [spoken["pause"]])
    note(f"errors, {where}", num_learners, [len(spoken["errors"])], "")
    for error in spoken["errors"][:5]:
        report.console.print(error)


def measure_races(
    browser: Browser, server: Server, note: Notes, num_learners: int, repetitions: int, unwatched: Unwatched | None
) -> None:
    """Races on fresh pages, in turn with the same race watched elsewhere, and unwatched."""
    races, elsewhere, alone = [], [], []
    for _ in range(repetitions):
        races.append(new_race(browser, f"{server.url}gd_vs_sgd?{RACE}"))
        if unwatched:
            elsewhere.append(race_elsewhere(server))
            alone.append(unwatched.race())
    for name in races[0]:
        unit = "s" if name == "first point" else ""
        title = "Run to first point, its queue included" if name == "first point" else name
        note(title, num_learners, [one[name] for one in races], unit)
        if alone and name in alone[0]:
            note(f"{name}, unwatched", num_learners, [one[name] for one in alone], unit)
            for title, watched in [("watched / unwatched", races), ("watched elsewhere / unwatched", elsewhere)]:
                ratios = [one[name] / bare[name] for one, bare in zip(watched, alone, strict=True)]
                note(f"{name}, {title}", num_learners, ratios, "")


def main() -> None:
    """Measure, print, and write JSON and chart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--learners", nargs="+", type=int, default=[1, 10, 30])
    report.add_out(parser)
    arguments = parser.parse_args()
    repetitions = 3 if arguments.quick else 7
    note = Notes()
    installed = filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome")))
    chromium = os.environ.get("SGD_TF_CHROMIUM") or next(installed, None)
    with contextlib.ExitStack() as stack:
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=chromium, args=FLAGS)
        note("first content, an empty Streamlit page", 1, empty_page(browser, repetitions))
        server = stack.enter_context(Server())
        note("server start", 1, [server.start_seconds])
        heading, complete = first_content(browser, server.url)
        note("first content, cold", 1, [heading])
        note("complete, cold", 1, [complete])
        new_race(browser, f"{server.url}gd_vs_sgd?{RACE}")  # the workers are warm
        for num_learners in arguments.learners:
            if num_learners == 1:
                measure_pages(browser, server, note, 1, repetitions)
                unwatched = Unwatched()
                measure_races(browser, server, note, 1, repetitions, unwatched)
                unwatched.cluster.close()
                cold = f"{server.url}gd_vs_sgd?k=32&k=all&seconds=1&target=0&widths="  # compiled anew
                firsts = [new_race(browser, f"{cold}{40 + i}")["first point"] for i in range(repetitions)]
                note("Run to first point, to be compiled first", 1, firsts)
                continue
            measure_class(server, note, num_learners)
            others = Others(server, num_learners - 1)
            few = max(1, repetitions // 2)
            measure_pages(browser, server, note, num_learners, few)
            measure_races(browser, server, note, num_learners, few, None)
            note_class(others, note, num_learners, "beside this browser")
        browser.close()
    rows = note.rows
    table = pd.DataFrame(rows)
    times = table[table["unit"].eq("s") & table["learners"].gt(0)]
    chart = (
        alt.Chart(times)
        .mark_bar()
        .encode(
            x=alt.X("median:Q", title="Seconds (median; the line ends at the 95th percentile)"),
            y=alt.Y("what:N", sort=None, title=None),
            yOffset="learners:O",
            color=alt.Color("learners:O", title="Learners"),
        )
    )
    chart += (
        alt.Chart(times)
        .mark_rule()
        .encode(x="median:Q", x2="p95:Q", y=alt.Y("what:N", sort=None), yOffset="learners:O")
    )
    report.write("app_latency", rows, chart.properties(width=500, title="How quickly the lab answers"), arguments.out)


if __name__ == "__main__":
    main()
