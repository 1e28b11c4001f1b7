#!/usr/bin/env python3
"""Frozen numbers of monotonic rational-quadratic splines: python3 tests/golds/spline.py > tests/golds/spline.txt

Written from the equations of Durkan et al. (2019), arXiv 1906.04032: knots by cumulative sums of softmaxes with a least size of 1e-3,
inner slopes 1e-3 + softplus(c + C) with C such that c = 0 gives 1, slopes 1 at the ends; value by equation 4, its slope by
differentiation. All derivatives by the complex step, the inverse by bracketing (scipy's brentq). A case is

    case BINS BOUND
    raw    a (BINS) b (BINS) c (BINS - 1)
    x      an argument          y, log y', then the derivatives of y and of log y' by x and by each raw number
"""
import numpy as np
from scipy.optimize import brentq

LEAST = 1e-3


def knots(raw, bound):
    e = np.exp(raw - np.max(raw.real))
    sizes = 2 * bound * (LEAST + (1 - LEAST * len(raw)) * e / e.sum())
    return np.concatenate([[-bound + 0j], -bound + np.cumsum(sizes)])


def spline(raw, bins, bound, x):
    """y(x); x and raw may be complex, with small imaginary parts."""
    if not -bound < x.real < bound:
        return x
    xs, ys = knots(raw[:bins], bound), knots(raw[bins : 2 * bins], bound)
    shift = np.log(np.expm1(1 - LEAST))
    slope = np.concatenate([[1], LEAST + np.log1p(np.exp(raw[2 * bins :] + shift)), [1]])
    k = np.searchsorted(xs.real[1:-1], x.real, side="right")
    width, height = xs[k + 1] - xs[k], ys[k + 1] - ys[k]
    mean, u = height / width, (x - xs[k]) / width
    v = u * (1 - u)
    return ys[k] + height * (mean * u**2 + slope[k] * v) / (mean + (slope[k + 1] + slope[k] - 2 * mean) * v)


def slope_of(raw, bins, bound, x):
    """dy/dx by hand, for the derivatives of its logarithm."""
    if not -bound < x.real < bound:
        return 1 + 0j
    xs, ys = knots(raw[:bins], bound), knots(raw[bins : 2 * bins], bound)
    shift = np.log(np.expm1(1 - LEAST))
    slope = np.concatenate([[1], LEAST + np.log1p(np.exp(raw[2 * bins :] + shift)), [1]])
    k = np.searchsorted(xs.real[1:-1], x.real, side="right")
    width, height = xs[k + 1] - xs[k], ys[k + 1] - ys[k]
    mean, u = height / width, (x - xs[k]) / width
    top = slope[k + 1] * u**2 + 2 * mean * u * (1 - u) + slope[k] * (1 - u) ** 2
    return mean**2 * top / (mean + (slope[k + 1] + slope[k] - 2 * mean) * u * (1 - u)) ** 2


def derivatives(f, raw, bins, bound, x, h=1e-30):
    values = [f(raw, bins, bound, x + 1j * h).imag / h]
    for i in range(len(raw)):
        moved = raw.copy()
        moved[i] += 1j * h
        values.append(f(moved, bins, bound, x).imag / h)
    return values


def row(word, numbers):
    print(word, *(f"{number:.17g}" for number in numbers))


def case(rng, bins, bound, spread, count):
    raw = (spread * rng.standard_normal(3 * bins - 1)).astype(complex)
    print("case", bins, bound)
    row("raw", raw.real)
    for x in np.concatenate([rng.uniform(-bound, bound, count), [-1.25 * bound, 1.5 * bound]]):
        x = complex(x)
        y, slope = spline(raw, bins, bound, x), slope_of(raw, bins, bound, x)
        of_y = derivatives(spline, raw, bins, bound, x)
        of_log = derivatives(lambda *a: np.log(slope_of(*a)), raw, bins, bound, x)
        assert abs(of_y[0] - slope.real) < 1e-12 * max(1, slope.real)
        if abs(x) < bound:
            back = brentq(lambda t: spline(raw, bins, bound, complex(t)).real - y.real, -bound, bound, xtol=1e-15)
            assert abs(back - x.real) < 1e-11 / min(1, slope.real)
        row("x", [x.real, y.real, np.log(slope.real)] + of_y + of_log)


print("# written by tests/golds/spline.py")
generator = np.random.default_rng(1906)
case(generator, 2, 1.0, 1.0, 6)
case(generator, 4, 2.5, 1.2, 12)
case(generator, 8, 4.0, 0.8, 20)
case(generator, 5, 3.0, 0.0, 6)
