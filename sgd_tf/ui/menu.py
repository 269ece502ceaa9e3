"""The menu: the pages of the lab in their groups."""

from __future__ import annotations

from dataclasses import dataclass

from sgd_tf.words import N_


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A page in the menu."""

    file: str  # in `pages/`, without its ending
    title: str  # in English, as it stands in the catalogues
    icon: str
    help: str


MENU: dict[str, tuple[Entry, ...]] = {
    N_("Tutorial"): (
        Entry(
            file="tutorial/shuffled_epochs",
            title=N_("All samples are used. What next?"),
            icon=":material/counter_6:",
            help=N_("Epochs, iterations, and the line of tf.data that draws a new order."),
        ),
    ),
    N_("Learn"): (
        Entry(
            file="learn/what_is_sgd",
            title=N_("What is SGD?"),
            icon=":material/school:",
            help=N_("Epoch, iteration, minibatch and the double loop, step by step."),
        ),
        Entry(
            file="learn/sampling",
            title=N_("How are samples drawn?"),
            icon=":material/shuffle:",
            help=N_("Reshuffling, replacement, shuffle buffers: which samples are drawn when, and what changes."),
        ),
        Entry(
            file="learn/gradient_noise",
            title=N_("Gradient noise"),
            icon=":material/grain:",
            help=N_("How much minibatch gradients vary, and what follows: escapes from minima, the limit 2/λmax."),
        ),
    ),
    N_("Lab"): (
        Entry(
            file="lab/gd_vs_sgd",
            title=N_("Race: GD vs SGD"),
            icon=":material/sports_score:",
            help=N_("Race full gradient descent against minibatch SGD on the same clock."),
        ),
        Entry(
            file="lab/batch_size",
            title=N_("Which batch size?"),
            icon=":material/tune:",
            help=N_("Train with many k, learning rates and seeds: the fastest k, and when a larger k stops helping."),
        ),
        Entry(
            file="lab/step_cost",
            title=N_("What does a step cost?"),
            icon=":material/timer:",
            help=N_("Time of an epoch against k: model.fit and its switches, loops of your own, the lab's loop."),
        ),
        Entry(
            file="lab/memory",
            title=N_("Does it fit in memory?"),
            icon=":material/memory:",
            help=N_("How memory grows with k, what happens at the limit, and the same update in micro-batches."),
        ),
        Entry(
            file="lab/data_parallel",
            title=N_("Data-parallel SGD"),
            icon=":material/hub:",
            help=N_("Split one minibatch over several devices or machines and get the same update."),
        ),
        Entry(
            file="lab/claims",
            title=N_("Test the claims"),
            icon=":material/gavel:",
            help=N_("18 claims about SGD, tested on this machine. Each has a rule and gets a verdict."),
        ),
    ),
}
FIRST = "lab/gd_vs_sgd"  # the page of an address without a name
TITLES = {entry.file: entry.title for entries in MENU.values() for entry in entries}
