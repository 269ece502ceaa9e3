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


TOP = ""  # group of the pages that stand in the menu by themselves
MENU: dict[str, tuple[Entry, ...]] = {
    TOP: (
        Entry(
            file="start/start",
            title=N_("The SGD lab"),
            icon=":material/home:",
            help=N_("A race that moves, and two ways on."),
        ),
    ),
    N_("Tutorial"): (
        Entry(
            file="tutorial/one_update",
            title=N_("How much must you see before a step?"),
            icon=":material/counter_1:",
            help=N_("All N samples, one loss, one update."),
        ),
        Entry(
            file="tutorial/memory_limit",
            title=N_("Does it all fit?"),
            icon=":material/counter_2:",
            help=N_("Memory is finite; parts add up to the same update."),
        ),
        Entry(
            file="tutorial/updates_per_second",
            title=N_("How many steps in a second?"),
            icon=":material/counter_3:",
            help=N_("261,876 flights: what GD does in one second."),
        ),
        Entry(
            file="tutorial/k_samples",
            title=N_("Is a step on few samples a wrong one?"),
            icon=":material/counter_4:",
            help=N_("The gradient of k samples beside the gradient of all."),
        ),
        Entry(
            file="tutorial/without_replacement",
            title=N_("May a sample come twice?"),
            icon=":material/counter_5:",
            help=N_("Drawing with and without replacement."),
        ),
        Entry(
            file="tutorial/shuffled_epochs",
            title=N_("All samples are used. What next?"),
            icon=":material/counter_6:",
            help=N_("Epochs, iterations, and the line of tf.data that draws a new order."),
        ),
        Entry(
            file="tutorial/number_of_updates",
            title=N_("How many updates in all?"),
            icon=":material/counter_7:",
            help=N_("Iterations per epoch, and the last, smaller minibatch."),
        ),
        Entry(
            file="tutorial/two_loops",
            title=N_("Which line runs how often?"),
            icon=":material/counter_8:",
            help=N_("The double loop, and the same as model.fit."),
        ),
        Entry(
            file="tutorial/faster",
            title=N_("Is SGD really faster?"),
            icon=":material/counter_9:",
            help=N_("GD and SGD on one clock, judged on unseen digits."),
        ),
        Entry(
            file="tutorial/batch_size_and_rate",
            title=N_("k doubles. And the learning rate?"),
            icon=":material/tune:",
            help=N_("What k does to training, and the rate that goes with it."),
        ),
        Entry(
            file="tutorial/which_k",
            title=N_("Which k in practice?"),
            icon=":material/balance:",
            help=N_("Two limits of k: what fits, and what still helps."),
        ),
        Entry(
            file="tutorial/more_devices",
            title=N_("What if one device is not enough?"),
            icon=":material/hub:",
            help=N_("One minibatch over several devices, the same update."),
        ),
        Entry(
            file="tutorial/your_turn",
            title=N_("Your turn"),
            icon=":material/flag:",
            help=N_("Your answers, and the whole tutorial as a notebook."),
        ),
        Entry(
            file="tutorial/teaching",
            title=N_("For teachers"),
            icon=":material/co_present:",
            help=N_("A plan for 50 minutes, questions for the class, one server for thirty."),
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
    N_("Practice"): (
        Entry(
            file="practice/your_data",
            title=N_("Your data"),
            icon=":material/upload_file:",
            help=N_("Upload a table of your own, see what was understood of it, and race it."),
        ),
        Entry(
            file="practice/exercise",
            title=N_("The book's exercise"),
            icon=":material/exercise:",
            help=N_("California house values by a small network: the book's losses beside yours, and tasks."),
        ),
    ),
}
FIRST = "start/start"  # the page of an address without a name
TITLES = {entry.file: entry.title for entries in MENU.values() for entry in entries}
