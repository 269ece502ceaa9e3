"""The commands: `sgd-tf lab`, `sgd-tf race`, `sgd-tf claims`, `sgd-tf data-parallel`; also as `python -m sgd_tf …`."""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import re
import runpy
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from sgd_tf import problems
from sgd_tf.checks import check_int, resolve_batch_size
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.claims.claim import MAX_SEEDS, NUM_SEEDS
from sgd_tf.training import tuned_rates
from sgd_tf.training.records import BatchSize, ModelConfig, RacePlan, TrainConfig

DEFAULT_LEARNING_RATE = 0.1  # where no learning rate was ever searched
ESTIMATED = " (estimated)"  # of a rate or a target that was searched for another model, k or N
STATUS = (
    "exit status: 0 when all experiments ran, whatever the verdicts; 1 when one could not be run; 2 for bad arguments."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status.

    Args:
        arguments: words of the command line; None for those of the process.
    """
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if options.command is _lab:
        options.rest = rest
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return options.command(options)
    except (ValueError, problems.DownloadError, OSError) as error:
        print(f"sgd-tf: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sgd-tf", description="Gradient descent against SGD.")
    commands = parser.add_subparsers(metavar="command", required=True)
    lab = commands.add_parser(
        "lab",
        help="start the lab, and print its address",
        epilog="Further options go to Streamlit: --server.port 8600, --server.headless true, …",
        allow_abbrev=False,
    )
    lab.set_defaults(command=_lab)
    _add_race(commands.add_parser("race", help="train with several batch sizes on one clock, and compare"))
    _add_claims(commands.add_parser("claims", help="try well-known claims, and give a verdict on each", epilog=STATUS))
    text = "train over several devices, processes or machines: the same updates as on one"
    _add_data_parallel(commands.add_parser("data-parallel", help=text, description=f"{text}."))
    return parser


def _add_race(race: argparse.ArgumentParser) -> None:
    race.set_defaults(command=_race)
    what = race.add_mutually_exclusive_group()
    what.add_argument("--problem", default="digits", choices=list(problems.CATALOGUE), help="what to learn")
    what.add_argument("--data", metavar="FILE", help="a table of your own instead: CSV, Parquet or NPZ")
    race.add_argument("--target", metavar="COLUMN", help="of --data: the column to predict")
    race.add_argument("--features", metavar="COLUMN", nargs="+", help="of --data: all that can be used by default")
    race.add_argument("--task", choices=["classification", "regression"], help="of --data: guessed by default")
    race.add_argument("--missing", choices=["drop", "fill"], help="of --data: rows without a value; dropped by default")
    race.add_argument("--num-examples", type=int, help="N, training samples; all by default")
    race.add_argument("--model", default="mlp", choices=["linear", "mlp", "cnn"])
    race.add_argument("--widths", type=int, nargs="*", default=[32], help="hidden units per layer of the MLP")
    race.add_argument("--layers", help='own layers in place of --model, such as "dense 64 relu, dropout 0.2, dense 32"')
    race.add_argument("--batch-size", type=_batch_size, nargs="+", default=["all", 256, 32], metavar="K")
    race.add_argument("--learning-rate", type=float, help="the same for all; by default the tuned one of each")
    race.add_argument("--seconds", type=float, default=5.0, help="training time of each contestant")
    race.add_argument("--seed", type=int, default=0, help="of the initial weights and the order")
    race.add_argument("--seeds", type=int, default=1, help="runs of each contestant, with a seed each; 3 for a verdict")
    race.add_argument(
        "--target-value", type=float, help="training loss to reach, a preset by default; or test accuracy"
    )
    race.add_argument("--target-metric", default="train_loss", choices=["train_loss", "test_accuracy"])
    race.add_argument("--output", default="race", help="path of the results: .csv and .html are added")


def _add_claims(trial: argparse.ArgumentParser) -> None:
    trial.set_defaults(command=_claims)
    trial.add_argument("--only", nargs="+", choices=list(CLAIMS), metavar="KEY", help=", ".join(CLAIMS))
    trial.add_argument(
        "--seeds",
        type=int,
        default=NUM_SEEDS,
        help="runs of each experiment, at most 20; fewer than 3 judge exact claims only",
    )
    trial.add_argument("--json", metavar="PATH", help="write the findings as JSON; - for the standard output, alone")


def _add_data_parallel(parallel: argparse.ArgumentParser) -> None:
    parallel.set_defaults(command=_data_parallel)
    how = parallel.add_mutually_exclusive_group(required=True)
    how.add_argument("--devices", type=int, help="devices of one process")
    how.add_argument("--workers", type=int, help="processes on this machine")
    how.add_argument("--hosts", help="name:port of each machine, separated by commas; the same list on all")
    parallel.add_argument("--index", type=int, default=0, help="of this machine in the list of hosts")
    parallel.add_argument("--patience", type=float, help="seconds that other machines may be silent or not there yet")
    parallel.add_argument("--problem", default="digits", help=", ".join(problems.CATALOGUE))
    parallel.add_argument("--batch-size", type=int, default=256)
    parallel.add_argument("--learning-rate", type=float, default=0.1)
    parallel.add_argument("--updates", type=int, default=20)
    parallel.add_argument("--seed", type=int, default=0)


def _batch_size(text: str) -> BatchSize:
    if text == "all":
        return "all"
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'must be an integer of at least 1, or "all"; received {text!r}.') from None


def _lab(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("streamlit") is None:
        raise ValueError("The lab needs more packages: pip install 'sgd-tf[app]'.")
    sys.argv = ["streamlit", "run", str(lab_script()), *options.rest]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
    return 0


def lab_script() -> Path:
    """Path of app.py, with pages/ and .streamlit/ beside it: in the installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    installed = package / "lab" / "app.py"
    return installed if installed.exists() else package.parent / "app.py"


def _race(options: argparse.Namespace) -> int:
    from sgd_tf.racing import race, seeds, terminal
    from sgd_tf.training import history, seed_curves

    csv, html = _race_files(options.output)
    _check_target(options)
    if options.layers is None:
        model = ModelConfig(kind=options.model, widths=tuple(options.widths))
    else:
        model = ModelConfig(layers=options.layers)
    problem = _problem(options)
    if options.target_metric == "test_accuracy" and problem.task == "regression":
        raise ValueError(f"`target_metric` must be train_loss: {problem.name!r} is a regression.")
    N = problem.num_examples
    configs, rates = {}, {}
    for batch_size in options.batch_size:
        k = resolve_batch_size(N, batch_size)
        name = f"GD (k = {k})" if k == N else f"k = {k}"
        rate, note = _learning_rate(options, problem.name, model, k, N)
        configs[name] = TrainConfig(batch_size=batch_size, learning_rate=rate, seed=options.seed)
        rates[name] = f"{rate:g}{note}"
    target, note = options.target_value, ""
    if target is None:
        target = tuned_rates.target_loss(problem.name, model.nearest_kind)
        note = "" if tuned_rates.is_searched(problem.name, model, "all", N) else ESTIMATED

    from sgd_tf import charts  # TensorFlow: after the arguments have been checked

    records = race.race(problem, configs, seconds=options.seconds, model=model, seeds=options.seeds)
    table = history.to_frame(records)
    metric = options.target_metric
    median = seed_curves.over_seeds(table) if options.seeds > 1 else table
    terminal.print_race(median, target=target, target_note=note, target_metric=metric, learning_rates=rates)
    plan = RacePlan(problem=problem.name, configs=configs, seeds=options.seeds, target=target, target_metric=metric)
    if real := seeds.is_it_real(plan, table):
        print(terminal.real(real))
    table.to_csv(csv, index=False)
    y = charts.Axis(metric, log=metric == "train_loss")
    charts.save_html(charts.curves(table, y=y, target=target, theme=charts.Theme(width=900)), html)
    print(f"{csv}\n{html}")
    return 0


def _check_target(options: argparse.Namespace) -> None:
    """Raise a ValueError if the target is none that its metric can reach."""
    target = options.target_value
    if options.target_metric == "train_loss":
        if target is not None and not 0 < target < math.inf:
            raise ValueError(f"`target_value` must be a finite number greater than 0; received {target!r}.")
        return
    if options.data is None and problems.CATALOGUE[options.problem].task == "regression":
        raise ValueError(f"`target_metric` must be train_loss: {options.problem!r} is a regression.")
    if target is None or not 0 < target <= 1:
        raise ValueError(f"`target_value` must be a test accuracy in (0, 1]; received {target!r}.")


def _problem(options: argparse.Namespace) -> problems.Problem:
    """The problem of a race: one of the catalogue, or the table of a file."""
    if options.data is None:
        for name in ("target", "features", "task", "missing"):
            if getattr(options, name) is not None:
                raise ValueError(f"`{name}` must be given with `data`; received {getattr(options, name)!r}.")
        return problems.load(options.problem, num_examples=options.num_examples)
    if options.num_examples is not None:
        raise ValueError(f"`num_examples` must be given without `data`; received {options.num_examples}.")
    if options.target is None:
        raise ValueError("`target` must be the name of a column of `data`; received none.")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        problem = problems.Problem.from_csv(
            options.data,
            target=options.target,
            features=options.features,
            task=options.task,
            missing=options.missing or "drop",
        )
    for each in said:
        print(f"sgd-tf: {each.message}", file=sys.stderr)
    return problem


def _learning_rate(
    options: argparse.Namespace, problem: str, model: ModelConfig, batch_size: int, num_examples: int
) -> tuple[float, str]:
    """The learning rate of a contestant, and what to say of it in the table."""
    if options.learning_rate is not None:
        return options.learning_rate, ""
    tuned = tuned_rates.tuned_learning_rate(problem, model.nearest_kind, batch_size, num_examples)
    if tuned is None:
        return DEFAULT_LEARNING_RATE, " (not searched)"
    is_searched = tuned_rates.is_searched(problem, model, batch_size, num_examples)
    return tuned, "" if is_searched else ESTIMATED


def _race_files(output: str) -> tuple[Path, Path]:
    """Paths of the CSV and the HTML file of a race, after a check that both can be written."""
    stem = output.removesuffix(".csv").removesuffix(".html")
    if re.fullmatch(r"(.*/)?\.{0,2}", stem):
        raise ValueError(f"`output` must name a file; received {output!r}.")
    csv, html = Path(f"{stem}.csv"), Path(f"{stem}.html")
    _check_writable("output", csv)
    _check_writable("output", html)
    return csv, html


def _check_writable(option: str, path: Path) -> None:
    """Raise a ValueError if no file can be written there: before the training, so that no result is lost."""
    try:
        is_new = not path.exists()
        path.open("a").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise ValueError(f"`{option}` must name a file that can be written; {path}: {error.strerror}.") from None


def _claims(options: argparse.Namespace) -> int:
    from sgd_tf.claims import findings, rows, terminal

    check_int("seeds", options.seeds, 1, MAX_SEEDS)
    if options.json and options.json != "-":
        _check_writable("json", Path(options.json))

    keys = options.only or list(CLAIMS)
    found, failures = [], {}
    for key in terminal.show_claims(keys):
        try:
            *_signs, finding = rows.measure(CLAIMS[key], num_seeds=options.seeds)
        except Exception as error:  # whatever it is: the others go on
            failures[key] = f"{type(error).__name__}: {error}"
        else:
            assert finding is not None
            found.append(finding)
    entries = findings.to_json(found) + [{"claim": key, "failure": text} for key, text in failures.items()]
    if options.json == "-":
        print(json.dumps(entries, indent=1, ensure_ascii=False))
    else:
        terminal.print_claims(found, failures)
        if options.json:
            Path(options.json).write_text(json.dumps(entries, indent=1, ensure_ascii=False), encoding="utf-8")
            print(options.json)
    return 1 if failures else 0


def _data_parallel(options: argparse.Namespace) -> int:

    from sgd_tf.devices import replicas
    from sgd_tf.devices.rows import ParallelPlan, Update, Weights

    plan = ParallelPlan(
        problem=options.problem,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        num_updates=options.updates,
        seed=options.seed,
    )
    if options.devices is not None:
        rows = replicas.over_devices(plan, [options.devices])
    elif options.workers is not None:
        rows = replicas.over_workers(plan, options.workers)
    else:
        rows = replicas.as_worker(plan, options.hosts.split(","), options.index, patience=options.patience)
    try:
        for row in rows:
            if isinstance(row, Update):
                print(f"update {row.update:>5}  loss {row.loss:.5f}  {1e3 * row.seconds:.1f} ms", flush=True)
            if isinstance(row, Weights):
                print(f"sum of all weights {sum(row.values):.7f}", flush=True)
    except replicas.PeerError as error:
        print(f"sgd-tf: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
