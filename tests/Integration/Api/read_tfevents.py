"""Reads a TensorBoard event file from standard input, checks both checksums of each record, and prints the events as JSON.

Written from the format's documents (TFRecord, event.proto, summary.proto) with Python's standard library only.
"""

import json
import math
import struct
import sys


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def check(data, stored):
    crc = crc32c(data)
    masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    if struct.pack("<I", masked) != stored:
        sys.exit(f"The checksum of {data[:16].hex()}… is {stored.hex()}, not {masked:08x}.")


def records(data):
    at = 0
    while at < len(data):
        header, crc = data[at : at + 8], data[at + 8 : at + 12]
        check(header, crc)
        (length,) = struct.unpack("<Q", header)
        message, crc = data[at + 12 : at + 12 + length], data[at + 12 + length : at + 16 + length]
        check(message, crc)
        yield message
        at += 16 + length


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def fields(message):
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(message, at)
        elif kind == 1:
            value, at = struct.unpack_from("<d", message, at)[0], at + 8
        elif kind == 2:
            length, at = varint(message, at)
            value, at = message[at : at + length], at + length
        elif kind == 5:
            value, at = struct.unpack_from("<f", message, at)[0], at + 4
        else:
            sys.exit(f"Field {number} has the wire type {kind}.")
        yield number, value


def event(message):
    read = {}
    for number, value in fields(message):
        if number == 1:
            read["time"] = value
        elif number == 2:
            read["step"] = value
        elif number == 3:
            read["version"] = value.decode()
        elif number == 5:
            scalars = [dict(fields(one)) for _, one in fields(value)]
            read["values"] = {
                one[1].decode(): one[2] if math.isfinite(one[2]) else str(one[2]) for one in scalars
            }
    return read


json.dump([event(message) for message in records(sys.stdin.buffer.read())], sys.stdout)
