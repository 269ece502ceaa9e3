"""Search the learning rates and target losses that the presets carry: writes `sgd_tf/data/learning_rates.json`.

Usage: PYTHONPATH=. python scripts/tune_learning_rates.py [PROBLEM …]  (without names: all that need no download)

For each problem, model and batch size the learning rates of `presets.LEARNING_RATES` are tried, half a second of
training each, until they get worse; the one with the lowest mean loss is kept (`racing.try_learning_rates`). The
target is what gradient descent reaches in two seconds at its rate. Values of problems that are not named stay.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from sgd_tf import problems, racing, training
from sgd_tf.records import ModelConfig, ModelKind, TrainConfig

FILE = Path(__file__).parents[1] / "sgd_tf/data/learning_rates.json"
BATCH_SIZES = (1, 8, 32, 256, 2048)


def round_up(value: float) -> float:
    """Round up to one significant digit: 0.0132 becomes 0.02."""
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(value / unit) * unit:.6g}")


def tune(name: str, kind: ModelKind) -> dict[str, object]:
    """Best learning rate for each batch size, and the target loss, of one problem and model."""
    problem, model = problems.load(name), ModelConfig(kind=kind)
    rates: dict[str, float] = {}
    for k in (*(k for k in BATCH_SIZES if k < problem.num_examples), problem.num_examples):
        trials = racing.try_learning_rates(problem, TrainConfig(batch_size=k), seconds=0.5, model=model)
        rates[str(k)] = racing.best_trial(list(trials)).learning_rate
        print(f"{name} {kind} k = {k}: {rates[str(k)]:g}", flush=True)
    config = TrainConfig(batch_size="all", learning_rate=rates[str(problem.num_examples)])
    *_, last = training.train(problem, config, model=model, seconds=2.0)
    return {"target": round_up(last.train_loss), "learning_rates": rates}


def main() -> None:
    """Tune what the command line names, and write the file after each problem."""
    offline = [name for name, info in problems.CATALOGUE.items() if info.kind != "download"]
    names = sys.argv[1:] or offline
    if unknown := [name for name in names if name not in problems.CATALOGUE]:
        sys.exit(f"Unknown problem: {', '.join(unknown)}. There are: {', '.join(problems.CATALOGUE)}.")
    for name in names:
        kinds: list[ModelKind] = ["linear", "mlp"]
        if problems.CATALOGUE[name].is_image:
            kinds.append("cnn")
        found = {kind: tune(name, kind) for kind in kinds}
        table = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
        FILE.write_text(json.dumps({**table, name: found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
