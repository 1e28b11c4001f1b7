#!/usr/bin/env python3
"""Classifier two-sample test by the recipe of the simulation-based inference benchmark (Lueckmann et al. 2021, section 3).

    python3 tests/c2st.py REFERENCE.h5 OBSERVATION SAMPLES.h5 [-count N] [-within LOW,HIGH]

REFERENCE.h5:/reference_samples [observations][count][n] against SAMPLES.h5:/x [...][n]; OBSERVATION counts from 0. Prints the
accuracy, .5 where the two cannot be told apart: both scaled by the reference's mean and standard deviation, a perceptron of two
hidden layers of 10 n, 5 shuffled folds.

-count N          the first N of each (10,000)
-within LOW,HIGH  the samples outside this box are passed over first: rejection at the edge of a uniform prior
"""
import argparse
import sys
import warnings

import h5py
import numpy as np
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neural_network import MLPClassifier


def c2st(reference, samples):
    mean, std = reference.mean(axis=0), reference.std(axis=0, ddof=1)
    data = np.concatenate([(reference - mean) / std, (samples - mean) / std])
    target = np.concatenate([np.zeros(len(reference)), np.ones(len(samples))])
    width = 10 * data.shape[1]
    classifier = MLPClassifier(hidden_layer_sizes=(width, width), activation="relu", solver="adam", max_iter=10000, random_state=1)
    folds = KFold(n_splits=5, shuffle=True, random_state=1)
    return cross_val_score(classifier, data, target, cv=folds, scoring="accuracy").mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference")
    parser.add_argument("observation", type=int)
    parser.add_argument("samples")
    parser.add_argument("-count", type=int, default=10000)
    parser.add_argument("-within")
    options = parser.parse_args()
    with h5py.File(options.reference) as file:
        reference = file["reference_samples"][options.observation].astype(float)
    with h5py.File(options.samples) as file:
        samples = file["x"][:].astype(float)
    if options.within:
        low, high = (float(word) for word in options.within.split(","))
        inside = np.all((samples >= low) & (samples <= high), axis=1)
        print(f"{1 - inside.mean():.4f} of the samples are outside [{low:g}, {high:g}]", file=sys.stderr)
        samples = samples[inside]
    reference, samples = reference[: options.count], samples[: options.count]
    if len(samples) != len(reference):
        sys.exit(f"{len(samples)} samples against {len(reference)} of the reference: draw more")
    print(f"{c2st(reference, samples):.4f}")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
