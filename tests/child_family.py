"""A child that starts another and prints its process id, for test_children.py: ``python -m tests.child_family``."""

import subprocess
import sys

from sgd_tf.children import end_with_parent

if __name__ == "__main__":
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(grandchild.pid, flush=True)
    end_with_parent().join()
