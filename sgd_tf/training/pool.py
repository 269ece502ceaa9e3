"""The pool of compiled programs: a run takes an idle one of its shape, since a compilation takes most of a second."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import keras

from sgd_tf.training import models, optimizers, pipeline
from sgd_tf.training.compiled import Block, Program
from sgd_tf.training.compilers import Compiler, Speed
from sgd_tf.training.models import Model
from sgd_tf.training.records import TrainConfig

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

MAX_IDLE_PROGRAMS = 24  # kept for the next run of their shape, about 3.4 MB each

_idle: OrderedDict[str, list[Program]] = OrderedDict()
_speeds: dict[str, Speed] = {}  # signature → speed: found once in a process, it holds for all runs
_lock = threading.Lock()


def acquire(
    problem: Problem, config: TrainConfig, model: Model | None, *, block: Block, compiler: Compiler | None = None
) -> Program:
    """The compiled program for a model and a batch size, with fresh weights: an idle one, or a new one.

    Args:
        problem: training and test samples.
        config: batch size, learning rate, seed, …
        model: as in `training.train`.
        block: its first minibatches, with which the compilers are tried.
        compiler: to be used without a trial; None for the faster one.
    """
    fresh = models.make(problem, model, seed=config.seed)
    config = optimizers.of_model(fresh, config)
    _check_shapes(fresh, problem)
    signature = None if isinstance(model, keras.Model) else _signature(fresh, problem, config, compiler)
    with _lock:
        waiting = _idle.get(signature) if signature else None
        program = waiting.pop() if waiting else None
        speed = _speeds.get(signature) if signature else None
    if program is not None:
        program.reset(fresh, config)
    else:
        program = Program(fresh, problem, config, signature)
        if compiler is not None:
            program.compiler = compiler
        elif speed is not None:
            program.speed = speed
            program.compiler = speed.compiler
        else:
            program.choose_compiler(block)
            if signature and program.speed:
                with _lock:
                    _speeds[signature] = program.speed
    program.run(block, 0, 0, 0)  # compiles, off the clock, and changes nothing
    program.evaluate(problem.x_train[:1], pipeline.targets(problem)[:1])
    return program


def release(program: Program | None) -> None:
    """Keep a program for the next run of its shape."""
    if program is None or program.signature is None:
        return
    with _lock:
        _idle.setdefault(program.signature, []).append(program)
        _idle.move_to_end(program.signature)
        while sum(map(len, _idle.values())) > MAX_IDLE_PROGRAMS:
            oldest = next(signature for signature, waiting in _idle.items() if waiting)
            _idle[oldest].pop()
        for signature in [signature for signature, waiting in _idle.items() if not waiting]:
            del _idle[signature]


def _signature(model: keras.Model, problem: Problem, config: TrainConfig, compiler: Compiler | None) -> str | None:
    """What two runs must have in common to share a compiled program; names and seeds do not matter.

    None for a model with code that is not Keras' own: its name stays the same when the code changes.
    """

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(part) for key, part in value.items() if key not in ("name", "seed", "build_config")}
        return [strip(part) for part in value] if isinstance(value, list | tuple) else value

    try:
        architecture = keras.saving.serialize_keras_object(model)
    except NotImplementedError:  # a custom layer that does not report its arguments
        return None
    of_optimizer = optimizers.shape(config)
    if of_optimizer is None or not _is_of_keras(architecture):
        return None
    is_weighted = problem.sample_weight is not None
    shape = [problem.x_train.shape, problem.num_classes, is_weighted, config.minibatch_size(problem.num_examples)]
    of_config = [config.micro_batch_size, strip(of_optimizer), compiler]
    return json.dumps([shape, *of_config, strip(architecture)], sort_keys=True, default=repr)


def _is_of_keras(part: Any) -> bool:
    """Whether all that is named in a serialised model is a part of Keras."""
    if isinstance(part, dict):
        own = str(part.get("module", "keras")).split(".")[0] == "keras" and part.get("class_name") != "__lambda__"
        return own and all(map(_is_of_keras, part.values()))
    return not isinstance(part, list | tuple) or all(map(_is_of_keras, part))


def _check_shapes(model: keras.Model, problem: Problem) -> None:
    """Raise a ValueError unless the model takes the samples and gives one output per class (or one number)."""
    outputs = 1 if problem.num_classes is None else problem.num_classes
    try:
        shape = tuple(model(problem.x_train[:1], training=False).shape)
    except Exception as error:
        received = problem.x_train.shape[1:]
        raise ValueError(f"`model` must take samples of shape {received}; it says: {error}") from error
    if shape != (1, outputs):
        raise ValueError(f"`model` must give {outputs} outputs per sample for {problem.name!r}; it gives {shape[1:]}.")
