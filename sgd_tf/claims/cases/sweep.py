"""What the batch size changes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from sgd_tf import problems
from sgd_tf.claims.claim import Claim, Experiment, Numbers, Picture, Point, Series
from sgd_tf.claims.contestants import MLP, SMALL_K, accuracy_at, accuracy_of, candidate_rates, end, loss_of, price
from sgd_tf.claims.measures import Measure
from sgd_tf.training.records import TrainConfig
from sgd_tf.words import N_


def more_updates(seeds: Sequence[int]) -> Experiment:
    """Updates that runs of as many epochs make, from k = N down to k = 4."""
    digits, epochs = problems.load("digits"), 3
    N = digits.num_examples
    sizes = (N, 256, 32, 4)
    steps, seen, least = [], [], math.inf
    for seed in seeds:
        made = []
        for k in sizes:
            record, _ = end(digits, TrainConfig(batch_size=k, learning_rate=0.05, seed=seed), MLP, epochs=epochs)
            made.append(record.update)
            seen.append(abs(record.examples / N - epochs))
            yield Point(series="updates", x=k, y=record.update, seed=seed)
        steps += [after / before for before, after in itertools.pairwise(made)]
        least = min(least, made[-1] / made[0])
    return {"step": steps, "unequal": seen, "times": least}


MORE_UPDATES = Claim(
    key="more_updates",
    run=more_updates,
    group="chapter",
    sentence=N_("A smaller k makes more updates in the same number of epochs."),
    experiment=N_("Digits, 3 epochs with k = N, 256, 32 and 4: count the updates."),
    measures=(
        Measure(name="step", title=N_("Updates ÷ updates of the next larger k (smallest ratio)"), at_least=1.5),
        Measure(name="unequal", title=N_("Epochs trained minus 3 (absolute value)"), form=".1e", at_most=1e-9),
        Measure(name="times", title=N_("Updates of k = 4 ÷ updates of k = N"), form=",.0f"),
    ),
    picture=Picture(
        kind="lines",
        title=N_("Updates in 3 epochs"),
        x=N_("Batch size k"),
        y=N_("Parameter updates"),
        series={"updates": Series(title=N_("3 epochs"))},
        log_x=True,
        log_y=True,
    ),
    page="lab/batch_size",
    seconds=5,
)


def k_matters(seeds: Sequence[int]) -> Experiment:
    """Training loss after as many epochs for several k, at one learning rate and at tuned ones.

    How far the k of a seed lie apart, as a multiple of how far the seeds of one k lie apart at most; both as a factor
    between the largest and the smallest loss.
    """
    digits, epochs = problems.load("digits"), 10
    sizes = (8, 32, 128, 512, digits.num_examples)
    numbers: Numbers = {}
    for series in ("one", "tuned"):
        losses: dict[int, list[float]] = {}
        for k in sizes:
            for rate in (0.1,) if series == "one" else candidate_rates(digits, MLP, k):
                configs = [TrainConfig(batch_size=k, learning_rate=rate, seed=seed) for seed in seeds]
                values = [loss_of(end(digits, config, MLP, epochs=epochs)[0]) for config in configs]
                yield None
                if k not in losses or price(values) < price(losses[k]):
                    losses[k] = values
            for seed, loss in zip(seeds, losses[k], strict=True):
                yield Point(series=series, x=k, y=loss, seed=seed)
        table = np.array([losses[k] for k in sizes])  # (sizes, seeds), NaN where a run diverged
        across_seeds = float((table.max(axis=1) / table.min(axis=1)).max())
        medians = np.median(table, axis=1)
        numbers[f"{series}_ratio"] = (table.max(axis=0) / table.min(axis=0) / across_seeds).tolist()
        numbers[f"{series}_sizes"] = float(medians.max() / medians.min())
    return numbers


K_MATTERS = Claim(
    key="k_matters",
    run=k_matters,
    group="chapter",
    sentence=N_("k changes how training goes: it is a hyperparameter, like the learning rate."),
    experiment=N_(
        "Digits, 10 epochs with five k, at one learning rate and at a tuned rate for each k: does the "
        "loss differ more between k than between seeds?"
    ),
    measures=(
        Measure(
            name="one_ratio",
            title=N_("Spread between k ÷ spread between seeds: one learning rate"),
            at_least=2,
        ),
        Measure(
            name="tuned_ratio",
            title=N_("Spread between k ÷ spread between seeds: tuned rates"),
            at_least=2,
        ),
        Measure(name="one_sizes", title=N_("Highest ÷ lowest loss of all k (medians): one learning rate")),
        Measure(name="tuned_sizes", title=N_("Highest ÷ lowest loss of all k (medians): tuned rates")),
    ),
    depends_on=N_("whether each k has its own learning rate"),
    picture=Picture(
        kind="lines",
        title=N_("After 10 epochs"),
        x=N_("Batch size k"),
        y=N_("Training loss"),
        series={"one": Series(title=N_("one rate")), "tuned": Series(title=N_("tuned rates"))},
        log_x=True,
        log_y=True,
    ),
    page="lab/batch_size",
    seconds=8,
)


def practical(seeds: Sequence[int]) -> Experiment:
    """A sweep on 16,384 samples: 256 or 512 beside the best k, and the largest k beyond 4,000 beside 256 or 512.

    Test losses after as many epochs and after as many seconds, at one learning rate and at the best for each k.
    """
    from sgd_tf.sweep import analysis, plans
    from sgd_tf.sweep.measure import sweep

    sizes = (32, 256, 512, 4_096, 16_384)
    plan = plans.SweepPlan(
        problem="teacher",
        num_examples=sizes[-1],
        model=MLP,
        batch_sizes=sizes,
        learning_rates=(0.1, 0.5, 2.0),
        num_seeds=len(seeds),
        target=0.5,
        epochs=5,
        seconds=0.2,
        max_seconds=0.4,
    )
    rows = []
    for row in sweep(problems.load("teacher", num_examples=sizes[-1]), plan):
        rows.append(row)
        yield None
    table = analysis.to_table(rows)
    numbers: Numbers = {}
    for budget in ("epochs", "seconds"):
        measure = f"test_loss_after_{budget}"
        shared = analysis.at_rates(table, analysis.shared_rate(table))
        for chosen_by, chosen in (("one", shared), ("tuned", analysis.tuned(table, measure))):
            kept = chosen.assign(loss=chosen[measure].mask(chosen["diverged_at"].notna(), math.inf))
            losses = kept.pivot(index="seed", columns="batch_size", values="loss").reindex(index=seeds)
            name = f"{budget}_{chosen_by}"
            for k in sizes:
                for seed, loss in losses[k].items():
                    yield Point(series=name, x=k, y=loss, seed=int(seed))
            medians = losses.fillna(math.inf).median()
            usual, best = medians[[256, 512]].idxmin(), medians.idxmin()
            is_known = losses.notna().all(axis=None)  # a run that did not come so far might have been the best
            ratios = {
                f"usual_{name}": losses[usual] / losses[best] if is_known else losses[usual] * math.nan,
                f"large_{name}": losses[sizes[-1]] / losses[usual],
            }
            numbers |= {key: ratio.where(np.isfinite(ratio)).to_list() for key, ratio in ratios.items()}
    return numbers


PRACTICAL = Claim(
    key="practical",
    run=practical,
    group="chapter",
    sentence=N_(
        "A large k is good as far as memory allows; 256 or 512 usually do well, and beyond about 4,000 it hurts."
    ),
    experiment=N_(
        "16,384 samples, k from 32 to N, three learning rates: test loss after 5 epochs and after 0.2 s,"
        " at one rate for all k and at the best rate of each k."
    ),
    measures=(
        Measure(
            name="usual_epochs_one", title=N_("Test loss, 256 or 512 ÷ best k: equal epochs, one rate"), at_most=1.05
        ),
        Measure(
            name="usual_epochs_tuned",
            title=N_("Test loss, 256 or 512 ÷ best k: equal epochs, tuned rates"),
            at_most=1.05,
        ),
        Measure(
            name="usual_seconds_one", title=N_("Test loss, 256 or 512 ÷ best k: equal seconds, one rate"), at_most=1.05
        ),
        Measure(
            name="usual_seconds_tuned",
            title=N_("Test loss, 256 or 512 ÷ best k: equal seconds, tuned rates"),
            at_most=1.05,
        ),
        Measure(
            name="large_epochs_one",
            title=N_("Test loss, k = 16,384 ÷ 256 or 512: equal epochs, one rate"),
            at_least=1.05,
        ),
        Measure(
            name="large_epochs_tuned",
            title=N_("Test loss, k = 16,384 ÷ 256 or 512: equal epochs, tuned rates"),
            at_least=1.05,
        ),
        Measure(
            name="large_seconds_one",
            title=N_("Test loss, k = 16,384 ÷ 256 or 512: equal seconds, one rate"),
            at_least=1.05,
        ),
        Measure(
            name="large_seconds_tuned",
            title=N_("Test loss, k = 16,384 ÷ 256 or 512: equal seconds, tuned rates"),
            at_least=1.05,
        ),
    ),
    depends_on=N_("the learning rate, and whether epochs or seconds are equal"),
    picture=Picture(
        kind="lines",
        title=N_("Test loss against k"),
        x=N_("Batch size k"),
        y=N_("Test loss"),
        series={
            "epochs_one": Series(title=N_("epochs, one rate")),
            "epochs_tuned": Series(title=N_("epochs, tuned")),
            "seconds_one": Series(title=N_("seconds, one rate")),
            "seconds_tuned": Series(title=N_("seconds, tuned")),
        },
        log_x=True,
        log_y=True,
    ),
    page="lab/batch_size",
    address={"sweep_problem": "teacher", "sweep_n": "16384", "sweep_view": "budget"},
    seconds=20,
)


def linear_scaling(seeds: Sequence[int]) -> Experiment:
    """Training loss after as many epochs when the learning rate grows in proportion to k, from k = 8 on."""
    digits, epochs, base, rate = problems.load("digits"), 10, 8, 0.05
    sizes = {"small": 4 * base, "medium": 16 * base, "large": 64 * base}
    ratios: dict[str, list[float]] = {name: [] for name in sizes}
    for seed in seeds:
        losses = {}
        for series in ("scaled", "fixed"):
            for k in (base, *sizes.values()):
                scaled = rate * k / base if series == "scaled" else rate
                config = TrainConfig(batch_size=k, learning_rate=scaled, seed=seed)
                losses[series, k] = loss_of(end(digits, config, MLP, epochs=epochs)[0])
                yield Point(series=series, x=k, y=losses[series, k], seed=seed)
        for name, k in sizes.items():
            ratio = losses["scaled", k] / losses["scaled", base]
            ratios[name].append(max(ratio, 1 / ratio))
    return dict(ratios)


LINEAR_SCALING = Claim(
    key="linear_scaling",
    run=linear_scaling,
    group="elsewhere",
    sentence=N_("If k and the learning rate are both multiplied by m, training behaves the same."),
    experiment=N_(
        "Digits, 10 epochs, from k = 8 with rate 0.05 up to k = 512 with rate 3.2: training loss at the end."
    ),
    measures=(
        Measure(name="small", title=N_("Losses of k = 32 and k = 8: larger ÷ smaller"), at_most=1.25),
        Measure(name="medium", title=N_("Losses of k = 128 and k = 8: larger ÷ smaller"), at_most=1.25),
        Measure(name="large", title=N_("Losses of k = 512 and k = 8: larger ÷ smaller"), at_most=1.25),
    ),
    depends_on=N_("how large k becomes"),
    picture=Picture(
        kind="lines",
        title=N_("10 epochs, rate ∝ k"),
        x=N_("Batch size k"),
        y=N_("Training loss"),
        series={"scaled": Series(title=N_("rate ∝ k")), "fixed": Series(title=N_("one rate"))},
        log_x=True,
        log_y=True,
    ),
    page="lab/batch_size",
    address={"sweep_rule": "linear"},
    seconds=3,
)


def generalisation(seeds: Sequence[int]) -> Experiment:
    """Test accuracy of k = 32 less that of k = N: after as many epochs, and at the same training loss.

    At one learning rate, and at the better of two for each k by the median of its accuracies. A run may make 3,000
    updates to the training loss.
    """
    digits, epochs, target = problems.load("digits"), 20, 0.05
    N = digits.num_examples
    numbers: Numbers = {}
    for name in ("one_epochs", "tuned_epochs", "tuned_target"):
        accuracies: dict[int, list[float]] = {}
        for k in (SMALL_K, N):
            for rate in (0.1,) if name == "one_epochs" else candidate_rates(digits, MLP, k):
                configs = [TrainConfig(batch_size=k, learning_rate=rate, seed=seed) for seed in seeds]
                if name == "tuned_target":
                    values = [accuracy_at(digits, config, MLP, target) for config in configs]
                else:
                    values = [accuracy_of(end(digits, config, MLP, epochs=epochs)[0]) for config in configs]
                yield None
                if k not in accuracies or price(values, sign=-1) < price(accuracies[k], sign=-1):
                    accuracies[k] = values
        lost = [small - full for small, full in zip(accuracies[SMALL_K], accuracies[N], strict=True)]
        for seed, points in zip(seeds, lost, strict=True):
            yield Point(series=name, x=points, seed=seed)
        numbers[name] = lost
    return numbers


GENERALISATION = Claim(
    key="generalisation",
    run=generalisation,
    group="elsewhere",
    sentence=N_("Large batches generalise worse."),
    experiment=N_(
        "Digits, k = 32 and k = N: test accuracy after 20 epochs, at one rate and at tuned rates, and at"
        " the same training loss."
    ),
    measures=(
        Measure(
            name="one_epochs",
            title=N_("Test accuracy, k = 32 minus k = N: 20 epochs, one rate"),
            form=".1%",
            at_least=0.01,
        ),
        Measure(
            name="tuned_epochs",
            title=N_("Test accuracy, k = 32 minus k = N: 20 epochs, tuned rates"),
            form=".1%",
            at_least=0.01,
        ),
        Measure(
            name="tuned_target",
            title=N_("Test accuracy, k = 32 minus k = N: same training loss, tuned rates"),
            form=".1%",
            at_least=0.01,
        ),
    ),
    depends_on=N_("the learning rate, and when the two are compared"),
    picture=Picture(
        kind="dots",
        title=N_("Test accuracy lost with k = N"),
        x=N_("Test accuracy, k = 32 minus k = N"),
        series={
            "one_epochs": Series(title=N_("epochs, one rate")),
            "tuned_epochs": Series(title=N_("epochs, tuned")),
            "tuned_target": Series(title=N_("same loss, tuned")),
        },
        percent=True,
        bound="one_epochs",
    ),
    page="lab/batch_size",
    address={"sweep_view": "budget"},
    seconds=9,
)
