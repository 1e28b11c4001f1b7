#!/usr/bin/python3
"""The toy's network (experiment A1) in PyTorch, to time a training step of the forward KL against.

Conditional HINT, n = m = 2: depth 8; a block is, on each lane, ActNorm, three Householder reflections and an affine
coupling, then z_x = S(y') x' + T(y'). Conditioner: h1 = relu(W1 x + b1), h2 = relu(h1 + W2 h1 + b2), (raw, T) = W3 h2,
S = 2 sigmoid(raw). float32, Adam, autograd. Five variants are timed: "layers" is the network as it is described, one
layer after another; "eager" multiplies out all reflections of the network in one batched pass a step, "eager_foreach"
also updates all tensors in one call of Adam, and "script" and "script_foreach" are these compiled by TorchScript.

    /usr/bin/python3 jobs/bench/toy_torch.py [-steps 400] [-warmup 100] [-epochs 0]

Prints "result NAME VALUE UNIT": median seconds a step for each variant, and the smallest as torch_step_seconds. -epochs E
trains E epochs first and prints the test NLL (floor 3.4966), to show that the network is the one it claims to be.
"""
import argparse
import math
import statistics
import sys
import time
from typing import Tuple

try:
    import torch
except ImportError:
    print("toy_torch: PyTorch is not installed")
    sys.exit(77)
from torch import Tensor, nn
from torch.nn import functional as F

DEPTH, HIDDEN, BATCH, PAIRS, SIGMA, RATE = 8, 64, 64, 5000, 0.4, 1e-3
LOG_2_PI = math.log(2.0 * math.pi)


class Conditioner(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.first = nn.Linear(inputs, HIDDEN)
        self.second = nn.Linear(HIDDEN, HIDDEN)
        self.last = nn.Linear(HIDDEN, 2 * outputs, bias=False)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        h = F.relu(self.first(x))
        h = F.relu(h + self.second(h))
        raw, shift = self.last(h).chunk(2, 1)
        return math.log(2.0) + F.logsigmoid(raw), shift


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.couple_x = Conditioner(1, 1)
        self.couple_y = Conditioner(1, 1)
        self.condition = Conditioner(2, 2)

    def forward(self, x: Tensor, y: Tensor, scale: Tensor, shift: Tensor, rotate: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        x = (x * scale[0] + shift[0]) @ rotate[0]
        y = (y * scale[1] + shift[1]) @ rotate[1]
        return self.couple(x, y)

    def couple(self, x: Tensor, y: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        log_x, move_x = self.couple_x(x[:, :1])
        x = torch.cat((x[:, :1], torch.exp(log_x) * x[:, 1:] + move_x), 1)
        log_c, move_c = self.condition(y)
        x = torch.exp(log_c) * x + move_c
        log_y, move_y = self.couple_y(y[:, :1])
        y = torch.cat((y[:, :1], torch.exp(log_y) * y[:, 1:] + move_y), 1)
        return x, y, log_x.sum() + log_y.sum() + log_c.sum()


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(DEPTH, 2, 2))  # [block][lane][channel]
        self.shift = nn.Parameter(torch.zeros(DEPTH, 2, 2))
        self.mirror = nn.Parameter(torch.randn(DEPTH, 2, 3, 2))
        self.blocks = nn.ModuleList([Block() for _ in range(DEPTH)])
        self.register_buffer("one", torch.eye(2))

    def rotations(self) -> Tensor:
        v = F.normalize(self.mirror, dim=3)
        h = self.one - 2 * v.unsqueeze(4) * v.unsqueeze(3)
        return h[:, :, 0] @ h[:, :, 1] @ h[:, :, 2]

    def forward(self, x: Tensor, y: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """z_x, z_y and the log-determinants of both lanes, summed over the batch"""
        rotate = self.rotations().unbind(0)
        scale = self.scale.unbind(0)
        shift = self.shift.unbind(0)
        logdet = x.shape[0] * torch.log(torch.abs(self.scale)).sum()
        for i, block in enumerate(self.blocks):
            x, y, more = block(x, y, scale[i], shift[i], rotate[i])
            logdet = logdet + more
        return x, y, logdet

    @torch.no_grad()
    def start(self, x: Tensor, y: Tensor):
        """ActNorm: each block's normalised channels begin with mean 0 and std 1"""
        rotate = self.rotations()
        for i, block in enumerate(self.blocks):
            for lane, v in enumerate((x, y)):
                self.scale[i, lane] = 1 / v.std(0)
                self.shift[i, lane] = -v.mean(0) / v.std(0)
            x, y, _ = block(x, y, self.scale[i], self.shift[i], rotate[i])


class LayerNetwork(Network):
    """the same, each reflection a layer"""

    def forward(self, x: Tensor, y: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        logdet = x.shape[0] * torch.log(torch.abs(self.scale)).sum()
        lanes = [x, y]
        for i, block in enumerate(self.blocks):
            for lane in (0, 1):
                v = lanes[lane] * self.scale[i, lane] + self.shift[i, lane]
                for mirror in self.mirror[i, lane]:
                    v = v - 2 * torch.outer(v @ mirror, mirror) / (mirror @ mirror)
                lanes[lane] = v
            *lanes, more = block.couple(*lanes)
            logdet = logdet + more
        return lanes[0], lanes[1], logdet


def loss(network, x: Tensor, y: Tensor) -> Tensor:
    """mean negative log density of a pair, in nats"""
    zx, zy, logdet = network(x, y)
    return (0.5 * (zx.square().sum() + zy.square().sum()) - logdet) / x.shape[0] + 2 * LOG_2_PI


def pairs(n: int, seed: int) -> Tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    x1 = torch.randn(n, 1)
    x = torch.cat((x1, x1.square() + math.sqrt(0.5) * torch.randn(n, 1)), 1)
    return x, x + SIGMA * torch.randn(n, 2)


def make(seed: int, kind=Network) -> Tuple[Network, Tensor, Tensor]:
    x, y = pairs(PAIRS, seed)
    network = kind()
    network.start(x[:1024], y[:1024])
    return network, x, y


def batches(x: Tensor, y: Tensor):
    while True:
        order = torch.randperm(PAIRS)
        for first in range(0, PAIRS - BATCH + 1, BATCH):
            rows = order[first:first + BATCH]
            yield x[rows], y[rows]


def step(network, optimizer, x: Tensor, y: Tensor):
    optimizer.zero_grad(set_to_none=True)
    loss(network, x, y).backward()
    optimizer.step()


def seconds_a_step(kind, script: bool, foreach: bool, warmup: int, steps: int) -> float:
    network, x, y = make(1, kind)
    run = torch.jit.script(network) if script else network
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, foreach=foreach)
    source, times = batches(x, y), []
    for _ in range(warmup + steps):
        begin = time.perf_counter()
        step(run, optimizer, *next(source))
        times.append(time.perf_counter() - begin)
    return statistics.median(times[warmup:])


def train(epochs: int, kind=Network) -> float:
    network, x, y = make(1, kind)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    source = batches(x, y)
    for _ in range(epochs):
        for _ in range(PAIRS // BATCH):
            step(network, optimizer, *next(source))
        decay.step()
    with torch.no_grad():
        return loss(network, *pairs(20000, 2)).item()


VARIANTS = (("layers", LayerNetwork, False, False), ("eager", Network, False, False),
            ("eager_foreach", Network, False, True), ("script", Network, True, False),
            ("script_foreach", Network, True, True))


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("-steps", type=int, default=400)
    parse.add_argument("-warmup", type=int, default=100)
    parse.add_argument("-epochs", type=int, default=0)
    options = parse.parse_args()
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    if options.epochs:
        print("result torch_test_nll %.5f nats" % train(options.epochs))
    best = math.inf
    for name, kind, script, foreach in VARIANTS:
        value = seconds_a_step(kind, script, foreach, options.warmup, options.steps)
        print("result torch_%s_step_seconds %.6g s" % (name, value), flush=True)
        best = min(best, value)
    print("result torch_version %s 1" % torch.__version__)
    print("result torch_step_seconds %.6g s" % best)


if __name__ == "__main__":
    main()
