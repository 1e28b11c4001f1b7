#!/usr/bin/python3
"""The network of bench_flow in PyTorch, with its weights: what a training step and sampling are timed against.

Images of one channel, squeezed once to four; a block is, on each lane, an actnorm and three Householder reflections of
the channels and an affine coupling of the second two channels given the first two, and on x then z_x = S(y') x + T(y').
Conditioner: h1 = relu(W1 * v + b1), h2 = relu(h1 + W2 * h1 + b2), (raw, T) = W3 * h2 with 3x3 kernels, S = 2 sigmoid(raw).
float32, Adam, autograd with all activations stored. What PyTorch is quicker with is taken: actnorm and reflections are one
1x1 convolution, additions and ReLUs are in place, Adam updates all tensors in one call.

    flow_torch.py FOLDER same|step|sample [-steps 5] [-warmup 1] [-threads 1]

FOLDER is what `bench_flow same` wrote. `same` prints the loss before each step of Adam (result torch_loss_0 ...) and how far
sampled images are from fathom's; `step` and `sample` print median seconds of each memory format and the least of the two.
"""
import argparse
import array
import math
import os
import statistics
import sys
import time

try:
    import torch
except ImportError:
    print("flow_torch: PyTorch is not installed")
    sys.exit(77)
from torch import nn
from torch.nn import functional as F

LOG_2, LOG_2_PI = math.log(2.0), math.log(2.0 * math.pi)
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def numbers(path):
    values = array.array("f")
    with open(path, "rb") as file:
        values.frombytes(file.read())
    return torch.tensor(values)


def tensors(folder):
    """name -> tensor, as fathom lays them out"""
    theta, named = numbers(os.path.join(folder, "theta.f32")), {}
    with open(os.path.join(folder, "theta.txt")) as file:
        for line in file:
            name, offset, *shape = line.split()
            shape = [int(n) for n in shape]
            named[name] = theta[int(offset):int(offset) + math.prod(shape)].reshape(shape).clone()
    return named


class Conditioner(nn.Module):
    def __init__(self, named, prefix, layout):
        super().__init__()
        weight = {k: named[f"{prefix}.{k}"] for k in ("w1", "b1", "w2", "b2", "w3")}
        weight["w3"] = weight["w3"].permute(0, 3, 1, 2)  # fathom's lie [out][3][3][hidden]
        for name, value in weight.items():
            value = value.contiguous(memory_format=layout) if value.dim() == 4 else value
            self.register_parameter(name, nn.Parameter(value))

    def forward(self, v):
        h1 = F.conv2d(v, self.w1, self.b1, padding=1).relu_()
        h2 = F.conv2d(h1, self.w2, self.b2, padding=1).add_(h1).relu_()
        return F.conv2d(h2, self.w3, None, padding=1).chunk(2, 1)


def scaled(raw):
    """S and the sum of its logarithms"""
    return 2 * torch.sigmoid(raw), F.logsigmoid(raw).sum() + LOG_2 * raw.numel()


def squeeze(v):
    p, q, r, s = v[..., ::2, ::2], v[..., ::2, 1::2], v[..., 1::2, ::2], v[..., 1::2, 1::2]
    return torch.cat((p + q + r + s, p - q + r - s, p + q - r - s, p - q - r + s), 1) / 2


def unsqueeze(v):
    a, b, c, d = v.chunk(4, 1)
    rows = [torch.stack(pair, -1).flatten(-2) for pair in ((a + b + c + d, a - b + c - d), (a + b - c - d, a - b - c + d))]
    return torch.stack(rows, -2).flatten(-3, -2) / 2


class Network(nn.Module):
    def __init__(self, named, layout):
        super().__init__()
        depth = sum(name.endswith(".x.actnorm.shift") for name in named)
        stack = lambda what: torch.stack([torch.stack([named[f"block{i + 1}.{lane}.{what}"] for lane in "xy"])
                                          for i in range(depth)])
        self.log_scale = nn.Parameter(stack("actnorm.log_scale"))  # [block][lane][channel]
        self.shift = nn.Parameter(stack("actnorm.shift"))
        self.vectors = nn.Parameter(stack("householder.vectors"))  # [block][lane][reflection][channel]
        nets = lambda what: nn.ModuleList([Conditioner(named, f"block{i + 1}.{what}", layout) for i in range(depth)])
        self.couple_x, self.couple_y, self.condition = nets("x.hint"), nets("y.hint"), nets("x.conditional")

    def rotations(self):
        u = F.normalize(self.vectors, dim=3)
        h = torch.eye(u.shape[3]) - 2 * u.unsqueeze(4) * u.unsqueeze(3)
        for r in range(1, u.shape[2]):
            h = torch.cat((h[:, :, r:r + 1] @ h[:, :, :1], h[:, :, 1:]), 2)
        return h[:, :, 0]

    def mixing(self):
        """actnorm and reflections of each block and lane: weight and bias of a 1x1 convolution"""
        rotation = self.rotations()
        weight = rotation * torch.exp(self.log_scale).unsqueeze(2)
        return weight.unsqueeze(4).unsqueeze(5), (rotation @ self.shift.unsqueeze(3)).squeeze(3)

    def couple(self, net, v):
        a, b = v.chunk(2, 1)
        raw, shift = net(a)
        scale, logdet = scaled(raw)
        return torch.cat((a, scale * b + shift), 1), logdet

    def forward(self, x, y):
        """z_x, z_y and the log-determinants of both lanes, summed over the batch"""
        x, y = squeeze(x), squeeze(y)
        weight, bias = self.mixing()
        logdet = x.shape[0] * x.shape[2] * x.shape[3] * self.log_scale.sum()
        for i in range(len(weight)):
            x, y = F.conv2d(x, weight[i, 0], bias[i, 0]), F.conv2d(y, weight[i, 1], bias[i, 1])
            x, more = self.couple(self.couple_x[i], x)
            raw, shift = self.condition[i](y)
            scale, more_c = scaled(raw)
            x = scale * x + shift
            y, more_y = self.couple(self.couple_y[i], y)
            logdet = logdet + more + more_c + more_y
        return x, y, logdet

    def observe(self, y):
        """the y that each block's conditional layer sees"""
        seen, y, (weight, bias) = [], squeeze(y), self.mixing()
        for i in range(len(weight)):
            y = F.conv2d(y, weight[i, 1], bias[i, 1])
            seen.append(y)
            y, _ = self.couple(self.couple_y[i], y)
        return seen

    def generate(self, z, seen):
        x, rotation = z, self.rotations()[:, 0]
        for i in reversed(range(len(seen))):
            raw, shift = self.condition[i](seen[i])
            x = (x - shift) / (2 * torch.sigmoid(raw))
            a, b = x.chunk(2, 1)
            raw, shift = self.couple_x[i](a)
            x = torch.cat((a, (b - shift) / (2 * torch.sigmoid(raw))), 1)
            scale = torch.exp(-self.log_scale[i, 0])
            weight = scale.unsqueeze(1) * rotation[i].t()
            x = F.conv2d(x, weight[:, :, None, None], -scale * self.shift[i, 0])
        return unsqueeze(x)


def loss(network, x, y):
    """mean negative log density of a pair, in nats"""
    zx, zy, logdet = network(x, y)
    return (0.5 * (zx.square().sum() + zy.square().sum()) - logdet + 0.5 * LOG_2_PI * (zx.numel() + zy.numel())) / x.shape[0]


class Case:
    """weights, pairs and latents of a folder in one memory format"""

    def __init__(self, folder, layout):
        x = numbers(os.path.join(folder, "x.f32"))
        with open(os.path.join(folder, "side.txt")) as file:
            side = int(file.read())
        images = lambda name: numbers(os.path.join(folder, name)).reshape(-1, 1, side, side)
        self.x, self.y = (images(name).contiguous(memory_format=layout) for name in ("x.f32", "y.f32"))
        z = numbers(os.path.join(folder, "z.f32"))
        self.z = z.reshape(-1, 4, side // 2, side // 2).contiguous(memory_format=layout)
        self.made = images("made.f32")
        self.network = Network(tensors(folder), layout)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3, foreach=True)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        value = loss(self.network, self.x, self.y)
        value.backward()
        self.optimizer.step()
        return value.detach()

    def generate(self):
        with torch.no_grad():
            return self.network.generate(self.z, self.seen)

    def observe(self):
        with torch.no_grad():
            self.seen = self.network.observe(self.y[:1])


def same(folder, steps):
    case = Case(folder, torch.contiguous_format)
    case.observe()
    made = case.generate()
    print("result torch_sample_difference %.3g 1" % ((made - case.made).norm() / case.made.norm()))
    for k in range(steps):
        print("result torch_loss_%d %.9g nats" % (k, case.step()))


def clock(work, warmup, steps):
    times = []
    for _ in range(warmup + steps):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[warmup:])


def bench(folder, what, warmup, steps):
    """the formats in turn, so that both see the same machine"""
    times = {}
    for name, layout in FORMATS.items():
        case = Case(folder, layout)
        case.observe()
        times[name] = clock(case.step if what == "step" else case.generate, warmup, steps)
        print("result torch_%s_%s_seconds %.6g s" % (what, name, times[name]))
    print("result torch_%s_seconds %.6g s" % (what, min(times.values())))


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("folder")
    parse.add_argument("what", choices=("same", "step", "sample"))
    parse.add_argument("-steps", type=int, default=5)
    parse.add_argument("-warmup", type=int, default=1)
    parse.add_argument("-threads", type=int, default=1)
    options = parse.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_num_interop_threads(1)
    print("result torch_version %s 1" % torch.__version__)
    if options.what == "same":
        same(options.folder, options.steps)
    else:
        bench(options.folder, options.what, options.warmup, options.steps)


if __name__ == "__main__":
    main()
