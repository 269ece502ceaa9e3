"""What holds for every page of the lab."""

import subprocess
import sys
from pathlib import Path

import pytest

from sgd_tf.ui import runs
from tests.lab import FakeCluster, checked, open_app

ROOT = Path(__file__).parents[2]
PARTS = {
    "pages/learn/sampling.py": ("sampling_part", ("ways", "floor", "sorted", "genie")),
    "pages/learn/gradient_noise.py": ("noise_part", ("path", "law", "escape", "edge")),
    "pages/lab/memory.py": ("memory_part", ("wall", "parts")),
    "pages/lab/data_parallel.py": ("parallel_part", ("devices", "machines")),
}
PAGES = sorted(str(page.relative_to(ROOT)) for page in (ROOT / "pages").glob("*/*.py"))
# Every part of every page: its file, and what stands in its address.
VISITS = [
    (page, {key: part} if key else {})
    for page in PAGES
    for key, parts in [PARTS.get(page, ("", ("",)))]
    for part in parts
]


def test_the_web_server_imports_no_tensorflow_for_any_page():
    assert len(VISITS) > len(PAGES) > 4
    code = f"""
import sys
from unittest.mock import patch
from sgd_tf.ui import runs
from tests.lab import FakeCluster, open_app
with patch.object(runs, "connect", FakeCluster):
    for page, address in {VISITS!r}:
        open_app(page=page, **address)
print([name for name in ("tensorflow", "keras") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stderr[-2000:]


@pytest.mark.parametrize(
    ("page", "key", "message"),
    [
        ("pages/lab/gd_vs_sgd.py", "widths", {"en": "Hidden layers", "ko": "은닉층"}),
        ("pages/lab/batch_size.py", "sweep_widths", {"en": "Hidden layers", "ko": "은닉층"}),
        ("pages/lab/batch_size.py", "sweep_rates", {"en": "Learning rates", "ko": "학습률"}),
    ],
)
def test_a_text_that_is_not_valid_keeps_its_message_while_other_controls_change(monkeypatch, page, key, message):
    monkeypatch.setattr(runs, "connect", FakeCluster)
    app = open_app(page=page)
    app.text_input(key=key).set_value("64; 32").run()
    for language in ("ko", "en"):
        checked(app.segmented_control(key="lang").set_value(language).run())
        assert [message[language] in error.value for error in app.error] == [True]
        assert app.text_input(key=key).value == "64; 32"
    checked(app.text_input(key=key).set_value("8, 16").run())
    assert not app.error
