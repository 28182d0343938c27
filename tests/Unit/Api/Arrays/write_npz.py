"""Writes the npz files that NpzFileTests reads into the folder of the first argument: valid ones by NumPy, and hostile ones."""

import io
import struct
import sys
import warnings
import zipfile
import zlib

import numpy as np

warnings.simplefilter("ignore")  # zipfile warns of duplicate names
folder = sys.argv[1]
a = np.arange(6, dtype="f4").reshape(2, 3)
STORED, DEFLATED = 0, 8


def path(name):
    return f"{folder}/{name}.npz"


def npy(array, version=(1, 0)):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), version=version)
    return file.getvalue()


def header(text, data=b"", version=1):
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text.encode() + data


def save(name, *members):
    """Members of valid zip files: a name and the bytes."""
    with zipfile.ZipFile(path(name), "w") as file:
        for member, data in members:
            file.writestr(member, data)


def deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def write_raw(name, *members, count=None, start=None):
    """Members of any zip file: (name, method, CRC, packed bytes, packed size, unpacked size), and `at`, another local header."""
    file, entries = io.BytesIO(), b""
    for member in members:
        title, method, crc, data, packed, size = member[:6]
        at = file.tell() if len(member) == 6 else member[6]
        fields = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 0, crc, packed, size, len(title), 0)
        file.write(b"PK\3\4" + fields + title.encode() + data)
        entries += b"PK\1\2\24\0" + fields + struct.pack("<HHHII", 0, 0, 0, 0, at) + title.encode()
    directory = file.tell() if start is None else start
    count = len(members) if count is None else count
    file.write(entries + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(entries), directory, 0))
    with open(path(name), "wb") as to:
        to.write(file.getvalue())


def raw(name, data, method=DEFLATED, packed=None, crc=None, size=None):
    body = deflate(data) if method == DEFLATED else data
    body = body if packed is None else packed
    return name, method, zlib.crc32(data) if crc is None else crc, body, len(body), len(data) if size is None else size


class Pipe:
    """A stream that cannot seek: zipfile then writes sizes after the members."""

    def __init__(self, to):
        self.to = to

    def write(self, data):
        return self.to.write(data)

    def flush(self):
        self.to.flush()


# Valid files: a is [[0, 1, 2], [3, 4, 5]] as float32.
np.savez(path("savez"), a=a)
np.savez_compressed(path("savez_compressed"), a=a)
with open(path("piped"), "wb") as to:
    with zipfile.ZipFile(Pipe(to), "w", zipfile.ZIP_DEFLATED) as file:
        with file.open("a.npy", "w", force_zip64=True) as member:
            member.write(npy(a))
for major in 1, 2, 3:
    save(f"version{major}", ("a.npy", npy(a, (major, 0))))
limits = zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT
zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = 10, 0
np.savez(path("zip64"), a=a)
zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = limits
save("other_writer", ("a.npy", header("{'shape': (2,3), 'fortran_order': False, 'descr': '<f4'}\n", a.tobytes())))
with zipfile.ZipFile(path("commented"), "w") as file:
    file.writestr("a.npy", npy(a))
    file.comment = b"PK\5\6 is no end here"

types = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64"
np.savez(path("types"), **{name: np.array([0, 1, 1], dtype=name) for name in types.split()})
np.savez(path("shapes"), none=np.zeros((0, 3)), number=np.float64(2), f1=np.asfortranarray(np.arange(3.0)), four=np.zeros((2, 1, 3, 1)))
np.savez_compressed(path("large"), a=np.arange(100_000, dtype="f8").reshape(1000, 100))
np.savez_compressed(path("sorted"), a=np.repeat(np.arange(10, dtype="i8"), 400_000))

# Hostile files.
np.savez(path("object"), a=np.array([None, {}], dtype=object))
np.savez(path("structured"), a=np.zeros(2, dtype=[("x", "f4")]))
np.savez(path("text"), a=np.array(["x", "y"]))
np.savez(path("complex"), a=np.zeros(2, dtype="c8"))
np.savez(path("big_endian"), a=a.astype(">f4"))
np.savez(path("fortran"), a=np.asfortranarray(a))
shape = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }\n"
save("billion_rows", ("a.npy", header(shape % "(1000000000, 10)", bytes(80))))
save("overflow", ("a.npy", header(shape % "(4294967296, 4294967296, 2)")))
save("overflow_to_zero", ("a.npy", header(shape % "(9223372036854775807, 9223372036854775807, 9223372036854775807)")))
save("huge_length", ("a.npy", header(shape % "(99999999999999999999,)")))
save("negative", ("a.npy", header(shape % "(-1, 2)")))
save("no_tuple", ("a.npy", header(shape % "(3)", bytes(12))))
save("more_numbers", ("a.npy", npy(a) + bytes(4)))
save("code", ("a.npy", header("{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': (2,), }\n")))
save("twice", ("a.npy", header("{'descr': '<f4', 'descr': '<f8', 'shape': (2,), }\n")))
save("long_header", ("a.npy", header(shape % "(2,)" + " " * 60_000, bytes(8))))
save("longer_header", ("a.npy", b"\x93NUMPY\2\0\xff\xff\xff\xff"))
save("version4", ("a.npy", b"\x93NUMPY\4\0" + npy(a)[8:]))
save("no_npy", ("a.npy", b"hello"))
save("empty_member", ("a.npy", b""))
save("duplicate", ("a.npy", npy(a)), ("a.npy", npy(a)))
save("path", ("../a.npy", npy(a)))
save("absolute", ("/etc/a.npy", npy(a)))
save("other_file", ("a.npy", npy(a)), ("readme.txt", b"hello"))
save("many", *((f"a{i}.npy", npy(a)) for i in range(30)))
with zipfile.ZipFile(path("bzip2"), "w", zipfile.ZIP_BZIP2) as file:
    file.writestr("a.npy", npy(a))
zeros = 100 << 20
write_raw("bomb", raw("a.npy", header(shape % f"({(zeros - 56) // 4},)").ljust(56) + bytes(zeros - 56)))
piece = zlib.compressobj(wbits=-15)  # 64 MiB of zeros that can be repeated
piece = piece.compress(bytes(64 << 20)) + piece.flush(zlib.Z_FULL_FLUSH)
write_raw("two_gigabytes", raw("a.npy", b"", packed=piece * 32 + b"\3\0", size=2 << 30))
start = zlib.compressobj(wbits=-15)
start = start.compress(npy(a)) + start.flush(zlib.Z_FULL_FLUSH)
write_raw("more_than_size", raw("a.npy", npy(a), packed=start + piece * 32 + b"\3\0"))
write_raw("truncated_member", raw("a.npy", npy(np.arange(9999.0)), packed=deflate(npy(np.arange(9999.0)))[:500]))
write_raw("beyond_end", ("a.npy", STORED, 0, npy(a), 1 << 20, 1 << 20))
write_raw("wrong_crc", raw("a.npy", npy(a), crc=1))
write_raw("wrong_crc_stored", raw("a.npy", npy(a), method=STORED, crc=1))
write_raw("two_sizes", raw("a.npy", npy(a), method=STORED, size=len(npy(a)) - 4))
write_raw("overlap", raw("a.npy", npy(a)), (*raw("b.npy", npy(a)), 0))
write_raw("fewer_entries", raw("a.npy", npy(a)), count=3)
write_raw("more_entries", raw("a.npy", npy(a)), raw("b.npy", npy(a)), count=1)
write_raw("wrong_start", raw("a.npy", npy(a)), start=7)
write_raw("encrypted", raw("a.npy", npy(a)))
with open(path("encrypted"), "r+b") as file:
    data = file.read()
    file.seek(data.index(b"PK\1\2") + 8)
    file.write(b"\1")
with open(path("savez"), "rb") as file:
    whole = file.read()
for name, data in ("truncated", whole[:-30]), ("empty", b""), ("no_zip", b"\x93NUMPY" * 20), ("json", b'{"logits": [1]}'):
    with open(path(name), "wb") as to:
        to.write(data)
