#!/usr/bin/env python3
"""Pairs (x, y) of two tasks of the simulation-based inference benchmark (Lueckmann et al. 2021, arXiv 2101.04653).

    python3 jobs/sbi/simulate.py TASK COUNT SEED PAIRS.h5        TASK: two_moons (T.8) | gaussian_linear (T.1)

writes /x [COUNT][n], the parameters, drawn from the prior, and /y [COUNT][m], the data. Needs numpy and h5py.
"""
import sys

import h5py
import numpy as np


def two_moons(rng, count):
    """x ~ U(-1, 1)^2; y is a point of a half ring of radius N(0.1, 0.01^2), moved by x: y(x) = y(-x_2, -x_1)."""
    x = rng.uniform(-1, 1, (count, 2))
    angle = rng.uniform(-np.pi / 2, np.pi / 2, count)
    radius = rng.normal(0.1, 0.01, count)
    along, across = (x[:, 0] + x[:, 1]) / np.sqrt(2), (x[:, 1] - x[:, 0]) / np.sqrt(2)
    return x, np.stack([radius * np.cos(angle) + 0.25 - np.abs(along), radius * np.sin(angle) + across], axis=1)


def gaussian_linear(rng, count):
    """x ~ N(0, 0.1 I), y | x ~ N(x, 0.1 I), both of 10 numbers; 0.1 is the variance."""
    x = rng.normal(0, np.sqrt(0.1), (count, 10))
    return x, x + rng.normal(0, np.sqrt(0.1), (count, 10))


tasks = {"two_moons": two_moons, "gaussian_linear": gaussian_linear}
if len(sys.argv) != 5 or sys.argv[1] not in tasks:
    sys.exit(__doc__)
x, y = tasks[sys.argv[1]](np.random.default_rng(int(sys.argv[3])), int(sys.argv[2]))
with h5py.File(sys.argv[4], "w") as file:
    file["x"], file["y"] = x, y
    file.attrs.update(task=sys.argv[1], seed=int(sys.argv[3]))
