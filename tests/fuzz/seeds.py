#!/usr/bin/env python3
"""Writes the seeds of the corpus that are not fathom's own files: python3 seeds.py corpus

Files by h5py (dataset), by struct (segy, journal) and by hand (yaml, words); each is small and shows one thing that a reader
may meet. Those named huge_, cycle_, ... are malformed on purpose."""
import os
import struct
import sys
import zlib

import h5py
import numpy as np


def folder(name):
    path = os.path.join(sys.argv[1], name)
    os.makedirs(path, exist_ok=True)
    return path


def put(target, name, data):
    with open(os.path.join(folder(target), name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


# ---- options ----
put("yaml", "plain", "operator: dense\nprior: gaussian\ngaussian_mean: 3.14\nobserved: 1,2,3\nseed: 5\nresume: true\n")
put("yaml", "nested", "# a comment\nlaplace_ksp:\n  type: cg\nflow:\n  depth: 4\nobserved: [1, 2.5, -3e4]\nout: 'a b'\n")
put("yaml", "flow_style", "{seed: 1, flow_hidden: 8, patch_shape: 64x64, pairs_memory: 500M, noise_std: .5}\n")
put("yaml", "many_numbers", "observed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\ndense_matrix: 1,0,0,0,1,0,0,0,1\n")
put("yaml", "file_array", "observed: missing.h5:/y[3]\nmodels: \"x.h5:/a b\"\nacoustic_shape: 10x20\n")
put("yaml", "cycle_alias", "a: &a\n  b: *a\n")
put("yaml", "alias", "seed: &one 1\nbatch_size: *one\n")
put("yaml", "mapping_as_key", "? {a: b}\n: c\n? [1, 2]\n: d\n")
put("yaml", "two_documents", "seed: 1\n---\nseed: 2\n...\n")
put("yaml", "no_value", "seed:\nresume: ~\n? only_key\n\"\": 3\n")
put("yaml", "escapes", "out: \"a\\0b\\x41\\u00e9\\n\"\nlong: |\n  two\n  lines\nfold: >-\n  one\n  line\n")
put("yaml", "long_name", "a" * 600 + ": 1\n" + "b" * 300 + ": " + "c" * 700 + "\n")
put("yaml", "not_yaml", "seed: [1, 2\nout: }{\n")
put("yaml", "tags", "%YAML 1.1\n---\n!!map {seed: !!int \"3\", out: !local x}\n")
put("words", "refine", "refine\n-operator\ndense\n-dense_matrix\n1,0,0,1\n-observed=1,2\n--seed\n5\n-noise_std\n-.5\n-resume\n")
put("words", "shapes", "patches\n-segy\nf.sgy\n-patch_shape\n64x32\n-pairs_memory\n1.5G\n-flow_depth=99999999999999999999\n")
put("words", "shape_overflow", "patches\n-patch_shape\n9223372036854775807x3\n-acoustic_shape\n4294967296x4294967296\n")
put("words", "help", "simulate\n-help\n-seed\nx\n")
put("words", "array_file", "forward\n-models\n/dev/null:/x[2]\n-observed\na:/b:/c\n-at\n1,2\n")
put("words", "array_bad", "forward\n-models\n1,,2\n-observed\n1, 2 ,nan\n-gradient\nmaybe\n-log_evidence=inf\n")
put("words", "solver", "refine\n-laplace_ksp_type\ncg\n-ksp_rtol=1e-5\n-sed\n4\n-options_left\n-weights\nbest\n")
put("words", "long", "refine\n-" + "x" * 600 + "=1\n-observed\n" + "1," * 400 + "2\n-out\n" + "d" * 700 + ":/x\n")


# ---- SEG-Y ----
def segy(traces, samples, form, data, ext=0, rev=0x0100, binary_samples=None):
    head = bytearray(3600)
    head[:3200] = b" " * 3200
    struct.pack_into(">h", head, 3216, 4000)
    struct.pack_into(">H", head, 3220, samples if binary_samples is None else binary_samples)
    struct.pack_into(">h", head, 3224, form)
    struct.pack_into(">H", head, 3500, rev)
    struct.pack_into(">h", head, 3504, ext)
    out = bytes(head)
    for t in range(traces):
        trace = bytearray(240)
        struct.pack_into(">i", trace, 0, t + 1)
        struct.pack_into(">H", trace, 114, samples)
        struct.pack_into(">H", trace, 116, 4000)
        struct.pack_into(">ii", trace, 188, 1, t + 1)
        out += bytes(trace) + data(t)
    return out


put("segy", "ieee", segy(3, 5, 5, lambda t: struct.pack(">5f", *[t + i / 4 for i in range(5)])))
put("segy", "ibm", segy(2, 4, 1, lambda t: struct.pack(">4I", 0x41100000, 0xC276A000, 0, 0x42640000 + t)))
put("segy", "int16", segy(3, 6, 3, lambda t: struct.pack(">6h", 1, -2, 300, -4000, 5, t)))
put("segy", "nan", segy(1, 2, 5, lambda t: struct.pack(">2f", float("nan"), 1)))
put("segy", "truncated", segy(2, 5, 5, lambda t: bytes(20))[:-3])
put("segy", "extended_text", segy(1, 20, 5, lambda t: bytes(80), ext=-1))
put("segy", "little_endian", segy(1, 3, 0x0500, lambda t: bytes(12)))
big = bytearray(segy(2, 4, 5, lambda t: bytes(16), rev=0x0200, binary_samples=0))
struct.pack_into(">i", big, 3268, 0x40000004)
put("segy", "huge_extended_samples", bytes(big))


# ---- journal ----
def record(step, n, misfit=(1, 2), good=True):
    data = struct.pack("<%dd" % n, *[i / 3 for i in range(n)])
    head = b"fmsolve1" + struct.pack("<5Q2qqI", 7, step, 10 + step, step % 2, 99, *misfit, n, zlib.crc32(data))
    return head + struct.pack("<I", zlib.crc32(head) ^ (not good)) + data


put("journal", "two", record(3, 3) + record(9, 2))
put("journal", "torn", record(3, 3) + record(4, 5)[:-9])
put("journal", "damaged", record(1, 2, good=False) + b"junk" + record(2, 1))
put("journal", "same_key", record(6, 3) + record(6, 2) + record(6, 0))


# ---- datasets ----
def h5(name, fill, **how):
    path = os.path.join(folder("dataset"), name)
    with h5py.File(path, "w", **how) as f:
        fill(f)


def pairs(f):
    f.create_dataset("x", data=np.arange(8.0).reshape(4, 2), track_times=False).attrs["scale"] = 2.5
    f.create_dataset("y", data=np.arange(12, dtype="f4").reshape(4, 3), track_times=False)


def images(f):
    f.create_dataset("x", data=np.arange(36, dtype=">i2").reshape(3, 1, 4, 3), chunks=(2, 1, 4, 3), compression="gzip",
                     shuffle=True, fletcher32=True)
    f["group/z"] = np.float32(3)


def texts(f):
    g = f.create_group("group")
    g["z"] = "a text of variable length"
    g["fixed"] = np.array(b"fixed text")
    g.attrs["step"] = 3
    g.attrs["rate"] = np.float32(0.5)
    g.attrs["name"] = "text"
    g.attrs["bytes"] = np.bytes_(b"abc")
    g.attrs["many"] = np.arange(3)
    g.attrs["pair"] = np.array((1, 2.0), dtype=[("a", "i4"), ("b", "f8")])
    f["x"] = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    f["y"] = np.array([b"ab", b"cd"])


def kinds(f):
    f["x"] = np.arange(3, dtype="u1")
    f["y"] = h5py.Empty("f4")
    f["group/z"] = np.ones((1, 1, 1, 1, 2))
    f["group/bool"] = np.array([True, False])
    f["soft"] = h5py.SoftLink("/group/z")
    f["nowhere"] = h5py.SoftLink("/nowhere")
    f["type"] = np.dtype("f8")
    f["half"] = np.ones(3, dtype="f2")
    f.create_dataset("vlen", (2,), dtype=h5py.vlen_dtype("i4"))
    f["ref"] = f["x"].ref


def cycle(f):
    f["group/z"] = 1
    f["group/again"] = f["group"]
    f["x"] = f["group/z"]


def huge(*shape, **how):
    def fill(f):
        f.create_dataset("x", shape, dtype="f8", chunks=tuple(min(4, n) for n in shape), **how)
        f.create_dataset("group/z", (3,), dtype="S900000000")

    return fill


h5("pairs", pairs)
h5("images", images)
h5("texts", texts)
h5("kinds", kinds)
h5("latest", pairs, libver="latest")
h5("cycle_group", cycle)
h5("huge_rows", huge(10**12))
h5("huge_row", huge(2, 2**40))
h5("huge_product", huge(2**33, 2**33))
