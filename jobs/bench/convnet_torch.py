"""One convolutional conditioner in PyTorch, beside jobs/bench/convnet.c: the same network and sizes, one thread, float, and the
same clock (the processor time of this process). `apply` is without gradients; `step` is a forward that keeps what the backward
needs, and the backward to the input and to all weights, which is fathom's apply + vjp. Each in PyTorch's two layouts, one image
and four at a time; microseconds an image, the median of several rounds.

    OMP_NUM_THREADS=1 taskset -c 1 /usr/bin/python3 jobs/bench/convnet_torch.py [CASE]
"""
import statistics
import sys
import time

import torch

CASES = [(2, 4, 32), (4, 8, 32), (2, 4, 128), (4, 8, 128), (2, 4, 16)]
HIDDEN, ROUNDS = 64, 7


class Conditioner(torch.nn.Module):
    def __init__(self, nin, nout):
        super().__init__()
        self.first = torch.nn.Conv2d(nin, HIDDEN, 3, padding=1)
        self.middle = torch.nn.Conv2d(HIDDEN, HIDDEN, 3, padding=1)
        self.last = torch.nn.Conv2d(HIDDEN, nout, 3, padding=1, bias=False)

    def forward(self, x):
        h1 = torch.relu(self.first(x))
        h2 = torch.relu(h1 + self.middle(h1))
        return self.last(h2)


def microseconds(work, repeat):
    """Median of the rounds, and the least and the most."""
    work()
    rounds = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(repeat):
            work()
        rounds.append((time.process_time() - begin) / repeat * 1e6)
    return statistics.median(rounds), min(rounds), max(rounds)


def bench(nin, nout, side, images, layout):
    net = Conditioner(nin, nout).to(memory_format=layout)
    x = torch.randn(images, nin, side, side).contiguous(memory_format=layout).requires_grad_(True)
    out_bar = torch.randn(images, nout, side, side).contiguous(memory_format=layout)
    repeat = max(1, 50 * 32 * 32 // (side * side * images))

    def apply():
        with torch.no_grad():
            net(x)

    def step():
        net.zero_grad(set_to_none=True)
        x.grad = None
        net(x).backward(out_bar)

    word = 'contiguous' if layout == torch.contiguous_format else 'channels_last'
    for what, work in (('apply', apply), ('step', step)):
        value = [t / images for t in microseconds(work, repeat)]
        print(f'result convnet_{what}_torch_{word}_{images}_{nin}to{nout}_{side} {value[0]:.4g} us')
        print(f'  {ROUNDS} rounds from {value[1]:.4g} to {value[2]:.4g}', flush=True)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    print('PyTorch', torch.__version__)
    for k, case in enumerate(CASES):
        if len(sys.argv) < 2 or int(sys.argv[1]) == k:
            for images in (1, 4):
                for layout in (torch.contiguous_format, torch.channels_last):
                    bench(*case, images, layout)


main()
