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
    N_("Learn"): (
        Entry(
            file="learn/what_is_sgd",
            title=N_("What is SGD?"),
            icon=":material/school:",
            help=N_("Epoch, iteration, minibatch and the double loop, step by step."),
        ),
        Entry(
            file="learn/sampling",
            title=N_("How samples are drawn"),
            icon=":material/shuffle:",
            help=N_("Reshuffling, replacement, a shuffle buffer: who is visited when, and what it does."),
        ),
        Entry(
            file="learn/gradient_noise",
            title=N_("What the noise does"),
            icon=":material/grain:",
            help=N_("How far k samples lead astray, and what comes of it: the law, the escape, the limit 2/λmax."),
        ),
    ),
    N_("Lab"): (
        Entry(
            file="lab/gd_vs_sgd",
            title=N_("GD against SGD"),
            icon=":material/sports_score:",
            help=N_("Race full gradient descent against minibatch SGD on the same clock."),
        ),
        Entry(
            file="lab/batch_size",
            title=N_("Which batch size?"),
            icon=":material/tune:",
            help=N_("Sweep over k, learning rates and seeds: the fastest k, and when more stops helping."),
        ),
        Entry(
            file="lab/memory",
            title=N_("The memory wall"),
            icon=":material/memory:",
            help=N_("How memory grows with k, a run that does not fit, and the same update by micro-batches."),
        ),
        Entry(
            file="lab/data_parallel",
            title=N_("Several devices"),
            icon=":material/hub:",
            help=N_("One minibatch over several devices or machines, and the same update as on one."),
        ),
        Entry(
            file="lab/claims",
            title=N_("Claims in court"),
            icon=":material/gavel:",
            help=N_("What is said of SGD, tried here: 18 claims, each with a rule and a verdict."),
        ),
    ),
}
FIRST = "lab/gd_vs_sgd"  # the page of an address without a name
TITLES = {entry.file: entry.title for entries in MENU.values() for entry in entries}
