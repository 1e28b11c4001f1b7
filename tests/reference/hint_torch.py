#!/usr/bin/env python3
"""An independent conditional HINT network in PyTorch, double precision, with autograd and no invertible tricks.

    python3 hint_torch.py            writes hint_torch.txt beside this file (needs PyTorch >= 1.10)

Written from the formulas (Kruse et al. 2021; the project's method notes, sections 1.2-1.6 and 2), not from the C
code: recursion instead of a list of couplings, W x with W [out][in], no hand-written derivative. The log-determinants
are those of the full autograd Jacobian, so they too are independent. tests/unit_reference_flow.c compares fathom with
the file. One line an array:  group  name  count  numbers;  a case begins with  case  name  and its sizes.
"""
import math
import os

import torch

torch.set_default_dtype(torch.float64)


class Conditioner:
    """h1 = relu(W1 x + b1), h2 = relu(h1 + W2 h1 + b2), out = W3 h2, split into (raw, T); returns S and T."""

    def __init__(self, store, name, nin, nout, hidden, official):
        def new(part, shape, scale, transposed=False):
            tensor = (torch.randn(shape) * scale).requires_grad_()
            store[name + part] = (tensor, transposed)
            return tensor

        # fathom keeps the hidden index last: w1 and w2 lie there as [in][out]
        self.w1 = new("w1", (hidden, nin), 0.5, True) if nin else None
        self.b1 = new("b1", (hidden,), 0.3)
        self.w2 = new("w2", (hidden, hidden), 0.3, True)
        self.b2 = new("b2", (hidden,), 0.3)
        self.w3 = new("w3", (2 * nout, hidden), 0.4)
        self.nout, self.official = nout, official

    def __call__(self, x):
        h1 = self.b1.expand(x.shape[0], -1) if self.w1 is None else x @ self.w1.T + self.b1
        h1 = torch.relu(h1)
        h2 = torch.relu(h1 + h1 @ self.w2.T + self.b2)
        out = h2 @ self.w3.T
        if self.official:
            out = torch.relu(out)
        raw, shift = out[:, : self.nout], out[:, self.nout :]
        return (1.0 if self.official else 2.0) * torch.sigmoid(raw), shift


class Hint:
    """z_a = HINT(a), z_b = S(a) HINT(b) + T(a); up to four channels without the inner two."""

    def __init__(self, store, name, d, hidden, official):
        self.na = d // 2
        self.net = Conditioner(store, name, self.na, d - self.na, hidden, official)
        self.a = Hint(store, name + "a.", self.na, hidden, official) if d > 4 else None
        self.b = Hint(store, name + "b.", d - self.na, hidden, official) if d > 4 else None

    def forward(self, x):
        a, b = x[:, : self.na], x[:, self.na :]
        s, t = self.net(a)
        inner_a = self.a.forward(a) if self.a else a
        inner_b = self.b.forward(b) if self.b else b
        return torch.cat([inner_a, s * inner_b + t], 1)

    def inverse(self, z):
        a, b = z[:, : self.na], z[:, self.na :]
        a = self.a.inverse(a) if self.a else a
        s, t = self.net(a)
        b = (b - t) / s
        b = self.b.inverse(b) if self.b else b
        return torch.cat([a, b], 1)


class ActNorm:
    def __init__(self, store, name, d):
        self.log_scale = (torch.randn(d) * 0.3).requires_grad_()
        self.shift = (torch.randn(d) * 0.5).requires_grad_()
        store[name + "log_scale"], store[name + "shift"] = (self.log_scale, False), (self.shift, False)

    def forward(self, x):
        return x * torch.exp(self.log_scale) + self.shift

    def inverse(self, z):
        return (z - self.shift) / torch.exp(self.log_scale)


class Reflections:
    def __init__(self, store, name, count, d):
        self.vectors = torch.randn(count, d).requires_grad_()
        store[name + "vectors"] = (self.vectors, False)

    def matrix(self):
        """H_k ... H_2 H_1, a dense orthogonal matrix."""
        product = torch.eye(self.vectors.shape[1])
        for u in self.vectors:
            product = (torch.eye(len(u)) - 2 * torch.outer(u, u) / (u @ u)) @ product
        return product

    def forward(self, x):
        return x @ self.matrix().T

    def inverse(self, z):
        return z @ self.matrix()


class Network:
    def __init__(self, n, m, depth, hidden, official):
        self.store, self.blocks, self.m = {}, [], m
        for i in range(1, depth + 1):
            def name(lane, kind):
                return f"block{i}.{lane}.{kind}."
            block = {}
            for lane, d in (("x", n), ("y", m)):
                if not d:
                    continue
                block[lane] = (ActNorm(self.store, name(lane, "actnorm"), d),
                               Reflections(self.store, name(lane, "householder"), 3, d),
                               Hint(self.store, name(lane, "hint"), d, hidden, official))
            if m:
                block["xy"] = Conditioner(self.store, name("x", "conditional"), m, n, hidden, official)
            self.blocks.append(block)

    def normalize(self, x, y):
        for block in self.blocks:
            for layer in block["x"]:
                x = layer.forward(x)
            if self.m:
                norm, reflect, hint = block["y"]
                y = reflect.forward(norm.forward(y))
                s, t = block["xy"](y)
                x = s * x + t
                y = hint.forward(y)
        return x, y

    def generate(self, x, y):
        for block in reversed(self.blocks):
            if self.m:
                norm, reflect, hint = block["y"]
                y = hint.inverse(y)
                s, t = block["xy"](y)
                x = (x - t) / s
                y = norm.inverse(reflect.inverse(y))
            for layer in reversed(block["x"]):
                x = layer.inverse(x)
        return x, y


def logdet(function, v):
    """log|det| of the Jacobian of function [1][d] -> [1][d] at every row of v, still differentiable."""
    rows = []
    for row in v:
        jacobian = torch.autograd.functional.jacobian(lambda r: function(r[None])[0], row, create_graph=True)
        rows.append(torch.linalg.slogdet(jacobian)[1])
    return torch.stack(rows)


def logdets(function, x, y):
    of_x = torch.stack([logdet(lambda r: function(r, y[b : b + 1])[0], x[b : b + 1])[0] for b in range(len(x))])
    of_y = torch.stack([logdet(lambda r: function(x[b : b + 1], r)[1], y[b : b + 1])[0] for b in range(len(x))]) \
        if y.shape[1] else torch.zeros(len(x))
    return of_x, of_y


def write(out, group, name, tensor):
    flat = tensor.detach().reshape(-1).tolist()
    out.write(f"{group} {name} {len(flat)} " + " ".join("%.17g" % v for v in flat) + "\n")


def direction(out, net, group, function, loss_of, x, y):
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    for tensor, _ in net.store.values():
        tensor.grad = None
    out_x, out_y = function(x, y)
    logdet_x, logdet_y = logdets(function, x, y)
    loss = loss_of(out_x, out_y, logdet_x, logdet_y)
    assert torch.isfinite(loss), "pick milder weights"
    loss.backward()
    write(out, group, "x", out_x)
    write(out, group, "logdet_x", logdet_x)
    write(out, group, "loss", loss)
    write(out, group + ".gradient", "x", x.grad)
    if net.m:
        write(out, group, "y", out_y)
        write(out, group, "logdet_y", logdet_y)
        write(out, group + ".gradient", "y", y.grad)
    for name, (tensor, transposed) in net.store.items():
        grad = tensor.grad if tensor.grad is not None else torch.zeros_like(tensor)
        write(out, group + ".gradient", name, grad.T if transposed else grad)


def forward_kl(zx, zy, logdet_x, logdet_y):
    n = zx.shape[1] + zy.shape[1]
    return ((zx**2).sum(1) / 2 + (zy**2).sum(1) / 2 - logdet_x - logdet_y).mean() + n / 2 * math.log(2 * math.pi)


def some_sum(x, y, logdet_x, logdet_y):
    return (x**2).sum() / 2 + 0.5 * (y**2).sum() + 0.7 * logdet_x.sum() - 0.4 * logdet_y.sum()


def case(out, name, n, m, depth, hidden, official, nb):
    net = Network(n, m, depth, hidden, official)
    out.write(f"case {name} {n} {m} {depth} {hidden} {'official' if official else 'default'} {nb}\n")
    for tensor_name, (tensor, transposed) in net.store.items():
        write(out, "theta", tensor_name, tensor.T if transposed else tensor)
    x, y = torch.randn(nb, n), torch.randn(nb, m)
    write(out, "in", "x", x)
    if m:
        write(out, "in", "y", y)
    direction(out, net, "normalize", net.normalize, forward_kl, x, y)
    direction(out, net, "generate", net.generate, some_sum, x, y)


def main():
    torch.manual_seed(11)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hint_torch.txt")
    with open(path, "w") as out:
        out.write("# written by hint_torch.py with PyTorch; frozen\n")
        case(out, "toy", 2, 2, 2, 5, False, 4)
        case(out, "toy-official", 2, 2, 2, 5, True, 4)
        case(out, "rows", 8, 6, 1, 5, False, 3)
        case(out, "rows-official", 8, 6, 1, 5, True, 3)
        case(out, "odd", 3, 1, 2, 4, False, 3)
        case(out, "deep", 16, 0, 1, 3, False, 2)


if __name__ == "__main__":
    main()
