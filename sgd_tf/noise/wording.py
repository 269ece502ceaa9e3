"""What the experiments on gradient noise say in words."""

from __future__ import annotations

import math

from sgd_tf.noise.rows import Curvature, Escapes
from sgd_tf.noise.verdict import Descent, EdgeVerdict, EscapeVerdict, LawVerdict, NoLimit, PathVerdict
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import digits, percent, power_of_ten
from sgd_tf.words import N_

MAX_RATIO = 1_000  # larger ratios are not written out

# What the learner may expect
CROSSINGS = {"tiny": N_("Below 4"), "small": N_("4–31"), "medium": N_("32–256"), "large": N_("Above 256")}
ESCAPES = {"one": N_("k = 1"), "between": N_("A k between 1 and N"), "gd": N_("GD"), "none": N_("None escapes")}
COURSES = {
    "down": N_("falls, as below the limit"),
    "bump": N_("rises on the way, then falls"),
    "up": N_("ends higher than it began"),
}

CROSSING = {
    "crossing": N_("Noise and gradient are equally large at **k ≈ {k}** of N = {n}."),
    "half": N_(
        "Even with half of the samples the noise is as large as the gradient or larger: at k = N/2 its mean square is "
        "**{ratio}** · ‖g‖². Both are equal only at k ≈ {k} of N = {n}."
    ),
    "single": N_(
        "A single sample already has less noise than gradient: the mean square of its noise is **{ratio}** · ‖g‖²."
    ),
    "no gradient": N_("At these weights the full gradient is 0: a minibatch gradient is noise only."),
    "no noise": N_("All samples have the same gradient: there is no noise."),
}
COURSE = {
    "up at once": N_("With γ = {factor} · 2/λmax the loss grows from the first update on: {start} → {end}."),
    "diverged at once": N_(
        "With γ = {factor} · 2/λmax the loss grows from {start} at the first update on, and diverges at update {last}."
    ),
    "up": N_(
        "With γ = {factor} · 2/λmax the loss first falls from {start} to {low} (update {at}), then grows to {end} at "
        "update {last}."
    ),
    "diverged": N_(
        "With γ = {factor} · 2/λmax the loss first falls from {start} to {low} (update {at}), then grows, and diverges "
        "at update {last}."
    ),
    "bump": N_(
        "With γ = {factor} · 2/λmax the loss rises up to {high} on the way, and ends at {end}; it began at {start}."
    ),
    "dip": N_(
        "With γ = {factor} · 2/λmax the loss falls from {start} to {low} (update {at}), rises again to {high} (update "
        "{top}), and ends at {end}."
    ),
    "late": N_(
        "With γ = {factor} · 2/λmax the loss falls from {start} to {low} (update {at}) and rises again to {end} by "
        "update {last}."
    ),
    "down": N_("With γ = {factor} · 2/λmax the loss falls from {start} to {end} by update {last}."),
    "flat": N_("With γ = {factor} · 2/λmax the loss stays at {end}."),
}


def ratio(value: float) -> str:
    """A ratio with two digits; a very large one is only bounded.

    >>> ratio(1.4732), ratio(6e7)
    ('1.5', '> 1,000')
    """
    return f"> {MAX_RATIO:,}" if value > MAX_RATIO else digits(value, 2)


def length_text(value: float) -> str:
    """A length with three digits; a very small one with one digit and a power of ten.

    >>> length_text(3.9342), length_text(2.34e-5)
    ('3.93', '2 · 10⁻⁵')
    """
    return digits(value, 3) if value >= 1e-3 else power_of_ten(value)


def path(here: PathVerdict, start: PathVerdict, update: int) -> list[str]:
    """Gradient and noise at the point, beside those at the start of the path.

    Args:
        here: at the point.
        start: before any update.
        update: number of updates made.
    """
    length = _("Full gradient: length **{length}**.").format(length=length_text(here.length))
    if here.batch_size == here.num_examples:
        return [length, _("k = N: the only minibatch of an epoch holds all samples. Its gradient has no noise.")]
    noise = _(
        "Minibatch gradients of one epoch: distance from it **{distance}** (root mean square). Expected over all "
        "draws: {expected}."
    ).format(distance=digits(here.distance, 3), expected=digits(here.expected, 3))
    if update:
        text = _("Noise ÷ gradient: **{ratio}** at update {update}, {start} at update 0.")
        compared = text.format(ratio=ratio(here.noise_ratio), update=update, start=ratio(start.noise_ratio))
    else:
        compared = _("Noise ÷ gradient: **{ratio}** at update 0.").format(ratio=ratio(here.noise_ratio))
    added = _(
        "All {num} minibatch gradients, each times its share of the samples, add up to the full gradient (rounding: "
        "{residual})."
    ).format(num=len(here.sizes), residual=power_of_ten(here.residual))
    last, k, N = here.sizes[-1], here.batch_size, here.num_examples
    if last != k:
        text = _("The last minibatch has only {last} samples and counts {last}/{n}; a full one counts {k}/{n}.")
        added += " " + text.format(last=last, k=k, n=N)
    return [f"{length} {noise}", compared, added]


def stopped(num_done: int, num_planned: int, *, of_runs: bool = False) -> str:
    """How far an experiment came that was stopped.

    Args:
        num_done: batch sizes that were measured, or runs that ended.
        num_planned: of the plan.
        of_runs: whether runs are counted, not batch sizes.
    """
    if not num_done:
        return _("Stopped before the first result.")
    text = _("Stopped after {done} of {total} batch sizes: too few to judge a prediction.")
    if of_runs:
        text = _("Stopped after {done} of {total} runs: too few to judge a prediction.")
    return text.format(done=num_done, total=num_planned)


def law(found: LawVerdict) -> str:
    """Where the noise is as large as the gradient."""
    at = 1.0 if found.kind == "single" else found.num_examples / 2
    return _(CROSSING[found.kind]).format(
        k=f"{found.batch_size:,}", n=f"{found.num_examples:,}", ratio=digits(found.noise_ratio(at), 2)
    )


def law_details(found: LawVerdict) -> list[str]:
    """How well the law fits, the noise scale, and what it says about k."""
    lines = []
    if found.ratios:
        text = _(
            "Measured ÷ formula: **{low}** to **{high}** for the {num} k below N. At k = N the formula gives 0; "
            "measured is {last} (rounding of 32-bit numbers)."
        )
        low, high = found.ratios
        lines.append(
            text.format(low=f"{low:.2f}", high=f"{high:.2f}", num=found.num_sizes, last=power_of_ten(found.at_all))
        )
    if math.isfinite(found.noise.noise_scale):
        text = _("Noise scale B = S²/‖g‖² = **{exact}**, from the gradients of all samples, one by one.")
        lines.append(f"{text.format(exact=digits(found.noise.noise_scale, 3))} {_estimate(found)}")
    if found.kind == "crossing":
        lines.append(
            _(
                "A much smaller k gives steps that are mostly noise. A much larger k spends many samples on little. "
                "This is a rough guide: it changes during training, and it leaves out speed and memory."
            )
        )
    return lines


def _estimate(found: LawVerdict) -> str:
    """The noise scale as two batch sizes show it."""
    scale = found.scale
    sizes = _("Estimate from minibatches of {small} and of {big} samples:").format(
        small=f"{scale.small:,}", big=f"{scale.big:,}"
    )
    if math.isnan(scale.value):
        says = _("neither noise nor gradient shows.")
    elif math.isinf(scale.high):
        says = _("at least {low} (95%).").format(low=digits(scale.low, 3))
    elif not scale.value:
        says = _("at most {high} (95%).").format(high=digits(scale.high, 3))
    else:
        says = _("{value} (95%: {low} to {high}).").format(
            value=digits(scale.value, 3), low=digits(scale.low, 3), high=digits(scale.high, 3)
        )
    return f"{sizes} {says}"


def escape(found: EscapeVerdict) -> str:
    """Which k escapes most often, and what GD does."""
    first, *others = found.leaders
    if not first.num_escaped:
        says = _("With no k did any of the {num} runs reach the deeper valley.").format(num=first.num_runs)
    elif others:
        listed = ", ".join(f"{_name(row, found.gd)}: {percent(row.share)}" for row in found.leaders)
        says = _("Most escapes, too close to tell apart: {listed} of {num} runs each.")
        says = says.format(listed=listed, num=first.num_runs)
    else:
        low, high = first.interval
        says = _("Most escapes with **{k}**: {share} of {num} runs (95%: {low} to {high}).").format(
            k=_name(first, found.gd),
            share=percent(first.share),
            num=first.num_runs,
            low=percent(low),
            high=percent(high),
        )
    if not found.gd.num_escaped:
        text = _("GD: 0 of {num}, since it has no noise and starts where the full gradient is 0.")
        says += " " + text.format(num=found.gd.num_runs)
    return says


def _name(row: Escapes, gd: Escapes) -> str:
    return "GD" if row.batch_size == gd.batch_size else f"k = {row.batch_size}"


def escape_details(found: EscapeVerdict) -> str:
    """How many runs diverged; empty if none did."""
    if not found.diverged:
        return ""
    listed = ", ".join(f"{_name(row, found.gd)}: {row.num_diverged}" for row in found.diverged)
    return _("Runs that diverged (×), so that they neither stayed nor escaped: {listed}.").format(listed=listed)


def limit(found: Curvature, num: int) -> str:
    """2/λmax with so many digits: "–" where there is none, "≈" before the best that the products gave.

    >>> flat = Curvature(value=-1.0, residual=0.0, num_products=9, converged=True)
    >>> limit(Curvature(value=4.0, residual=0.0, num_products=9, converged=False), 3), limit(flat, 3)
    ('≈ 0.5', '–')
    """
    if not found.value > 0:
        return "–"
    return ("" if found.converged else "≈ ") + digits(found.max_learning_rate, num)


def edge(found: EdgeVerdict | NoLimit) -> str:
    """How the loss goes just above the limit, and why."""
    if isinstance(found, NoLimit):
        if found.is_unknown:
            return _("λmax is unknown: the loss is not a finite number here.")
        return _("Here the loss curves upwards in no direction, so it sets no limit to the learning rate.")
    run = found.just_above
    return f"{_course(run)} {_reason(run, found.is_quadratic)}".strip()


def _course(run: Descent) -> str:
    at = run.losses.index(min(run.losses))
    high = max(run.losses)
    kind: str = run.course
    if kind == "bump":
        at, top = run.bump
        high, kind = run.losses[top], "dip" if at else "bump"
    if kind == "up":
        kind = ("up" if run.diverged_at is None else "diverged") + ("" if at else " at once")
    return _(COURSE[kind]).format(
        factor=f"{run.factor:g}",
        start=digits(run.losses[0], 3),
        low=digits(run.losses[at], 3),
        at=run.updates[at],
        high=digits(high, 3),
        top=run.updates[run.bump[1]] if kind == "dip" else None,
        end=digits(run.losses[-1], 3),
        last=run.updates[-1] if run.diverged_at is None else run.diverged_at,
    )


def _reason(run: Descent, is_quadratic: bool) -> str:
    if is_quadratic:
        return _("This loss is quadratic: λmax is the same everywhere, and the formula holds at every update.")
    if run.limit is None:
        return ""
    if math.isinf(run.limit):
        return _("At its last weights the loss curves upwards in no direction.")
    if run.limit > run.learning_rate:
        text = _("At its last weights the loss is flatter: there 2/λmax is {limit}, above its γ = {rate}.")
    else:
        text = _("At its last weights 2/λmax is {limit}, still not above its γ = {rate}.")
    return text.format(limit=digits(run.limit, 3), rate=digits(run.learning_rate, 3))


def edge_details(found: EdgeVerdict) -> str:
    """What the formula is good for in these runs."""
    if found.is_quadratic:
        return _("Formula and measurement agree, apart from rounding.")
    gaps = [abs(run.ratio - run.formula) for run in found.runs if math.isfinite(run.ratio)]
    if not gaps:
        return ""
    text = _("This loss is not quadratic: the first update differs from the formula by up to {gap}.")
    return text.format(gap=digits(max(gaps), 2))
