#!/usr/bin/python3
"""A fixed linear-Gaussian problem with its exact posterior, by numpy alone: nothing of fathom is used.

    x in R^8 ~ N(3.14, 9 I),  y in R^6 = A x + e,  e ~ N(0, 0.1 I),  A iid N(0, 1)/sqrt(8)
    Sigma = (A^T A/0.1 + I/9)^-1,  mu = Sigma (A^T y/0.1 + 3.14/9),  log p(y) = log N(y; 3.14 A 1, 9 A A^T + 0.1 I)

    /usr/bin/python3 tests/golds/linear_gaussian.py [--check]

Writes linear_gaussian.txt beside itself: one table a line, NAME v1,v2,... (matrices row-major, 17 digits), so that a line
serves as an option list. --check writes nothing; it fails where the file differs by more than 1e-12 from what is computed.
"""
import os
import sys
import numpy as np

SEED, N, M = 20210403, 8, 6
MEAN, VARIANCE, NOISE_VARIANCE = 3.14, 9.0, 0.1
PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "linear_gaussian.txt")


def problem():
    draw = np.random.RandomState(SEED)  # a frozen generator: the same numbers in every version of numpy
    matrix = draw.standard_normal((M, N)) / np.sqrt(N)
    x = MEAN + np.sqrt(VARIANCE) * draw.standard_normal(N)
    y = matrix @ x + np.sqrt(NOISE_VARIANCE) * draw.standard_normal(M)
    return matrix, x, y


def solve(matrix, y):
    precision = matrix.T @ matrix / NOISE_VARIANCE + np.eye(N) / VARIANCE
    sigma = np.linalg.inv(precision)
    sigma = 0.5 * (sigma + sigma.T)
    mu = np.linalg.solve(precision, matrix.T @ y / NOISE_VARIANCE + MEAN / VARIANCE)
    cov = VARIANCE * matrix @ matrix.T + NOISE_VARIANCE * np.eye(M)
    d = y - MEAN * matrix.sum(axis=1)
    evidence = -0.5 * (d @ np.linalg.solve(cov, d) + np.linalg.slogdet(cov)[1] + M * np.log(2 * np.pi))
    return sigma, mu, evidence


def cross_check(matrix, y, sigma, mu, evidence):
    """Bayes at three points x: log p(x) + log p(y | x) - log p(x | y) = log p(y), whatever x is"""
    def log_normal(d, cov):
        return -0.5 * (d @ np.linalg.solve(cov, d) + np.linalg.slogdet(cov)[1] + len(d) * np.log(2 * np.pi))
    for x in (np.zeros(N), mu, np.linspace(-3, 9, N)):
        other = (log_normal(x - MEAN, VARIANCE * np.eye(N)) + log_normal(matrix @ x - y, NOISE_VARIANCE * np.eye(M))
                 - log_normal(x - mu, sigma))
        assert abs(other - evidence) < 1e-8 * (1 + abs(log_normal(x - mu, sigma))), (other, evidence)


def tables():
    matrix, x, y = problem()
    sigma, mu, evidence = solve(matrix, y)
    cross_check(matrix, y, sigma, mu, evidence)
    return [("A", matrix), ("y", y), ("x_true", x), ("mu", mu), ("std", np.sqrt(np.diag(sigma))), ("Sigma", sigma),
            ("log_evidence", np.array([evidence]))]


def check(found):
    wrong = 0
    for name, value in tables():
        difference = np.abs(found[name] - value.ravel()).max() if len(found.get(name, ())) == value.size else np.inf
        wrong += not difference <= 1e-12 * max(1, np.abs(value).max())
        print("gold %s differs by %.3g" % (name, difference))
    return wrong


def main():
    if "--check" in sys.argv[1:]:
        with open(PATH) as f:
            words = [line.split() for line in f if line.strip()]
        sys.exit(check({name: np.array([float(v) for v in list_.split(",")]) for name, list_ in words}) > 0)
    with open(PATH, "w") as f:
        for name, value in tables():
            f.write("%s %s\n" % (name, ",".join("%.17g" % v for v in value.ravel())))


if __name__ == "__main__":
    main()
