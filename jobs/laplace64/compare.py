#!/usr/bin/env python3
"""A flow's samples of phi against a reference's: python3 jobs/laplace64/compare.py REFERENCE.h5 SAMPLES.h5 PREFIX

REFERENCE.h5: fathom reference; SAMPLES.h5: fathom sample. Prints errors of the 64 means in the reference's standard deviations and of
the standard deviations, relative, and of E[theta_k] = E[exp(phi_k)], as result lines. Needs numpy and h5py.
"""
import sys

import h5py
import numpy as np

if len(sys.argv) != 4:
    sys.exit(__doc__)
reference, samples = (h5py.File(name)["x"][:].astype(float).reshape(-1, 64) for name in sys.argv[1:3])
mean = np.abs(samples.mean(axis=0) - reference.mean(axis=0)) / reference.std(axis=0)
std = np.abs(samples.std(axis=0) / reference.std(axis=0) - 1)
theta = np.abs(np.exp(samples).mean(axis=0) / np.exp(reference).mean(axis=0) - 1)
for name, error in (("mean_error", mean), ("std_error", std), ("theta_error", theta)):
    for word, value in (("median", np.median(error)), ("p90", np.quantile(error, 0.9)), ("max", error.max())):
        print(f"result {sys.argv[3]}_{name}_{word} {value:.4f} 1")
