"""Models and options for reference_acoustic.sh, and the comparison of its traces.

    reference_acoustic.py prepare DATA CASE FILE          writes model, wavelet, places to FILE, prints options
    reference_acoustic.py compare DATA CASE FILE TRACES   prints figures, "name value" a line
"""
import sys

import h5py
import numpy as np
from scipy.interpolate import CubicSpline


def ricker(t, frequency, delay):
    a = (np.pi * frequency * (t - delay)) ** 2
    return (1 - 2 * a) * np.exp(-a)


def green(r, c, t, f):
    """int f(t - s) / (2 pi sqrt(s^2 - r^2/c^2)) ds over s > r/c: the 2-D Green's function of (1/c^2) u_tt - lap u."""
    x, w = np.polynomial.legendre.leggauss(160)
    u = np.zeros_like(t)
    for i, now in enumerate(t):
        if now * c > r:  # s = r/c cosh(y)
            most = np.arccosh(now * c / r)
            u[i] = most / 2 * np.sum(w * f(now - r / c * np.cosh(most * (x + 1) / 2))) / (2 * np.pi)
    return u


def analytic(data, homogeneous):
    """10 points per wavelength at 37.5 Hz, CFL number 0.4; the interface lies half way between two nodes, so that sources and
    receivers lie between nodes too."""
    with h5py.File(data + "/analytic_traces.h5") as f:
        case = {"t": f["t"][:], "offset": f["offset"][:], "traces": f["inf" if homogeneous else "refl_constrho"][:]}
    c = np.array([1500.0, 1500.0 if homogeneous else 2500.0])
    h, nz, nx, row = 4.0, 141, 301, 110
    case["dt"] = 0.4 * h / c.max()
    case["model"] = np.repeat(np.where(np.arange(nz) <= row, c[0], c[1])[:, None], nx, axis=1)
    interface = (row + 0.5) * h
    case["sources"] = np.array([[interface - 200, 100.0]])
    case["receivers"] = np.array([[interface - 100, 100.0 + x] for x in case["offset"]])
    case["h"], case["steps"] = h, int(1.19 / case["dt"])
    case["wavelet"] = 2 * np.pi**2 * 15.0**2 * ricker(np.arange(case["steps"]) * case["dt"], 15.0, 0.1)
    return case


def ibm(raw):
    word = np.frombuffer(raw, ">u4").astype(np.uint64)
    sign = np.where(word >> 31, -1.0, 1.0)
    return sign * (word & 0xFFFFFF) / 2.0**24 * 16.0 ** ((word >> 24 & 0x7F).astype(int) - 64)


def segy(path):
    """[trace][sample]; format 1 (IBM) or 5 (IEEE)."""
    with open(path, "rb") as f:
        raw = f.read()
    count, form = np.frombuffer(raw[3220:3222] + raw[3224:3226], ">i2")
    size = 240 + 4 * int(count)
    read = {1: ibm, 5: lambda b: np.frombuffer(b, ">f4").astype(float)}[int(form)]
    return np.array([read(raw[k + 240 : k + size]) for k in range(3600, len(raw), size)])


def independent(data):
    """The shot of shared/data/README.md."""
    case = {"h": 10.0, "dt": 0.00075, "steps": 667, "traces": segy(data + "/shot_250m.segy")}
    case["model"] = np.repeat(np.where(np.arange(101) * 10.0 < 500, 1500.0, 3500.0)[:, None], 101, axis=1)
    case["sources"] = np.array([[20.0, 250.0]])
    case["receivers"] = np.array([[50.0, x] for x in np.arange(10.0, 991, 10)])
    case["wavelet"] = ricker(np.arange(667) * case["dt"], 15.0, 1 / 15)
    return case


def make(data, name):
    if name == "shot":
        return independent(data)
    return analytic(data, name == "homogeneous")


def prepare(data, name, path):
    case = make(data, name)
    with h5py.File(path, "w") as f:
        for key in ("wavelet", "sources", "receivers"):
            f[key] = case[key]
        f["model"] = case["model"].reshape(1, -1)
    nz, nx = case["model"].shape
    options = {"shape": f"{nz}x{nx}", "spacing": case["h"], "dt": repr(case["dt"]), "steps": case["steps"],
               "velocity_min": case["model"].min(), "velocity_max": case["model"].max(), "max_frequency": 37.5}
    for key in ("wavelet", "sources", "receivers"):
        options[key] = f"{path}:/{key}"
    print(" ".join(f"-acoustic_{key} {value}" for key, value in options.items()))


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def compare_analytic(case, d):
    t = np.arange(case["steps"]) * case["dt"]
    errors = [relative(d[k], CubicSpline(case["t"], case["traces"][k])(t)) for k in range(len(d))]
    print("worst", max(errors))
    print("offsets", *np.round(errors, 5))


def compare_shot(case, d):
    t = np.arange(case["steps"]) * case["dt"]
    source = case["sources"][0]
    wavelet = lambda s: np.where(s >= 0, ricker(s, 15.0, 1 / 15), 0)
    exact = np.array([green(np.hypot(*(r - source)), 1500.0, t, wavelet) for r in case["receivers"]])
    theirs = case["traces"] / case["h"] ** 2  # in units where the source is not divided by h^2
    print("correlation", np.sum(d * theirs) / np.linalg.norm(d) / np.linalg.norm(theirs))
    print("theirs", relative(theirs, exact))
    print("ours", relative(d, exact))
    print("amplitude", np.sum(d * exact) / np.sum(exact * exact))


def compare(data, name, path, traces):
    case = make(data, name)
    with h5py.File(traces) as f:
        d = f["y"][0].reshape(len(case["receivers"]), -1).astype(float)
    (compare_shot if name == "shot" else compare_analytic)(case, d)


if __name__ == "__main__":
    {"prepare": prepare, "compare": compare}[sys.argv[1]](*sys.argv[2:])
