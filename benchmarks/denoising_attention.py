"""What fused denoising attention costs, in time and memory.

    OMP_NUM_THREADS=1 python benchmarks/denoising_attention.py [--rounds 15] [--sizes abcd]

Fused is `synthloom.attention.DenoisingAttention`; unfused is the same equations written out, one tensor per step
(below); plain is ordinary attention through the fused kernel, as the floor. All include the projections of queries,
keys, values and output. Every round runs each variant once, in turn, so that whatever else the machine does hits all
alike: a ratio is the median over the rounds of one variant's time by another's. Times are process time on one thread.
Memory is the peak of resident memory above what the weights and inputs take, in a fresh process for each variant.
"""

import argparse
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import torch

from synthloom.attention import DenoisingAttention, Mixture
from synthloom.nets.transformer import Attention

SIZES = {  # B items, H heads, M queries, N components, P width
    "a": (32, 1, 48, 49, 256),
    "b": (16, 8, 128, 129, 512),
    "c": (4, 8, 512, 513, 512),
    "d": (1, 8, 2048, 2049, 512),
}
DECODING = {1: (32, 1, 1, 49, 256), 8: (32, 8, 1, 49, 512)}


def unfused(attention, x_BMD, mix):
    """Denoising attention as it stands in the paper, with what the quadratic term adds; nothing kept between calls."""
    s, heads = attention.noise, attention.heads
    q_BHME = attention.query(x_BMD).unflatten(2, (heads, -1)).transpose(1, 2)
    key_HEP = attention.key.weight.unflatten(0, (heads, -1))
    absent_B11N = (mix.log_weight == -math.inf)[:, None, None]
    if mix.var is None:
        k_BHNE = attention.key(mix.mu).unflatten(2, (heads, -1)).transpose(1, 2)
        v_BHNE = attention.value(mix.mu).unflatten(2, (heads, -1)).transpose(1, 2)
        bias_BN = mix.log_weight - mix.mu.square().sum(2) / (2 * s)
        score_BHMN = q_BHME @ k_BHNE.mT / s
        score_BHMN = score_BHMN + bias_BN[:, None, None]
        score_BHMN = score_BHMN.masked_fill(absent_B11N, -math.inf)
        a_BHMN = score_BHMN.softmax(3)
        return attention.out((a_BHMN @ v_BHNE).transpose(1, 2).flatten(2))
    u_BHMP = torch.einsum("bhme,hep->bhmp", q_BHME, key_HEP)
    v_BNP = mix.var.expand_as(mix.mu) + s
    bias_BN = mix.log_weight - 0.5 * (mix.mu.square() / v_BNP).sum(2) - 0.5 * v_BNP.log().sum(2)
    score_BHMN = u_BHMP @ (mix.mu / v_BNP)[:, None].mT
    score_BHMN = score_BHMN - 0.5 * u_BHMP.square() @ (1 / v_BNP)[:, None].mT
    score_BHMN = score_BHMN + bias_BN[:, None, None]
    score_BHMN = score_BHMN.masked_fill(absent_B11N, -math.inf)
    a_BHMN = score_BHMN.softmax(3)
    c_BNP = mix.var / v_BNP
    value_BHMP = (a_BHMN @ c_BNP[:, None]) * u_BHMP + a_BHMN @ ((1 - c_BNP) * mix.mu)[:, None]
    value_HEP = attention.value.weight.unflatten(0, (heads, -1))
    value_BHME = torch.einsum("bhmp,hep->bhme", value_BHMP, value_HEP)
    return attention.out(value_BHME.transpose(1, 2).flatten(2) + attention.value.bias)


def build(size, training):
    """{name: a function that runs it once}."""
    B, H, M, N, P = size
    torch.manual_seed(0)
    denoising, plain = DenoisingAttention(P, P, H), Attention(P, H)
    x_BMD, mu_BNP = torch.randn(B, M, P), torch.randn(B, N, P)
    log_weight_BN = torch.randn(B, N)
    full, scalar = (Mixture(mu_BNP, 0.1 * torch.rand(B, N, width), log_weight_BN) for width in (P, 1))
    atoms = Mixture(mu_BNP, None, log_weight_BN)
    if not training:
        return {
            "unfused": lambda: unfused(denoising, x_BMD, full),
            "fused": lambda: denoising(x_BMD, denoising.remember(full)),
            "fused, scalar variance": lambda: denoising(x_BMD, denoising.remember(scalar)),
            "fused, atoms": lambda: denoising(x_BMD, denoising.remember(atoms)),
            "plain": lambda: plain(x_BMD, plain.remember(mu_BNP)),
        }

    leaves = [x_BMD.requires_grad_(), mu_BNP.requires_grad_(), log_weight_BN.requires_grad_()]

    def backward(module, value):
        value.sum().backward()
        for tensor in [*leaves, *module.parameters()]:
            tensor.grad = None

    return {
        "unfused": lambda: backward(denoising, unfused(denoising, x_BMD, atoms)),
        "fused": lambda: backward(denoising, denoising(x_BMD, denoising.remember(atoms))),
        "plain": lambda: backward(plain, plain(x_BMD, plain.remember(mu_BNP))),
    }


def build_decoding(size):
    B, H, M, N, P = size
    torch.manual_seed(0)
    denoising, plain = DenoisingAttention(P, P, H), Attention(P, H)
    x_BMD, mu_BNP, log_weight_BN = torch.randn(B, M, P), torch.randn(B, N, P), torch.randn(B, N)
    full, scalar = (Mixture(mu_BNP, 0.1 * torch.rand(B, N, width), log_weight_BN) for width in (P, 1))
    memory, memory_scalar = denoising.remember(full), denoising.remember(scalar)
    memory_plain = plain.remember(mu_BNP)
    return {
        "recomputed, unfused": lambda: unfused(denoising, x_BMD, full),
        "recomputed": lambda: denoising(x_BMD, denoising.remember(full)),
        "cached": lambda: denoising(x_BMD, memory),
        "cached, scalar variance": lambda: denoising(x_BMD, memory_scalar),
        "plain, cached": lambda: plain(x_BMD, memory_plain),
    }


def interleaved(variants, rounds, calls=1):
    """Milliseconds of process time [round] for each variant."""
    times = {name: [] for name in variants}
    for once in variants.values():
        once()
    for _ in range(rounds):
        for name, once in variants.items():
            start = time.process_time()
            for _ in range(calls):
                once()
            times[name].append((time.process_time() - start) * 1000 / calls)
    return times


def ratio(times, one, other):
    return median(a / b for a, b in zip(times[one], times[other], strict=True))


def rows(times, against, memory=None):
    for name, values in times.items():
        line = f"  {name:24} {median(values):9.2f} {min(values):9.2f}"
        line += "".join(f" {ratio(times, name, other):11.2f}" for other in against)
        print(line + (f" {memory[name]:11.1f}" if memory else ""), flush=True)


def peak_memory(size, training, name):
    """MiB above the weights and inputs; in a fresh process whose freed memory goes back at once."""
    command = [sys.executable, __file__, "--peak", size, "training" if training else "evaluation", name]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def print_peak(size, phase, name):
    run = build(SIZES[size], phase == "training")[name]
    build((1, 1, 4, 4, 16), phase == "training")[name]()  # whatever torch sets up on its first call
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from here
    before = resident("VmHWM")
    run()
    print(resident("VmHWM") - before)


def resident(field):
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[field].split()[0]) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--sizes", default="abcd")
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with torch.set_grad_enabled(options.peak is not None and options.peak[1] == "training"):
        if options.peak:
            return print_peak(*options.peak)

    header = f"  {'':24} {'median ms':>9} {'least ms':>9} {'recomputed':>11} {'by plain':>11}"
    for size in DECODING.values():  # first, while no large tensor has yet taught the allocator to keep its memory
        print(f"one decoding step, exact: B{'{} H{} M{} N{} P{}'.format(*size)}\n{header}")
        with torch.no_grad():
            times = interleaved(build_decoding(size), 3 * options.rounds, calls=5)
        rows(times, ["recomputed, unfused", "plain, cached"])
        print(f"  cached is {1 / ratio(times, 'cached', 'recomputed, unfused'):.1f} times cheaper than recomputed")

    header = f"  {'':24} {'median ms':>9} {'least ms':>9} {'by unfused':>11} {'by plain':>11} {'peak MiB':>11}"
    for training in (True, False):
        phase = "training, forward and backward, atoms" if training else "evaluation, forward, exact"
        for size in options.sizes:
            print(f"{phase}: size {size}, B{'{} H{} M{} N{} P{}'.format(*SIZES[size])}\n{header}")
            variants = build(SIZES[size], training)
            with torch.set_grad_enabled(training):
                times = interleaved(variants, options.rounds)
            rows(times, ["unfused", "plain"], {name: peak_memory(size, training, name) for name in variants})
    return None


if __name__ == "__main__":
    main()
