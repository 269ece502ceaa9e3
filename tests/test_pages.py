"""What holds for every page of the lab."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = {
    "pages/learn/sampling.py": ("sampling_part", ("ways", "floor", "sorted", "genie")),
    "pages/learn/gradient_noise.py": ("noise_part", ("path", "law", "escape", "edge")),
}


def test_the_web_server_imports_no_tensorflow_for_any_page():
    pages = sorted(str(page.relative_to(ROOT)) for page in (ROOT / "pages").glob("*/*.py"))
    visits = [(page, {key: part}) for page in pages for key, parts in [PARTS.get(page, ("", ("",)))] for part in parts]
    assert len(visits) > len(pages) > 4
    code = f"""
import sys
from unittest.mock import patch
from sgd_tf.ui import runs
from tests.lab import FakeCluster, open_app
with patch.object(runs, "connect", FakeCluster):
    for page, address in {visits!r}:
        open_app(page=page, **{{key: part for key, part in address.items() if key}})
print([name for name in ("tensorflow", "keras") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stderr[-2000:]
