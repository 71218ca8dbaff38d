"""Chance, in parts that do not depend on each other: a change in one leaves the others be."""

import zlib

import numpy as np


class Randomness:
    """A seed, from which every part of the demo draws its own stream."""

    def __init__(self, seed: int) -> None:
        """Keeps the seed."""
        self.seed = seed

    def part(self, name: str) -> np.random.Generator:
        """The stream of the part of that name."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])
