#!/usr/bin/env python3
"""Frozen reference numbers for R-hat, effective sample sizes and Monte Carlo errors, and for Pareto smoothed importance
sampling, by ArviZ (PyPI): nothing of fathom is used.

    python3 tests/golds/convergence.py            (made with ArviZ 0.23.4, numpy 2)

Writes convergence.txt and pareto.txt beside itself: one table a line, NAME v1,v2,... (17 digits). The draws come from a 32-bit
linear congruential generator, which the tests repeat: u_k = (s_k + 1/2) / 2^32, s_k+1 = 1664525 s_k + 1013904223.
"""
import os
import numpy as np
import arviz
from arviz.stats.stats import _gpdfit

HERE = os.path.dirname(os.path.abspath(__file__))
FIGURES = ("mean", "std", "rhat", "ess_bulk", "ess_tail", "ess_mean", "mcse")


class Draws:
    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return (self.state + 0.5) / 2**32

    def bell(self):
        """sum of twelve uniform numbers less 6: exact in every language"""
        return sum(self.uniform() for _ in range(12)) - 6.0


def chains(seed, nchain, ndraw, memory, shift=0.0, heavy=0):
    """first-order autoregression; shift moves the last chain; heavy: cubed"""
    d = Draws(seed)
    x = np.zeros((nchain, ndraw))
    for c in range(nchain):
        v = d.bell()
        for k in range(ndraw):
            v = memory * v + d.bell()
            x[c, k] = v**3 if heavy else v
    x[-1] += shift
    return x


def stretched(seed, nchain, ndraw):
    x = chains(seed, nchain, ndraw, 0.3)
    x[-1] *= 3
    return x


def rounded(seed, nchain, ndraw):
    """many equal values"""
    return np.floor(chains(seed, nchain, ndraw, 0.5))


CASES = {
    "independent": lambda: chains(1, 4, 250, 0.0),
    "correlated": lambda: chains(2, 4, 500, 0.9),
    "slow": lambda: chains(3, 2, 400, 0.99),
    "antithetic": lambda: chains(4, 3, 300, -0.6),
    "shifted": lambda: chains(5, 4, 200, 0.5, shift=2.0),
    "stretched": lambda: stretched(6, 4, 200),
    "heavy": lambda: chains(7, 4, 333, 0.4, heavy=1),  # odd: the middle draw is left out
    "rounded": lambda: rounded(8, 4, 200),
    "one": lambda: chains(9, 1, 1000, 0.7),
    "short": lambda: chains(10, 4, 9, 0.2),
}


def figures(x):
    return (x.mean(), x.std(ddof=1), arviz.rhat(x), arviz.ess(x, method="bulk"), arviz.ess(x, method="tail"),
            arviz.ess(x, method="mean"), arviz.mcse(x, method="mean"))


def log_weights(seed, count, shape):
    """logarithms of weights with a Pareto tail of that shape; shape 0: exponential"""
    d = Draws(seed)
    u = np.array([d.uniform() for _ in range(count)])
    return -shape * np.log(u) if shape else np.log(-np.log(u))


WEIGHTS = {"light": (11, 1000, 0.0), "fair": (12, 1000, 0.4), "heavy": (13, 2000, 0.8), "hopeless": (14, 500, 1.5),
           "few": (15, 60, 0.5), "fewest": (16, 24, 0.5)}


def write(path, tables):
    with open(os.path.join(HERE, path), "w") as f:
        for name, values in tables:
            f.write("%s %s\n" % (name, ",".join("%.17g" % v for v in np.ravel(values))))


def pareto_tables():
    for name, (seed, count, shape) in WEIGHTS.items():
        w = log_weights(seed, count, shape)
        smoothed, k = arviz.psislw(w)
        order = np.argsort(w)
        # k-hat, the five largest smoothed log weights in the order of the raw ones, and their sum of squares
        yield name, [float(k), *np.sort(smoothed)[-5:], float(np.exp(2 * smoothed).sum())]
        del order
    d = Draws(17)
    tail = np.sort([2.5 / 0.3 * (d.uniform()**-0.3 - 1) for _ in range(100)])
    yield "fit", _gpdfit(tail)


def main():
    write("convergence.txt", [(name, figures(make())) for name, make in CASES.items()])
    write("pareto.txt", pareto_tables())


if __name__ == "__main__":
    main()
