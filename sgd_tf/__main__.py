"""The command line: `python -m sgd_tf race --batch-size all 256 32 --seconds 5`, `python -m sgd_tf claims`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from sgd_tf import claims, presets, problems
from sgd_tf.records import ModelConfig, TrainConfig, check_int

DEFAULT_LEARNING_RATE = 0.1  # where no learning rate was ever searched
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
    race.add_argument("--learning-rate", type=float, help="the same for all; by default each its tuned one")
    race.add_argument("--seconds", type=float, default=5.0, help="training time of each contestant")
    race.add_argument("--seed", type=int, default=0, help="of the initial weights and the order")
    race.add_argument("--target", type=float, help="training loss to reach; a preset by default")
    race.add_argument("--output", type=Path, default=Path("race"), help="path of the CSV and HTML, no suffix")
    trial = commands.add_parser("claims", help="try well-known claims, and give a verdict on each", epilog=STATUS)
    trial.add_argument("--only", nargs="+", choices=list(claims.CLAIMS), metavar="KEY", help=", ".join(claims.CLAIMS))
    trial.add_argument("--seeds", type=int, default=claims.NUM_SEEDS, help="runs of each experiment, at most 20")
    trial.add_argument("--json", metavar="PATH", help="write the findings as JSON; - for the standard output, alone")
    return parser


def _batch_size(text: str) -> int | str:
    return "all" if text == "all" else int(text)


def _race(options: argparse.Namespace) -> int:
    model = ModelConfig(kind=options.model, widths=tuple(options.widths))
    problem = problems.load(options.problem, num_examples=options.num_examples)
    configs = {}
    for batch_size in options.batch_size:
        config = TrainConfig(batch_size=batch_size)  # checks it
        k = config.minibatch_size(problem.num_examples)
        tuned = presets.tuned_learning_rate(problem.name, model.kind, k, problem.num_examples)
        rate = options.learning_rate or tuned or DEFAULT_LEARNING_RATE
        name = f"GD (k = {k})" if k == problem.num_examples else f"k = {k}"
        configs[name] = TrainConfig(batch_size=batch_size, learning_rate=rate, seed=options.seed)
    target = options.target or presets.target_loss(problem.name, model.kind)

    from sgd_tf import charts, history, racing, terminal  # TensorFlow: after the arguments have been checked

    records = racing.race(problem, configs, seconds=options.seconds, model=model)
    table = history.to_frame(records)
    terminal.print_race(table, target=target, learning_rates={n: c.learning_rate for n, c in configs.items()})
    csv, html = options.output.with_suffix(".csv"), options.output.with_suffix(".html")
    table.to_csv(csv, index=False)
    charts.save_html(charts.curves(table, target=target, log_y=True, width=900), html)
    print(f"{csv}\n{html}")
    return 0


def _claims(options: argparse.Namespace) -> int:
    check_int("seeds", options.seeds, 1, claims.MAX_SEEDS)
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
