"""A small network and random weights for the tests of the benchmarks."""

import numpy as np

from wccsim.network.catalog import load_network


def network():
    return load_network("mobilenetv2", input_size=(32, 32))


def random_weights(layer, seed):
    outputs, channels = layer.out_shape.channels, layer.in_shape.channels
    return np.random.default_rng(seed).integers(-127, 128, (outputs, channels)).astype(np.int8)
