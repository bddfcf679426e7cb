"""A small layer, a small network and random weights for the tests of the benchmarks."""

import numpy as np

from wccsim.bench.inputs import job
from wccsim.network.catalog import load_network
from wccsim.parameters import WccParameters

SMALL = WccParameters(bias=True)


def small_job(**fields):
    return job("small", (12, 40, 48), 8, WccParameters(bias=True, **fields), seed=1)


def network():
    return load_network("mobilenetv2", input_size=(32, 32))


def random_weights(layer, seed):
    outputs, channels = layer.out_shape.channels, layer.in_shape.channels
    return np.random.default_rng(seed).integers(-127, 128, (outputs, channels)).astype(np.int8)
