#!/usr/bin/env python3
"""Draws of phi against a reference's.

    python3 jobs/laplace64/compare.py REFERENCE.h5 PREFIX DRAWS.h5 [--weighted=EVALUATE.h5] [--published=MEANS.txt]

REFERENCE.h5: fathom reference; DRAWS.h5: fathom sample or reference, dataset x. Prints as result lines, of the 64 unknowns: errors of
the means in the reference's standard deviations, of the standard deviations, relative, and of E[theta_k] = E[exp(phi_k)], relative, by
plain draws and by the weights of fathom evaluate -expectation exp, to MEANS.txt where given, else to the reference. Needs numpy, h5py.
"""
import argparse

import h5py
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("reference")
parser.add_argument("prefix")
parser.add_argument("draws")
parser.add_argument("--weighted")
parser.add_argument("--published")
given = parser.parse_args()


def show(name, error):
    print(f"result {given.prefix}_{name}_within_a_tenth {np.sum(error <= 0.1)} of_{error.size}")
    for word, value in (("median", np.median(error)), ("p90", np.quantile(error, 0.9)), ("max", error.max())):
        print(f"result {given.prefix}_{name}_{word} {value:.4f} 1")


reference, draws = (h5py.File(name)["x"][:].astype(float).reshape(-1, 64) for name in (given.reference, given.draws))
theta = np.loadtxt(given.published).ravel() if given.published else np.exp(reference).mean(axis=0)
show("mean_error", np.abs(draws.mean(axis=0) - reference.mean(axis=0)) / reference.std(axis=0))
show("std_error", np.abs(draws.std(axis=0) / reference.std(axis=0) - 1))
show("theta_error", np.abs(np.exp(draws).mean(axis=0) / theta - 1))
if given.weighted:
    show("theta_weighted_error", np.abs(h5py.File(given.weighted)["weighted/exp/mean"][:] / theta - 1))
