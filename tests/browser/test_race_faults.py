"""What goes wrong in a class, done on purpose: each time the lab goes on, or says what happened."""

import contextlib
import http.client
import re
import signal
import socket

from playwright.sync_api import expect

SECONDS = 1_000  # ms, the unit of Playwright's time-outs
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "c2l4dGVlbiBieXRlcyBvaw==",
    "Sec-WebSocket-Protocol": "streamlit",
}


def test_stop_ends_the_race_at_once_keeps_its_curve_and_leaves_the_worker_to_the_next(open_lab):
    lab = open_lab("k=32&k=all&seconds=30&target=0")
    lab.start()
    trained = float(re.search(r"Trained for ([\d.]+)", lab.clock.inner_text())[1])  # by each of both
    lab.stop.click()
    lab.expect_results()
    assert float(re.search(r"Stopped at ([\d.]+)", lab.clock.inner_text())[1]) <= trained + 1
    assert {row[0] for row in lab.table("race_target")} == {"GD (k = 1,437)", "k = 32"}
    lab.start()
    lab.stop.click()
    lab.expect_results()


def test_one_sample_at_a_time_shows_its_first_point_and_can_be_stopped(open_lab):
    lab = open_lab("problem=spirals&k=1&seconds=60&target=0")
    lab.start()
    expect(lab.keyed("race_standings").locator("tbody td:nth-child(4)")).to_have_text(re.compile(r"^[1-9][\d,]*$"))
    lab.stop.click()
    lab.expect_results()


def test_tabs_wait_their_turn_and_a_double_click_is_one_job(open_lab):
    first, second, third = (open_lab(f"k={k}&seconds={s}&target=0") for k, s in [("32", 60), ("256", 1), ("all", 1)])
    first.start()
    second.run.dblclick()
    expect(second.clock).to_have_text(re.compile(r"^In the queue: place 1, about \d+ (s|min)$"))
    expect(second.run).to_be_disabled()
    third.run.click()
    expect(third.clock).to_contain_text("In the queue: place 2, about")  # two jobs of the second tab would make it 3
    expect(first.clock).to_contain_text("Trained for")
    first.stop.click()
    for lab, name in [(first, "k = 32"), (second, "k = 256"), (third, "GD (k = 1,437)")]:
        lab.expect_results()
        assert [row[0] for row in lab.table("race_target")] == [name]


def test_the_language_changes_while_the_race_goes_on(open_lab):
    lab = open_lab("problem=spirals&k=32&k=all&rates=same&seconds=4&x=update&target=0")
    lab.start()
    for language, run, problem, trained in [
        ("한국어", "실행", "두 나선", "초 훈련함"),
        ("English", "Run", "Two spirals", "Trained for"),
    ]:
        lab.page.get_by_role("radio", name=language).click()
        expect(lab.run).to_contain_text(run)
        expect(lab.problem).to_have_value(problem)
        expect(lab.clock).to_contain_text(trained)
        expect(lab.chosen("k")).to_have_text(["32", "GD"])
    lab.expect_results()
    expect(lab.chosen("x")).to_have_text(["Updates"])
    assert {row[0] for row in lab.table("race_target")} == {"GD (k = 1,000)", "k = 32"}


def test_a_race_whose_connection_is_cut_goes_on_in_the_same_session(server, new_tab):
    with new_tab(cut=True) as lab:
        connections = []
        lab.page.route_web_socket(
            re.compile("_stcore/stream"), lambda browser: connections.append((browser, browser.connect_to_server()))
        )
        lab.open(f"{server.url}gd_vs_sgd?k=32&k=all&seconds=3&target=0")
        lab.start()
        for end in connections[0]:
            end.close()
        lab.expect_results()  # a new session would know of no race
        assert len(connections) == 2
        assert {row[0] for row in lab.table("race_target")} == {"GD (k = 1,437)", "k = 32"}


def test_a_race_whose_worker_is_killed_begins_again_on_a_new_worker(server, open_lab):
    lab = open_lab("k=32&k=all&seconds=2&target=0")
    lab.start()
    worker = server.worker()
    worker.kill()
    expect(lab.clock).to_contain_text("Started again", timeout=120 * SECONDS)
    lab.expect_results()
    assert {row[0] for row in lab.table("race_target")} == {"GD (k = 1,437)", "k = 32"}
    assert server.worker() != worker


def test_a_closed_tab_frees_the_worker(server, new_tab, open_lab):
    waiting = open_lab("k=32&seconds=1")
    with new_tab() as leaving:
        leaving.open(f"{server.url}gd_vs_sgd?k=32&k=all&seconds=30&target=0")  # a minute of training
        leaving.start()
    waiting.run.click()
    expect(waiting.clock).to_contain_text("In the queue: place 1")
    expect(waiting.clock).not_to_contain_text("In the queue: place 1", timeout=50 * SECONDS)
    waiting.expect_results()


def test_a_foreign_page_can_neither_connect_nor_upload(server):
    own = server.url.rstrip("/")
    assert answer(server, "GET", "/_stcore/stream", {**HANDSHAKE, "Origin": own}) == 101
    assert answer(server, "GET", "/_stcore/stream", {**HANDSHAKE, "Origin": "http://elsewhere.example"}) == 403
    assert answer(server, "PUT", "/_stcore/upload_file/session/file", {}) == 403  # no XSRF token


def test_a_name_that_is_not_the_labs_opens_nothing_and_an_address_of_the_machine_opens_all(server):
    for host, page, connection in [
        ("elsewhere.example", 421, 421),
        (f"elsewhere.example:{server.port}", 421, 421),
        ("localhost", 200, 101),
        (f"192.168.7.7:{server.port}", 200, 101),
        (f"[::1]:{server.port}", 200, 101),
        (socket.gethostname(), 200, 101),
    ]:
        own = {"Host": host, "Origin": f"http://{host}"}
        assert answer(server, "GET", "/", own) == page
        assert answer(server, "GET", "/_stcore/stream", {**HANDSHAKE, **own}) == connection


def test_other_sites_show_no_page_in_a_frame_and_the_servers_statistics_are_closed(server):
    script = re.search(r'src="\./(static/js/[^"]+)"', ask(server, "GET", "/", {})[1])[1]
    for path in ("/", "/batch_size", "/_stcore/health", f"/{script}", f"/{script}"):  # a script comes from memory then
        status, _body, headers = ask(server, "GET", path, {})
        assert status == 200
        assert headers.get_all("Content-Security-Policy") == ["frame-ancestors 'self'"]
        assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert answer(server, "GET", "/_stcore/metrics", {}) == 404
    assert answer(server, "GET", "/_stcore/metrics?families=session_count", {}) == 404


def answer(server, method: str, path: str, headers: dict[str, str]) -> int:
    """Status of the server's answer to a request that no browser would send."""
    return ask(server, method, path, headers)[0]


def ask(server, method: str, path: str, headers: dict[str, str]):
    """Status, text and headers of the server's answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request(method, path, headers=headers)
        with connection.getresponse() as response:
            text = (
                "" if response.status == 101 else response.read().decode()
            )  # of a connection that stays, nothing ends
            return response.status, text, response.headers


def test_the_first_visitor_of_a_server_may_come_by_a_link_to_a_page(fresh_server, new_tab):
    with new_tab() as lab:
        lab.open(f"{fresh_server.url}batch_size?lang=en", "sweep_controls")
        expect(lab.page.get_by_role("heading", name="Which batch size?")).to_be_visible()
        lab.settle()
        expect(lab.page.get_by_role("dialog")).to_have_count(0)  # "Page not found"


def test_ctrl_c_ends_a_server_that_was_started_in_the_background(fresh_server):
    assert answer(fresh_server, "GET", "/", {}) == 200
    assert fresh_server.end(signal.SIGINT) == []
    assert fresh_server.process.returncode == 0


def test_the_servers_end_leaves_no_process_and_the_page_comes_back_with_the_next_server(server, new_tab):
    with new_tab(cut=True) as lab:
        lab.open(f"{server.url}gd_vs_sgd?problem=spirals&k=32&k=all&seconds=30&target=0")
        lab.start()
        assert server.worker() in server.family()
        assert server.end() == []
        server.start()
        expect(lab.run).to_be_enabled(timeout=60 * SECONDS)
        expect(lab.problem).to_have_value("Two spirals")
        expect(lab.chosen("k")).to_have_text(["32", "GD"])
