"""What the benchmarks share: medians, tables of ratios, the machine's name, JSON and chart."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import psutil
from rich.console import Console
from rich.table import Table

PACKAGES = ("tensorflow", "keras", "streamlit", "numpy", "torch", "jax", "scikit-learn")

console = Console(width=120)
_start = psutil.cpu_times()


def add_out(parser: argparse.ArgumentParser) -> None:
    """The option that names the folder of the results."""
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder for JSON and chart")


def timing(name: str, seconds: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles and all repetitions of a measurement."""
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return {"name": name, "seconds": middle, "low": low, "high": high, "repetitions": list(seconds)}


def installed(modules: Mapping[str, str]) -> list[str]:
    """The contenders whose module is there; a line for each that is left out."""
    names = []
    for name, module in modules.items():
        if importlib.util.find_spec(module) is None:
            console.print(f"{name}: left out, {module} is not installed (requirements-bench.txt)")
        else:
            names.append(name)
    return names


def print_ratios(title: str, rows: Sequence[Mapping[str, Any]], ours: str, **match: Any) -> None:
    """A table of the rows that match: median, quartiles, and how many times as long as ours."""
    rows = [row for row in rows if all(row[key] == value for key, value in match.items())]
    mine = next(row["seconds"] for row in rows if row["name"] == ours)
    table = Table("", "median (s)", "quartiles (s)", f"÷ {ours}", "loss after", title=title, title_justify="left")
    for row in rows:
        loss = "" if row.get("loss") is None else f"{row['loss']:.4f}"
        quartiles = f"{row['low']:.4f} … {row['high']:.4f}"
        table.add_row(row["name"], f"{row['seconds']:.4f}", quartiles, f"{row['seconds'] / mine:.2f}", loss)
    console.print(table)


def machine() -> dict[str, Any]:
    """Processor, cores, system and versions."""
    processor = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), processor)
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
    }


def stolen() -> float:
    """Share of this machine's processor time, since the benchmark began, that its host gave to others."""
    now = psutil.cpu_times()
    passed = sum(now[:8]) - sum(_start[:8])  # guests' time is in that of users
    return (getattr(now, "steal", 0.0) - getattr(_start, "steal", 0.0)) / max(passed, 1e-9)


def write(name: str, rows: Sequence[Mapping[str, Any]], chart: alt.TopLevelMixin, out: Path) -> None:
    """Write `<name>.json` and `<name>.png` into a folder, and say so; and how quiet the machine was."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": machine(), "stolen": stolen(), "rows": list(rows)}, indent=1)
    (out / f"{name}.json").write_text(text, encoding="utf-8")
    chart.save(str(out / f"{name}.png"), scale_factor=2)
    console.print(f"Wrote {out / name}.json and {out / name}.png; {stolen():.1%} of the processor time went to others")
