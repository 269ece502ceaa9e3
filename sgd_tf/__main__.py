"""The command line: `python -m sgd_tf race --batch-size all 256 32 --seconds 5`, `python -m sgd_tf claims`."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from sgd_tf import claims, presets, problems
from sgd_tf.checks import check_int, resolve_batch_size
from sgd_tf.records import BatchSize, ModelConfig, TrainConfig

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
    options = _parser().parse_args(arguments)
    try:
        return _claims(options) if options.command == "claims" else _race(options)
    except (ValueError, problems.DownloadError, OSError) as error:
        print(f"sgd_tf: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sgd_tf", description="Gradient descent against SGD.")
    commands = parser.add_subparsers(dest="command", required=True)
    race = commands.add_parser("race", help="train with several batch sizes on one clock, and compare")
    race.add_argument("--problem", default="digits", choices=list(problems.CATALOGUE), help="what to learn")
    race.add_argument("--num-examples", type=int, help="N, training samples; all by default")
    race.add_argument("--model", default="mlp", choices=["linear", "mlp", "cnn"])
    race.add_argument("--widths", type=int, nargs="*", default=[32], help="hidden units per layer of the MLP")
    race.add_argument("--batch-size", type=_batch_size, nargs="+", default=["all", 256, 32], metavar="K")
    race.add_argument("--learning-rate", type=float, help="the same for all; by default the tuned one of each")
    race.add_argument("--seconds", type=float, default=5.0, help="training time of each contestant")
    race.add_argument("--seed", type=int, default=0, help="of the initial weights and the order")
    race.add_argument("--target", type=float, help="training loss to reach, a preset by default; or test accuracy")
    race.add_argument("--target-metric", default="train_loss", choices=["train_loss", "test_accuracy"])
    race.add_argument("--output", default="race", help="path of the results: .csv and .html are added")
    trial = commands.add_parser("claims", help="try well-known claims, and give a verdict on each", epilog=STATUS)
    trial.add_argument("--only", nargs="+", choices=list(claims.CLAIMS), metavar="KEY", help=", ".join(claims.CLAIMS))
    trial.add_argument(
        "--seeds",
        type=int,
        default=claims.NUM_SEEDS,
        help="runs of each experiment, at most 20; fewer than 3 judge exact claims only",
    )
    trial.add_argument("--json", metavar="PATH", help="write the findings as JSON; - for the standard output, alone")
    return parser


def _batch_size(text: str) -> BatchSize:
    if text == "all":
        return "all"
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'must be an integer of at least 1, or "all"; received {text!r}.') from None


def _race(options: argparse.Namespace) -> int:
    csv, html = _race_files(options.output)
    _check_target(options)
    model = ModelConfig(kind=options.model, widths=tuple(options.widths))
    problem = problems.load(options.problem, num_examples=options.num_examples)
    N = problem.num_examples
    configs, rates = {}, {}
    for batch_size in options.batch_size:
        k = resolve_batch_size(N, batch_size)
        name = f"GD (k = {k})" if k == N else f"k = {k}"
        rate, note = _learning_rate(options, model, k, N)
        configs[name] = TrainConfig(batch_size=batch_size, learning_rate=rate, seed=options.seed)
        rates[name] = f"{rate:g}{note}"
    target, note = options.target, ""
    if target is None:
        target = presets.target_loss(problem.name, model.kind)
        note = "" if presets.is_searched(problem.name, model, "all", N) else ESTIMATED

    from sgd_tf import charts, history, racing, terminal  # TensorFlow: after the arguments have been checked

    records = racing.race(problem, configs, seconds=options.seconds, model=model)
    table = history.to_frame(records)
    metric = options.target_metric
    terminal.print_race(table, target=target, target_note=note, target_metric=metric, learning_rates=rates)
    table.to_csv(csv, index=False)
    charts.save_html(charts.curves(table, y=metric, target=target, log_y=metric == "train_loss", width=900), html)
    print(f"{csv}\n{html}")
    return 0


def _check_target(options: argparse.Namespace) -> None:
    """Raise a ValueError if the target is none that its metric can reach."""
    target = options.target
    if options.target_metric == "train_loss":
        if target is not None and not 0 < target < math.inf:
            raise ValueError(f"`target` must be a finite number greater than 0; received {target!r}.")
        return
    if problems.CATALOGUE[options.problem].task == "regression":
        raise ValueError(f"`target_metric` must be train_loss: {options.problem!r} is a regression.")
    if target is None or not 0 < target <= 1:
        raise ValueError(f"`target` must be a test accuracy in (0, 1]; received {target!r}.")


def _learning_rate(
    options: argparse.Namespace, model: ModelConfig, batch_size: int, num_examples: int
) -> tuple[float, str]:
    """The learning rate of a contestant, and what to say of it in the table."""
    if options.learning_rate is not None:
        return options.learning_rate, ""
    tuned = presets.tuned_learning_rate(options.problem, model.kind, batch_size, num_examples)
    if tuned is None:
        return DEFAULT_LEARNING_RATE, " (not searched)"
    is_searched = presets.is_searched(options.problem, model, batch_size, num_examples)
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
    check_int("seeds", options.seeds, 1, claims.MAX_SEEDS)
    if options.json and options.json != "-":
        _check_writable("json", Path(options.json))
    from sgd_tf import claim_experiments, terminal  # TensorFlow

    keys = options.only or list(claims.CLAIMS)
    rows, failures = [], {}
    for key in terminal.show_claims(keys):
        try:
            *_steps, finding = claim_experiments.try_claim(claims.CLAIMS[key], num_seeds=options.seeds)
        except Exception as error:  # whatever it is: the others go on
            failures[key] = f"{type(error).__name__}: {error}"
        else:
            assert isinstance(finding, claims.Finding)
            rows.append(finding.to_row())
    entries = claims.to_json(rows) + [{"claim": key, "failure": text} for key, text in failures.items()]
    if options.json == "-":
        print(json.dumps(entries, indent=1, ensure_ascii=False))
    else:
        terminal.print_claims(rows, failures)
        if options.json:
            Path(options.json).write_text(json.dumps(entries, indent=1, ensure_ascii=False), encoding="utf-8")
            print(options.json)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
