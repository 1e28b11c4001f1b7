#!/usr/bin/python3
"""The exact posterior of a Gaussian field seen through a linear operator, by dense algebra in numpy.

    exact.py identity ROWSxCOLUMNS IDENTITY.h5
        unit images: the models whose data are the columns of the operator,
            fathom-double forward -operator romberg ... -models IDENTITY.h5:/x -out columns

    exact.py posterior COLUMNS.h5 PAIRS.h5 --sigma S [--correlation L] [--smoothness NU] [--nugget ETA] [--std STD] [--mean MU]
                       [--first K] [--count N] --out EXACT.h5
        COLUMNS.h5:/y [n][n]   what `forward` makes of the unit images
        PAIRS.h5:/y            observed images [count][1][rows][columns]
        EXACT.h5               /mean [count][1][rows][columns], /std [rows][columns] (the same for every y), /log_evidence [count]

Nothing of fathom is trusted but the operator's columns A. With A = U S V^T of rank r, the data that matter are U^T y = S V^T x + e,
e ~ N(0, sigma^2 I_r): so it is for noise on all of y, and for noise that is projected onto range(A). The prior is N(mu, C), C the
circulant matrix of the power spectrum
    p(k) = std^2 [(1 - nugget) s(k)/mean(s) + nugget],   s(k) = (2 nu/L^2 + |kappa(k)|^2)^-(nu + 1).
Printed besides: how far A is from a projector, and what a white prior of std 1 would have as its average pointwise std (method.md,
section 3: .721 at s = 2 and sigma = .2, from variances 1 - A_ii/(1 + sigma^2)).
"""
import argparse

import h5py
import numpy as np


def covariance(rows, columns, correlation, smoothness, nugget, std):
    """C [n][n]: the covariance of pixels at every shift, laid out."""
    kappa = [2 * np.pi * np.fft.fftfreq(n) for n in (rows, columns)]
    square = kappa[0][:, None] ** 2 + kappa[1][None, :] ** 2
    s = (2 * smoothness / correlation**2 + square) ** -(smoothness + 1)
    power = std**2 * ((1 - nugget) * s / s.mean() + nugget)
    shift = np.fft.ifft2(power).real
    i, j = np.divmod(np.arange(rows * columns), columns)
    return shift[(i[:, None] - i[None, :]) % rows, (j[:, None] - j[None, :]) % columns]


def measurements(a):
    """U [n][r] and G = S V^T [r][n] of a = U S V^T."""
    u, s, vt = np.linalg.svd(a)
    r = int((s > 1e-6 * s[0]).sum())
    return u[:, :r], s[:r, None] * vt[:r]


def condition(g, c, sigma):
    """Gain [n][r], posterior covariance [n][n] and Cholesky factor of the covariance of the data."""
    cg = c @ g.T
    factor = np.linalg.cholesky(g @ cg + sigma**2 * np.eye(len(g)))
    half = np.linalg.solve(factor, cg.T)  # L^-1 G C
    return np.linalg.solve(factor.T, half).T, c - half.T @ half, factor


def white_check(a, g, sigma):
    """Average pointwise std under x ~ N(0, I): by conditioning, and by the formula for a projector."""
    std = np.sqrt(np.diag(condition(g, np.eye(a.shape[1]), sigma)[1]))
    formula = np.sqrt(1 - np.diag(a) / (1 + sigma**2))
    share = len(g) / a.shape[1]
    print(f"white prior: average pointwise std {std.mean():.4f} (projector's formula {formula.mean():.4f}, "
          f"mean field {np.sqrt(1 - share / (1 + sigma**2)):.4f})")


def posterior(args):
    with h5py.File(args.columns) as f:
        a = f["y"][:].astype(float)
    a = a.reshape(len(a), -1).T  # column j is the data of unit image j
    with h5py.File(args.pairs) as f:
        stop = None if args.count is None else args.first + args.count
        y = f["y"][args.first:stop].astype(float)
    rows, columns = y.shape[-2:]
    y = y.reshape(len(y), -1)
    u, g = measurements(a)
    print(f"{rows}x{columns} pixels, rank {len(g)}; |A - A^T| {abs(a - a.T).max():.1e}, |A^2 - A| {abs(a @ a - a).max():.1e}")
    white_check(a, g, args.sigma)

    c = covariance(rows, columns, args.correlation, args.smoothness, args.nugget, args.std)
    gain, cov, factor = condition(g, c, args.sigma)
    residual = y @ u - args.mean * g.sum(axis=1)  # [count][r]
    mean = args.mean + residual @ gain.T
    white = np.linalg.solve(factor, residual.T)
    evidence = -0.5 * (white**2).sum(axis=0) - np.log(np.diag(factor)).sum() - 0.5 * len(g) * np.log(2 * np.pi)
    std = np.sqrt(np.diag(cov))
    with h5py.File(args.out, "w") as f:
        f["mean"] = mean.reshape(-1, 1, rows, columns)
        f["std"] = std.reshape(rows, columns)
        f["log_evidence"] = evidence
    print(f"posterior of {len(y)} images: pointwise std {std.min():.4f} to {std.max():.4f}, mean {std.mean():.4f} (prior {args.std:g}); "
          f"written to {args.out}")


def identity(args):
    rows, columns = (int(n) for n in args.shape.split("x"))
    with h5py.File(args.out, "w") as f:
        f["x"] = np.eye(rows * columns).reshape(-1, 1, rows, columns)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    sub = commands.add_parser("identity", help="write the unit images")
    sub.add_argument("shape", metavar="ROWSxCOLUMNS")
    sub.add_argument("out")
    sub.set_defaults(run=identity)
    sub = commands.add_parser("posterior", help="mean and pointwise std")
    sub.add_argument("columns")
    sub.add_argument("pairs")
    sub.add_argument("--sigma", type=float, required=True)
    for name, standard in (("correlation", 4), ("smoothness", 1.5), ("nugget", 1e-2), ("std", 1), ("mean", 0)):
        sub.add_argument("--" + name, type=float, default=standard)
    sub.add_argument("--first", type=int, default=0)
    sub.add_argument("--count", type=int)
    sub.add_argument("--out", required=True)
    sub.set_defaults(run=posterior)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
