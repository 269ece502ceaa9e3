"""A child process for test_children.py: ``python -m tests.child_functions --child …``."""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from sgd_tf import problems
from sgd_tf.children import serve
from sgd_tf.memory import measure
from sgd_tf.problems import DownloadError, given


@dataclass(frozen=True, kw_only=True)
class Row:
    number: int


def chatter():
    """Print from Python and from below it, with and without the end of a line."""
    print("Downloading data from https://example.org/mnist.npz")
    os.write(1, b'{"row": "not one of ours"}\n')
    os.system("echo another program")
    print("0% ....\r50% ....\r", end="")
    os.write(2, "a warning, half a 글자: ".encode()[:-3])


def _forked(answer, first):
    chatter()
    answer.send(Row(number=first))


def answer(request: str) -> Iterator[Row]:
    """Rows between what is printed, then what the request wants."""
    if request.startswith(given.PREFIX):
        yield Row(number=problems.load(request).num_examples)
    chatter()
    yield Row(number=1)
    yield from measure._in_child(_forked, 2)
    chatter()
    yield Row(number=3)
    if request == "download":
        raise DownloadError("mnist", "[Errno 28] No space left on device")
    if request == "long":
        raise ValueError("first " + 900 * "a" + "\nmiddle\n" + "last")
    if request == "half a row":
        os.write(int(sys.argv[3]), b'{"Row": [4')
        os.kill(os.getpid(), signal.SIGKILL)
    print("the last words")


if __name__ == "__main__":
    serve(answer)
