#!/usr/bin/env python3
"""Writes corruptions.json beside this script: one image, corrupted by the formulas in float64, for Temper to agree with.

Run with Python 3.9 or newer, without packages: python3 make_corruption_fixtures.py
"""
import json
import math
import pathlib

SEED, INDEX = 5, 11
CHANNELS, HEIGHT, WIDTH = 3, 5, 7
SEVERITIES = {
    "noise": [0.08, 0.12, 0.18, 0.26, 0.38],
    "blur": [0.5, 1, 1.5, 2, 2.5],
    "rotation": [10, 20, 30, 40, 50],
    "contrast": [0.75, 0.5, 0.4, 0.3, 0.15],
}
IMAGE = [i * 37 % 256 for i in range(CHANNELS * HEIGHT * WIDTH)]
MASK = 2**64 - 1


def mix(z):
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def split_mix(seed, stream):
    """64-bit numbers of SplitMix64, as in src/Domain/SplitMix64.cs."""
    state = mix(seed & MASK) ^ mix(~stream & MASK)
    while True:
        state = state + 0x9E3779B97F4A7C15 & MASK
        yield mix(state)


def pixel(c, y, x):
    return IMAGE[(c * HEIGHT + y) * WIDTH + x]


def places():
    return ((c, y, x) for c in range(CHANNELS) for y in range(HEIGHT) for x in range(WIDTH))


def noise(share, bits):
    values = []
    for value in IMAGE:
        if len(values) % 2 == 0:
            u, angle = ((next(bits) >> 11) / 2**53 for _ in range(2))
            radius = share * 255 * math.sqrt(-2 * math.log(1 - u))
            values.append(value + radius * math.cos(2 * math.pi * angle))
        else:
            values.append(value + radius * math.sin(2 * math.pi * angle))
    return values


def blur(severity, bits):
    deviation = severity * min(HEIGHT, WIDTH) / 32
    reach = math.ceil(3 * deviation)
    weights = {k: math.exp(-k * k / (2 * deviation**2)) for k in range(-reach, reach + 1)}
    total = sum(weights.values()) ** 2
    return [
        sum(
            weights[down] * weights[right] * pixel(c, min(max(y + down, 0), HEIGHT - 1), min(max(x + right, 0), WIDTH - 1))
            for down in weights
            for right in weights
        )
        / total
        for c, y, x in places()
    ]


def rotation(degrees, bits):
    angle = math.radians(degrees if next(bits) * 2 >> 64 == 0 else -degrees)
    middle_y, middle_x = (HEIGHT - 1) / 2, (WIDTH - 1) / 2

    def rotated(c, y, x):
        from_x = middle_x + (x - middle_x) * math.cos(angle) + (y - middle_y) * math.sin(angle)
        from_y = middle_y + (y - middle_y) * math.cos(angle) - (x - middle_x) * math.sin(angle)
        return sum(
            max(0, 1 - abs(from_y - y)) * max(0, 1 - abs(from_x - x)) * pixel(c, y, x)
            for y in range(HEIGHT)
            for x in range(WIDTH)
        )

    return [rotated(*place) for place in places()]


def contrast(factor, bits):
    area = HEIGHT * WIDTH
    means = [sum(IMAGE[c * area : (c + 1) * area]) / area for c in range(CHANNELS)]
    return [means[c] + factor * (pixel(c, y, x) - means[c]) for c, y, x in places()]


written = []
for number, kind in enumerate([noise, blur, rotation, contrast]):
    for strength, severity in enumerate(SEVERITIES[kind.__name__], 1):
        values = kind(severity, split_mix(SEED, 2**41 + number * 2**32 + INDEX))
        written.append({"kind": kind.__name__, "strength": strength, "values": [min(max(round(v), 0), 255) for v in values]})
text = ",\n".join(json.dumps(one, separators=(",", ":")) for one in written)
(pathlib.Path(__file__).parent / "corruptions.json").write_text(f"[{text}]\n")
