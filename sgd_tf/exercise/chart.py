"""Loss against epochs: the runs, one colour for each k, and the losses that the book printed."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts import axes, labels
from sgd_tf.charts.axes import Axis
from sgd_tf.charts.frame import filled, finish, structure, table
from sgd_tf.charts.style import LIGHT, Theme, batch_size_color
from sgd_tf.exercise.rows import BOOK, ExercisePlan

LATE = 10  # epoch at which the picture of a long run begins: the book's losses are all beyond it
AXES_HEIGHT = 96  # px that title, axis and margins take from a chart's height
LOSSES = {"california": (0.25, 6.0), "flights": (0.12, 2.5)}  # ends of the vertical axis, at least
DASHES = {"mean_loss": [1, 0], "train_loss": [5, 3], "validation_loss": [1, 3]}


def losses(
    bands: pd.DataFrame, plan: ExercisePlan, *, names: Mapping[str, str], theme: Theme = LIGHT
) -> alt.LayerChart:
    """Medians over the seeds on logarithmic axes, with the range of the seeds; the book's losses as points.

    Args:
        bands: columns setting, measure, epoch (at least 1), median, low, high; measure is a key of `names`.
        plan: of the run: it fixes the axes and the colours.
        names: of the measures that are drawn, "mean_loss", "train_loss", "validation_loss", in the reader's language.
        theme: of the page.
    """
    first = first_epoch(plan)
    finite = bands[np.isfinite(bands["median"]) & (bands["epoch"] >= first)]
    low, high = LOSSES[plan.data] if first == 1 else (0.8 * LOSSES[plan.data][0], 0.2 * LOSSES[plan.data][1])
    if not finite.empty:
        low, high = min(low, finite["median"].min() / 1.1), max(high, min(finite["median"].max() * 1.1, 1e3))
    x, y = Axis("epoch", (first, max(2, plan.num_epochs)), log=True), Axis("median", (low, high), log=True)
    shown = finite.assign(
        line=finite["setting"].map(lambda place: plan.settings[place].name),
        label=finite["measure"].map(dict(names)),
        high=finite["high"].clip(upper=10 * high),
    )
    ends = shown.drop_duplicates(["setting"], keep="last")
    ends = ends.assign(label=ends["line"], y=ends["median"])
    shares = x.share(ends["epoch"].to_numpy(dtype=np.float64))
    ends = labels.at_ends(ends, y, shares, length=theme.height - AXES_HEIGHT)
    is_compared = plan.data == "california"
    printed = pd.DataFrame(
        [{"epoch": epoch, "loss": loss} for epoch, loss in BOOK.items() if is_compared and epoch <= plan.num_epochs],
        columns=["epoch", "loss"],
    )
    lines = tuple(
        (setting.name, batch_size_color(setting.size, full_batch=setting.batch_size == "all", dark=theme.dark))
        for setting in plan.settings
    )
    return filled(_losses(lines, tuple(names.items()), x, y, theme), bands=shown, ends=ends, printed=printed)


def first_epoch(plan: ExercisePlan) -> int:
    """The epoch at which the picture of a run begins."""
    return LATE if plan.num_epochs >= min(BOOK) else 1


@structure
def _losses(
    lines: tuple[tuple[str, str], ...], names: tuple[tuple[str, str], ...], x_axis: Axis, y_axis: Axis, theme: Theme
) -> alt.LayerChart:
    _ = theme.translate
    ticks = alt.Axis(title=_("Epochs"), values=axes.log_ticks(x_axis.ends), format=",d", grid=False)
    x = alt.X("epoch:Q", scale=x_axis.scale(), axis=ticks)
    loss = alt.Axis(title=_("Loss"), values=axes.log_ticks(y_axis.ends, (1, 2, 3, 4, 5, 7)), format="~g")
    y, low, label_y, book = axes.fields(alt.Y, "median", "low", "label_y", "loss", scale=y_axis.scale(), axis=loss)
    color = axes.look(alt.Color, "line", dict(lines))
    measures = {key: DASHES[key] for key, _name in names}
    dash = axes.look(alt.StrokeDash, "measure", measures)
    bands = table("bands").encode(x=x, color=color, detail="measure:N")

    # From the lowest to the highest seed, of the mean over the epoch.
    area = bands.transform_filter("datum.measure == 'mean_loss'")
    area = area.mark_area(opacity=0.18, clip=True, tooltip=None, aria=False).encode(y=low, y2="high:Q")
    # The median of the seeds.
    line = bands.mark_line(strokeWidth=2, clip=True, tooltip=None).encode(y=y, strokeDash=dash)
    tooltip = [
        alt.Tooltip("line:N", title=_("Run")),
        alt.Tooltip("label:N", title=_("Loss")),
        alt.Tooltip("epoch:Q", title=_("Epochs"), format=",d"),
        alt.Tooltip("median:Q", title=_("Median"), format=".4f"),
    ]
    points = bands.mark_circle(size=60, opacity=0, clip=True, aria=False).encode(y=y, tooltip=tooltip)
    # What the book printed.
    printed = table("printed").encode(x=x, y=book)
    diamonds = printed.mark_point(shape="diamond", size=90, filled=True, color=theme.text, tooltip=None).encode(
        tooltip=[
            alt.Tooltip("epoch:Q", title=_("Epochs"), format=",d"),
            alt.Tooltip("loss:Q", title=_("Printed in the book"), format=".4f"),
        ]
    )
    # The name of each run at the end of its line.
    ends = table("ends").encode(x=x, y=label_y)
    title = _("Loss against epochs"), _("Median of the seeds; the band holds all of them")
    names_at_ends = labels.names(ends, [name for name, _color in lines], theme, color)
    return finish([area, line, points, diamonds, *names_at_ends], theme, title)
