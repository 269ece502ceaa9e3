"""A real browser before the real server with its real workers, and the page as a learner handles it."""

import contextlib
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
SECONDS = 1_000  # ms, the unit of Playwright's time-outs
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
)
# What a page shows for a moment only is kept: the texts below the chart, those for screen readers, and any exception.
WATCH = """
window.clockTexts = [];
window.announced = [];
new MutationObserver(() => {
  const clocks = [...document.querySelectorAll(".st-key-race_verdict")].map((clock) => clock.innerText.trim());
  if (clocks.length > 1) console.error("The page stands there twice: " + clocks.join(" / "));
  if (clocks.length && clocks[0] !== window.clockTexts.at(-1)) window.clockTexts.push(clocks[0]);
  const said = document.querySelector("#lab_says")?.textContent;
  if (said && said !== window.announced.at(-1)) window.announced.push(said);
  for (const box of document.querySelectorAll('[data-testid="stException"]:not([data-seen])')) {
    box.dataset.seen = "";
    console.error("The page shows an exception: " + box.innerText.split("\\n")[0]);
  }
}).observe(document, {subtree: true, childList: true, characterData: true});
"""

# The first is a Chromium without windows: its pages are there in two thirds of the time.
CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

AT_REST = """() =>
  [...document.querySelectorAll("[data-testid=stVegaLiteChart]")].every((chart) => chart.querySelector("svg.marks")) &&
  document.getAnimations().every((animation) => animation.playState !== "running")
"""

# What the browser and Streamlit's page say of a connection that is cut; the last, when the page is about to ask for
# the next picture at that moment.
CUT = (
    "ERR_CONNECTION_|when disconnected from server|reaching server endpoint|server is not responding"
    "|WebSocket is already in CLOSING or CLOSED state"
)

expect.set_options(timeout=30 * SECONDS)  # other work may keep the machine busy


class Server:
    """`streamlit run app.py` in a process of its own, with one worker whatever the machine."""

    def __init__(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.process: psutil.Popen

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        in_the_background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]  # as a shell starts what ends with "&"
        command = [*in_the_background, sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
        self.process = psutil.Popen(
            [*command, "--server.address=127.0.0.1", f"--server.port={self.port}"],
            cwd=ROOT,
            env=os.environ | {"SGD_TF_WORKERS": "1", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # a few lines; what the workers say goes to standard error
            text=True,
        )
        if not any("URL:" in line for line in self.process.stdout):
            self.process.stdout.close()
            raise RuntimeError(f"The server ended at its start, exit status {self.process.wait()}.")

    def end(self, how: signal.Signals = signal.SIGTERM) -> list[psutil.Process]:
        """Send it a signal, and return which of its processes still run 5 s later; those are killed."""
        family = self.family()
        self.process.send_signal(how)
        _gone, left = psutil.wait_procs(family, timeout=5)
        # A container without an init process keeps what has ended as a zombie.
        alive = [process for process in left if status(process) != psutil.STATUS_ZOMBIE]
        for process in alive:
            process.kill()
        self.process.stdout.close()
        return alive

    def family(self) -> list[psutil.Process]:
        """The server and all processes that it has started."""
        return [self.process, *self.process.children(recursive=True)]

    def worker(self) -> psutil.Process:
        """The process that trains: the largest of those that the process of the cluster has spawned."""
        spawned = [process for process in self.family() if "spawn_main" in " ".join(process.cmdline())]
        return max(spawned, key=lambda process: process.memory_info().rss)


def status(process: psutil.Process) -> str:
    try:
        return process.status()
    except psutil.NoSuchProcess:
        return psutil.STATUS_ZOMBIE


class Lab:
    """One tab with the lab: what a learner sees and presses."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.add_init_script(WATCH)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        # The files of a race are dropped when the next one starts, while their buttons may still be there for a moment.
        is_dropped_file = "/media/" in message.location["url"] or "Download Button source error" in message.text
        # Below the address of a page Streamlit looks for its server first, and then where it is.
        is_first_guess = re.search(r"/\w+/_stcore/(health|host-config)$", message.location["url"])
        if message.type == "error" and not ((is_dropped_file or is_first_guess) and "404" in message.text):
            self.errors.append(message.text)

    def open(self, address: str, ready: str = "race_run") -> None:
        """Go to an address, and wait until what has that key is there, and can be pressed if it is a button."""
        self.page.goto(address)
        expect(self.keyed(ready)).to_be_visible(timeout=60 * SECONDS)
        if self.button(ready).count() == 1:
            expect(self.button(ready)).to_be_enabled(timeout=60 * SECONDS)

    def keyed(self, key: str) -> Locator:
        return self.page.locator(f".st-key-{key}")

    def button(self, key: str) -> Locator:
        return self.keyed(key).get_by_role("button")

    @property
    def run(self) -> Locator:
        return self.button("race_run")

    @property
    def stop(self) -> Locator:
        return self.button("race_stop")

    @property
    def clock(self) -> Locator:
        return self.keyed("race_verdict")

    @property
    def results(self) -> Locator:
        return self.keyed("race_results")

    @property
    def problem(self) -> Locator:
        return self.keyed("problem").get_by_role("combobox")

    @property
    def film(self) -> Locator:
        return self.keyed("race_film").get_by_role("slider")

    def chosen(self, key: str) -> Locator:
        """What is switched on in a row of chips or segments."""
        return self.keyed(key).locator("[aria-checked=true], [aria-pressed=true]")

    def table(self, key: str) -> list[list[str]]:
        """Rows of a table, without its head."""
        rows = self.keyed(key).locator("tbody tr").all()
        return [[cell.strip() for cell in row.locator("th, td").all_inner_texts()] for row in rows]

    def settle(self) -> None:
        """Wait until the page has been redrawn: its script runs no more, its charts are there and nothing fades."""
        expect(self.page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        self.page.wait_for_function(AT_REST)

    def start(self) -> None:
        """Press Run and wait until the contestants train."""
        self.run.click()
        self.expect_training()

    def expect_training(self) -> None:
        expect(self.clock).to_contain_text(re.compile("Trained for|초 훈련함"), timeout=90 * SECONDS)

    def expect_results(self) -> None:
        expect(self.results).to_be_visible(timeout=90 * SECONDS)
        expect(self.keyed("race_target").locator("tbody tr").first).to_be_visible()  # drawn after the heading above it
        expect(self.run).to_be_enabled()
        expect(self.stop).to_be_disabled()

    def race(self) -> None:
        """Run a race to its end."""
        self.run.click()
        expect(self.run).to_be_disabled()
        self.expect_results()


@contextlib.contextmanager
def chromium():
    """A Chromium: the one that SGD_TF_CHROMIUM names, else one that is installed, else Playwright's own."""
    installed = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    path = os.environ.get("SGD_TF_CHROMIUM") or installed
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextlib.contextmanager
def new_lab(browser: Browser, *, cut: bool = False, **options):
    """A tab of its own, with cookies of its own; fails at its end if the page or its console had an error.

    Args:
        browser: where.
        cut: whether the connection is cut on purpose, of which the browser and Streamlit complain.
        options: of the browser's context, such as `locale`.
    """
    settings = {"locale": "en-US", "viewport": {"width": 1280, "height": 800}, **options}
    with browser.new_context(**settings) as context:
        lab = Lab(context.new_page())
        yield lab
    complaints = re.compile(CUT if cut else "^$")
    assert [error for error in lab.errors if not complaints.search(error)] == []


@contextlib.contextmanager
def running_server():
    """A server that nobody has visited yet."""
    server = Server()
    server.start()
    try:
        yield server
    finally:
        if server.process.is_running():
            server.end()


@pytest.fixture
def fresh_server():
    """A server of a test's own."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def server():
    """The server that all tests share, warm: a first race has run."""
    with running_server() as server:
        with chromium() as browser, new_lab(browser) as lab:
            lab.open(f"{server.url}gd_vs_sgd?k=32&seconds=1")
            lab.race()
        yield server


@pytest.fixture(scope="module")
def browser(server):
    """The browser of a module. It ends before other modules: Playwright keeps an event loop in this thread."""
    del server  # it is there first, as it needs a browser of its own for a moment
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def new_tab(browser):
    """Makes one tab to use in a `with` block, of which several tests of a module make use."""
    return functools.partial(new_lab, browser)


@pytest.fixture
def open_lab(server, browser):
    """Opens tabs: `open_lab("k=32&seconds=2", locale="ko-KR")`; they are closed after the test.

    Other pages than the race: `open_lab("k=5", page="sampling", ready="key of what is there then")`.
    """
    with contextlib.ExitStack() as tabs:

        def open_one(query: str = "", *, page: str = "gd_vs_sgd", ready: str = "race_run", **options) -> Lab:
            lab = tabs.enter_context(new_lab(browser, **options))
            lab.open(f"{server.url}{page}?{query}", ready)
            return lab

        yield open_one
