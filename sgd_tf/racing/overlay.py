"""Several races laid over one another: one table, in which each contestant bears the name of its race."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from sgd_tf.training.records import RacePlan

MAX_RACES = 4  # in one picture


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedRace:
    """A race under the name that the learner gave it."""

    name: str
    plan: RacePlan
    table: pd.DataFrame  # of `history.to_frame`
    job: str = ""  # id of its job: a race is kept once


def overlay(races: Sequence[NamedRace]) -> pd.DataFrame:
    """The records of several races, with the race in the names of runs and contestants and in a column ``race``.

    >>> from sgd_tf.training.history import to_frame
    >>> overlay([NamedRace(name="Adam", plan=RacePlan(problem="digits", configs={}), table=to_frame([]))]).columns[0]
    'race'
    """
    tables = []
    for each in races:
        named = {column: f"{each.name}: " + each.table[column] for column in ("run", "contestant")}
        tables.append(each.table.assign(race=each.name, **named))
    table = pd.concat(tables, ignore_index=True)
    return table[["race", *table.columns.drop("race")]]


def free_name(name: str, races: Sequence[NamedRace], usual: str) -> str:
    """A name that no race has: the learner's, or the usual one, with a number where it is taken.

    >>> taken = NamedRace(name="Adam", plan=RacePlan(problem="digits", configs={}), table=pd.DataFrame())
    >>> free_name(" Adam ", [taken], "Race 2"), free_name("", [taken], "Race 2")
    ('Adam (2)', 'Race 2')
    """
    wanted = found = name.strip() or usual
    number = 1
    while found in {race.name for race in races}:
        number += 1
        found = f"{wanted} ({number})"
    return found
