"""Archives made to do harm, and what is read from the honest ones."""

import gzip
import io
import itertools
import os
import pickle
import re
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from dezero import formats
from dezero.formats import read_idx, read_pickled_arrays, read_tar

BODY = bytes(np.random.default_rng(0).integers(0, 256, 300_000, np.uint8))

# --- idx ----------------------------------------------------------------------------------------


def idx(array, kind):
    head = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx(tmp_path, pack):
    kinds = {8: "u1", 9: "i1", 11: "i2", 12: "i4", 13: "f4", 14: "f8"}
    for (kind, dtype), shape in itertools.product(
        kinds.items(), [(3, 4, 5), (7,), (), (0, 28, 28)]
    ):
        array = np.arange(np.prod(shape, dtype=int)).astype(dtype).reshape(shape)
        path = tmp_path / "a"
        path.write_bytes(pack(idx(array, kind)))
        read = read_idx(path)
        assert read.dtype == array.dtype and read.dtype.isnative and np.array_equal(read, array)
        assert read.flags.writeable and read.shape == shape


PIXELS = idx(np.zeros((100, 8, 8), np.uint8), 8)
HARM = {
    "empty": b"",
    "short head": PIXELS[:3],
    "short shape": PIXELS[:10],
    "short data": PIXELS[:-1],
    "long data": PIXELS + b"x",
    "no idx": b"GIF8" + PIXELS,
    "no zeros": b"\0\1" + PIXELS[2:],
    "odd type": b"\0\0\x0a" + PIXELS[3:],
    "many axes": b"\0\0\x08\xff" + b"\xff" * 1020,
    "gigantic": struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1),
    "large": struct.pack(">HBB2I", 0, 8, 2, 2**20, 2**20),
    "cut gzip": gzip.compress(PIXELS)[:-9],
    "changed gzip": gzip.compress(PIXELS)[:-8] + bytes(8),
    "gzip of nothing": gzip.compress(b""),
    "no gzip": b"\x1f\x8bnonsense",
    "other end": gzip.compress(PIXELS) + b"rubbish",
}


@pytest.mark.parametrize("data", HARM.values(), ids=HARM)
def test_damaged_idx(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / "a"))):
        read_idx(tmp_path / "a")


def test_what_an_archive_announces_is_compared_with_the_limit(tmp_path):
    (tmp_path / "a").write_bytes(PIXELS)
    with pytest.raises(ValueError, match="wants to be an array of 6400 bytes"):
        read_idx(tmp_path / "a", max_bytes=6399)
    assert read_idx(tmp_path / "a", max_bytes=7000).shape == (100, 8, 8)
    tar(tmp_path / "t", ("a", BODY), ("b", b"b"))
    for names in (["a"], ["b"], []):
        with pytest.raises(ValueError, match="unpacks to more bytes than allowed"):
            read_tar(tmp_path / "t", names, max_bytes=100_000)


def memory_of(*lines):
    """How many MB a program takes at its peak beyond importing, in a process of its own."""
    code = ["import resource, sys", "import numpy as np", "from dezero.formats import *"]
    peak = "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024"
    code += [
        "import gzip, tarfile, pickle, pickletools",
        f"a = {peak}",
        *lines,
        f"print({peak} - a)",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(code)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


REFUSED = "try: {0}\nexcept ValueError: pass\nelse: sys.exit('accepted')"


def bomb(path, head):
    """A small file that begins with these bytes and unpacks to 100 MB of zeros."""
    path.write_bytes(gzip.compress(head) + gzip.compress(bytes(1 << 20)) * 100)
    assert path.stat().st_size < 200_000
    return str(path)


def header(name, kind, size):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf()


@pytest.mark.skipif(sys.platform == "win32", reason="resource")
def test_bombs_stay_small(tmp_path):
    zeros = bomb(tmp_path / "zeros.gz", struct.pack(">HBB2I", 0, 8, 2, 2**10, 2**10))
    large = bomb(tmp_path / "large.gz", header("a", tarfile.REGTYPE, 100 << 20))
    pax = bomb(tmp_path / "pax.gz", header("a", tarfile.XHDTYPE, 100 << 20))
    calls = [f"read_idx({zeros!r})"]
    calls += [f"read_tar({path!r}, ['a'], max_bytes=5 << 20)" for path in (large, pax)]
    for data in (b"\x80\x04\x8e" + struct.pack("<Q", 2**33), b"\x80\x02]r\0\0\0\x04."):
        calls.append(f"read_pickled_arrays({data!r})")
    assert memory_of(*[REFUSED.format(call) for call in calls]) < 30


# --- tar ----------------------------------------------------------------------------------------


def tar(path, *members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                archive.addfile(info)
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tar(tmp_path, mode, monkeypatch):
    members = [("d/a", b"aa"), ("d/b", b""), ("../evil", b"x"), ("/evil", b"x"), ("d/c", b"cc")]
    path = tar(tmp_path / "a.tar", *members, mode=mode)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    assert read_tar(path, ["d/c", "d/a", "d/b"]) == {"d/a": b"aa", "d/b": b"", "d/c": b"cc"}
    assert read_tar(path, []) == {}
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.tar", "cwd"]


def test_links_are_not_followed(tmp_path):
    members = [
        ("secret", b"s"),
        ("soft", (tarfile.SYMTYPE, "/etc/passwd")),
        ("hard", (tarfile.LNKTYPE, "secret")),
        ("pipe", (tarfile.FIFOTYPE, "")),
    ]
    path = tar(tmp_path / "a.tar", *members)
    for name in ("soft", "hard", "pipe", "missing"):
        with pytest.raises(ValueError, match=f"does not contain {name}"):
            read_tar(path, ["secret", name])


def test_the_first_of_two_members_of_one_name_counts(tmp_path):
    assert read_tar(tar(tmp_path / "a.tar", ("a", b"1"), ("a", b"2")), ["a"]) == {"a": b"1"}


def test_a_sparse_file_may_not_grow(tmp_path):
    """A header of 512 bytes can announce a file of any size, full of holes."""
    info = tarfile.TarInfo("a")
    info.type = tarfile.GNUTYPE_SPARSE
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[386:410] = b"%011o\0%011o\0" % (50 << 20, 0)  # one piece of no bytes, far out
    head[483:495] = b"%011o\0" % (50 << 20)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    (tmp_path / "a.tar").write_bytes(bytes(head) + bytes(1024))
    with pytest.raises(ValueError, match="does not contain a"):
        read_tar(tmp_path / "a.tar", ["a"], max_bytes=1 << 20)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_without_end(tmp_path, kind):
    """One header announces the next one, thousands of times; or a record announces its length."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 9
    one = info.tobuf() + b"9 a=bbbb\n".ljust(512, b"\0")
    for data in (one * 3000, info.tobuf() + b"9" * 500 + b" a=b\n".ljust(12, b"\0")):
        (tmp_path / "a.tar").write_bytes(data + bytes(1024))
        with pytest.raises(ValueError, match=re.escape(str(tmp_path / "a.tar"))):
            read_tar(tmp_path / "a.tar", ["a"])


def test_damaged_tar(tmp_path):
    whole = tar(tmp_path / "a.tar", ("a", BODY), ("b", BODY)).read_bytes()
    plain = gzip.decompress(whole)
    packed = b"", whole[:1000], whole[:-9], b"\x1f\x8b"
    for data in (*packed, b"x" * 5000, plain[:100], plain[:5000]):
        path = tmp_path / "damaged"
        path.write_bytes(data)
        with pytest.raises(ValueError, match=re.escape(str(path))):
            read_tar(path, ["a", "b"])


# --- pickles ------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_pickled_arrays(protocol):
    for dtype in ("u1", "i8", ">i4", "f4", "bool", ">f8"):
        check_pickled(protocol, dtype)


def check_pickled(protocol, dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    content = {"data": array, "labels": [3, 1, 2], "fortran": array.T.copy(), "none": None}
    content |= {"t": array.transpose(2, 1, 0), "empty": array[:0], "number": array[0, 0, 0].item()}
    read = read_pickled_arrays(pickle.dumps(content, protocol))
    assert read.keys() == content.keys()
    assert read["labels"] == [3, 1, 2] and read["none"] is None and read["number"] == 0
    for name in ("data", "fortran", "t", "empty"):
        have, want = read[name], content[name]
        assert type(have) is np.ndarray and have.flags.writeable and have.dtype.isnative
        assert have.dtype == want.dtype.newbyteorder("=") and np.array_equal(have, want)


def cifar(data, labels):
    """A batch as Python 2 wrote it: texts are bytes, and so are the contents of the array."""
    short = lambda text: b"U" + bytes([len(text)]) + text  # noqa: E731
    shape = b"".join(b"M" + struct.pack("<H", n) for n in data.shape)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87R"
        b"(K\x01(" + shape + b"tcnumpy\ndtype\nq\x03U\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<i", data.size)
        + data.tobytes()
    )
    numbers = b"](" + b"".join(b"K" + bytes([n]) for n in labels) + b"e"
    return b"".join(
        [b"\x80\x02}q\x00(", short(b"batch_label"), short(b"training batch 1 of 5"),
         short(b"labels"), numbers, short(b"data"), array, b"tbu."]
    )  # fmt: skip


def test_a_batch_as_python_2_wrote_it():
    data = np.random.default_rng(1).integers(0, 256, (7, 3072), np.uint8)
    read = read_pickled_arrays(cifar(data, range(7)))
    assert read["batch_label"] == b"training batch 1 of 5" and read["labels"] == list(range(7))
    assert read["data"].dtype == np.uint8 and np.array_equal(read["data"], data)


class Evil:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


def touch(path):
    Path(path).touch()


CALLS = [(os.system, ("echo hello",)), (eval, ("1",)), (getattr, (1, "real")), (np.load, ("a",)),
         (itertools.count, ()), (np.zeros, (3,)), (touch, ("evil",))]  # fmt: skip


@pytest.mark.parametrize("function, arguments", CALLS, ids=[f.__name__ for f, _ in CALLS])
def test_nothing_is_executed(tmp_path, monkeypatch, function, arguments):
    monkeypatch.chdir(tmp_path)
    for protocol in (0, 2, 4, 5):
        data = pickle.dumps({"data": Evil(function, arguments)}, protocol)
        with pytest.raises(ValueError, match="it wants to use"):
            read_pickled_arrays(data)
    assert list(tmp_path.iterdir()) == []


ARRAY = pickle.dumps({"a": np.arange(5, dtype=np.uint8)}, 2)
BAD_PICKLES = {
    "nothing": b"",
    "no pickle": b"hello",
    "cut": ARRAY[:-10],
    "no dict": pickle.dumps([1, 2]),
    "objects": pickle.dumps({"a": np.array([None, "x"], object)}, 2),
    "texts": pickle.dumps({"a": np.array(["x", "y"])}, 2),
    "fields": pickle.dumps({"a": np.zeros(2, [("x", "f4"), ("y", "i4")])}, 2),
    "dates": pickle.dumps({"a": np.zeros(2, "M8[s]")}, 2),
    "other shape": ARRAY.replace(b"K\x05\x85", b"K\x06\x85"),
    "only a part": b"\x80\x02}U\x01acnumpy\ndtype\ns.",
    "part as key": b"\x80\x02}cnumpy\ndtype\n]Rs.",
    "stack": b"\x80\x02}R.",
    "persistent": b"\x80\x02}U\x01aPx\ns.",
    "extension": b"\x80\x02}U\x01a\x82\x01s.",
    "change a part": b"\x80\x02cnumpy\ndtype\n}U\x05statess}b.",
    "self": b"\x80\x02}q\x00U\x01ah\x00sh\x00.",
    "deep": b"\x80\x02}U\x01a" + b"]" * 3000 + b"a" * 2999 + b"s" + b".",
}


@pytest.mark.parametrize("data", BAD_PICKLES.values(), ids=BAD_PICKLES)
def test_bad_pickles(data, request):
    if request.node.callspec.id in ("self", "deep", "only a part"):  # odd, and harmless
        assert list(read_pickled_arrays(data)) == ["a"]
    else:
        with pytest.raises(ValueError, match="this pickle is not read"):
            read_pickled_arrays(data)
    assert formats._RecordedCall.state == ()
    assert read_pickled_arrays(ARRAY)["a"].tolist() == [0, 1, 2, 3, 4]


def test_every_single_wrong_byte():
    """One byte changed anywhere: a dict or a ValueError, and never anything else."""
    for place in range(len(ARRAY)):
        for new in (0, 0x2E, 0x52, 0x62, 0x63, 0x93, 0xFF, ARRAY[place] ^ 1):
            data = ARRAY[:place] + bytes([new]) + ARRAY[place + 1 :]
            try:
                assert type(read_pickled_arrays(data)) is dict
            except ValueError as error:
                assert "this pickle is not read" in str(error)
