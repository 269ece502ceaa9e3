"""All claims, in the order in which they are tried and numbered.

    sgd-tf claims                   all of them, as a table
    sgd-tf claims --only efficient --seeds 10 --json -

Where the runs agree the number of a measure is that of the worst one, unless its title says otherwise.
"""

from __future__ import annotations

from sgd_tf.claims.cases import devices, double_loop, memory, noise, racing, sampling, sweep
from sgd_tf.claims.claim import Claim

_ALL = (
    double_loop.FULL_PASS,
    memory.ACCUMULATION,
    racing.SLOW_UPDATES,
    noise.MINIBATCH_GRADIENT,
    sampling.WITHOUT_REPLACEMENT,
    double_loop.USED_UP,
    sampling.NEW_ORDER,
    double_loop.ITERATIONS,
    sweep.MORE_UPDATES,
    double_loop.DOUBLE_LOOP,
    racing.EFFICIENT,
    sweep.K_MATTERS,
    sweep.PRACTICAL,
    devices.MANY_DEVICES,
    noise.STABILITY,
    sweep.LINEAR_SCALING,
    sampling.SHUFFLE_BUFFER,
    sweep.GENERALISATION,
)
CLAIMS: dict[str, Claim] = {claim.key: claim for claim in _ALL}
