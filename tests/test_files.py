"""Files of arrays: exact, whole, bounded, and nothing in them is executed."""

import copy
import errno
import itertools
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import dezero.functions as F
from dezero import Parameter, Variable, files
from dezero.files import file_lock, file_path, load_arrays, save_arrays
from dezero.layers import Layer
from dezero.models import MLP
from dezero.optimizers import SGD
from dezero.training import Trainer
from dezero.utils import plot_dot_graph
from dezero.visualize import replay


def same(one, other):
    """The same names in the same order, the same values, shapes and dtypes."""
    return list(one) == list(other) and all(
        x.dtype == y.dtype and x.shape == y.shape and np.array_equal(x, y)
        for x, y in zip(one.values(), other.values(), strict=True)
    )


# --- one at a time ------------------------------------------------------------------------------


def test_threads_take_turns_and_leave_nothing(tmp_path):
    seen = []

    def enter(name):
        with file_lock(tmp_path / "a.bin"):
            seen.append(name)
            time.sleep(0.02)
            seen.append(name)

    threads = [threading.Thread(target=enter, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(seen) == 10 and seen[::2] == seen[1::2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no open file")
def test_a_lock_on_a_file_without_a_name_counts_for_nothing(tmp_path, monkeypatch):
    locked = []

    def wait_for(file):
        files._try_lock(file)
        locked.append(file.name)
        if len(locked) == 1:
            os.remove(file.name)  # as the one does who had the lock before

    monkeypatch.setattr(files, "_wait_for_lock", wait_for)
    with file_lock(tmp_path / "a.bin"):
        assert len(locked) == 2 and os.path.exists(locked[1])
    assert list(tmp_path.iterdir()) == []


def test_where_there_are_no_locks_it_goes_on(tmp_path, monkeypatch):
    def no_locks(file):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(files, "_try_lock", no_locks)
    with file_lock(tmp_path / "w.npz"):
        save_arrays(tmp_path / "w", {"a": np.arange(3)})
    assert [path.name for path in tmp_path.iterdir()] == ["w.npz"]


def test_an_error_of_the_system_is_told(tmp_path, monkeypatch):
    def broken(file):
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(files, "_try_lock", broken)
    with pytest.raises(OSError, match="broken"), file_lock(tmp_path / "w.npz"):
        pass


# --- files of arrays: exact, whole, bounded -----------------------------------------------------

NUMBERS = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="="),
    hnp.unsigned_integer_dtypes(endianness="="),
    hnp.floating_dtypes(endianness="=", sizes=(16, 32, 64)),
)
KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=9)
COUNT = itertools.count()


@given(
    st.dictionaries(
        KEYS, NUMBERS.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0)))
    ),
    st.booleans(),
    st.sampled_from(["npz", "safetensors"]),
)
def test_arrays_come_back_bit_by_bit(tmp_path_factory, found, turned, kind):
    path = tmp_path_factory.getbasetemp() / f"arrays{next(COUNT)}.{kind}"
    if turned:
        found = {name: x.T for name, x in found.items()}
    save_arrays(path, found)
    back = load_arrays(path)
    path.unlink()
    assert set(back) == set(found)
    for name, x in found.items():
        assert back[name].dtype == x.dtype and back[name].shape == x.shape
        assert back[name].tobytes() == x.tobytes() and back[name].flags.writeable


@pytest.mark.parametrize("wrong", [np.array([None]), np.array(["a"]), np.array([1j])])
def test_only_numbers_are_written(tmp_path, wrong):
    with pytest.raises(TypeError, match="m/W holds"):
        save_arrays(tmp_path / "w", {"m/W": wrong})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors"])
def test_a_failing_write_leaves_the_old_file(tmp_path, name, monkeypatch):
    path = tmp_path / name
    save_arrays(path, {"a": np.arange(3)})

    def full(_):
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        save_arrays(path, {"a": np.zeros(3)})
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert load_arrays(path)["a"].tolist() == [0, 1, 2]


def test_a_killed_writer_leaves_a_whole_file(tmp_path):
    code = """if True:
        import itertools, sys
        import numpy as np
        from dezero.files import save_arrays
        for i in itertools.count():
            save_arrays(sys.argv[1], {'a': np.full(1_000_000, i), 'b': np.full(1_000_000, i)})
            print(i, flush=True)
        """
    path = tmp_path / "w.npz"
    for wait in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            for _ in range(wait + 1):
                writer.stdout.readline()
            writer.kill()
        found = load_arrays(path)
        assert (found["a"] == found["b"][0]).all() and (found["b"] == found["b"][0]).all()


WRITER = """if True:
    import sys
    from dezero.files import atomic_write
    with atomic_write(sys.argv[1]) as file:
        file.write(b'half')
        file.flush()
        print(flush=True)
        sys.stdin.readline()
        file.write(b' and whole')
    """


@pytest.fixture
def writer(tmp_path):
    """A process that has written one half of `w.npz`, and waits for a line."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "w.npz")]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_the_next_save_removes_what_a_killed_one_has_left(tmp_path, writer):
    writer.kill()
    writer.wait()
    assert len(list(tmp_path.iterdir())) == 1
    mine = [".w.npz.part", ".other.npz.01234567.part", ".wxnpz.01234567.part"]
    mine += [".w.npz.backup12", ".w.npz.b.01234567.part", "w.npz.01234567.part"]
    for name in mine:
        (tmp_path / name).touch()
    save_arrays(tmp_path / "w", {"a": np.arange(3)})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*mine, "w.npz"])
    assert load_arrays(tmp_path / "w")["a"].tolist() == [0, 1, 2]


def test_a_save_leaves_alone_what_another_process_is_writing(tmp_path, writer):
    save_arrays(tmp_path / "w", {"a": np.arange(3)})
    assert len(list(tmp_path.iterdir())) == 2
    writer.communicate("go on\n")
    assert writer.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["w.npz"]
    assert (tmp_path / "w.npz").read_bytes() == b"half and whole"


def test_many_may_write_the_same_file(tmp_path):
    """A file that was seen before it was locked is made anew."""

    def save(number):
        save_arrays(tmp_path / "w", {"a": np.full(1000, number)})
        found = load_arrays(tmp_path / "w")["a"]
        assert (found == found[0]).all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, range(200)))
    assert [path.name for path in tmp_path.iterdir()] == ["w.npz"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere"):
        save_arrays(tmp_path / "nowhere" / "w", {})


def test_a_replaced_file_keeps_its_mode(tmp_path):
    save_arrays(tmp_path / "a", {"x": np.zeros(2)})
    (tmp_path / "a.npz").chmod(0o600)
    mode = (tmp_path / "a.npz").stat().st_mode
    save_arrays(tmp_path / "a", {"x": np.ones(2)})
    assert (tmp_path / "a.npz").stat().st_mode == mode
    assert load_arrays(tmp_path / "a")["x"].all()


def test_without_the_library_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match=r"pip install \"dezero\[safetensors\]\""):
        save_arrays(tmp_path / "w.safetensors", {})
    (tmp_path / "w.safetensors").write_bytes(b"")
    with pytest.raises(ImportError, match="safetensors"):
        load_arrays(tmp_path / "w.safetensors")


def npy(shape, dtype="<f4", data=b"", version=b"\1\0"):
    """The bytes of a .npy file that says what it likes."""
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header + data


def archive(path, members, kind=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", kind) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def bomb(path, copies):
    """200 MB of zeros in less than 200 kB, listed several times under different names."""
    size = 200_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        with file.open("W.npy", "w") as member:
            member.write(npy((size // 4,)))
            for _ in range(size // 1_000_000):
                member.write(bytes(1_000_000))
        for i in range(1, copies):
            file.filelist.append(copy.copy(file.filelist[0]))
            file.filelist[-1].filename = f"W{i}.npy"
    assert path.stat().st_size < 200_001
    return path


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    layer = Layer()
    layer.W = Parameter(None)
    for copies, total in [(1, "200,0"), (20, "4,000,0")]:
        path = bomb(tmp_path / f"{copies}.npz", copies)
        monkeypatch.setattr(zipfile.ZipFile, "open", None)  # nothing is unpacked
        says = total + r"\d\d,\d\d\d bytes.* which is 64,000,000 now"
        with pytest.raises(ValueError, match="would unpack to " + says):
            layer.load_weights(path)
        monkeypatch.undo()
    assert layer.W.data is None


def test_every_damage_is_a_value_error_that_names_the_file(tmp_path):
    """Bytes of the table at the end of the archive are changed, one at a time: seeking to a place
    that is none is an error of the system, without a file name."""
    save_arrays(tmp_path / "good", {"W": np.arange(6.0), "b": np.zeros(2)})
    good, damaged = (tmp_path / "good.npz").read_bytes(), tmp_path / "damaged.npz"
    for place in range(good.index(b"PK\x01\x02"), len(good)):
        for value in (0xFF, 0x80, 0x00):
            damaged.write_bytes(good[:place] + bytes([value]) + good[place + 1 :])
            try:
                arrays = load_arrays(damaged)
            except ValueError as error:
                assert "damaged.npz' cannot be read" in str(error)
            else:
                assert all(
                    np.array_equal(x, load_arrays(tmp_path / "good")[n]) for n, x in arrays.items()
                )


def test_the_limit_can_be_set(tmp_path):
    layer = Layer()
    layer.W = Parameter(None)
    path = archive(tmp_path / "w.npz", [("W.npy", npy((250_000,), data=bytes(1_000_000)))])
    with pytest.raises(ValueError, match="the limit, which is 1,000,000 now"):
        layer.load_weights(path, limit=1_000_000)
    layer.load_weights(path, limit=1_001_000)
    assert layer.W.shape == (250_000,)


def test_many_small_bombs_are_one_bomb(tmp_path):
    part = npy((5_000_000,), data=bytes(20_000_000))
    path = archive(tmp_path / "w.npz", [(f"{i}.npy", part) for i in range(4)])
    with pytest.raises(ValueError, match="would unpack to 80,"):
        load_arrays(path)
    assert len(load_arrays(path, limit=100_000_000)) == 4


HOSTILE = {
    "a shape of a terabyte": [("a.npy", npy((1 << 38,)))],
    "a negative shape": [("a.npy", npy((-2, -2), data=bytes(16)))],
    "too little data": [("a.npy", npy((4,), data=bytes(15)))],
    "too much data": [("a.npy", npy((4,), data=bytes(17)))],
    "pickled objects": [("a.npy", npy((1,), "|O", pickle.dumps([1])))],
    "text": [("a.npy", npy((1,), "<U1", bytes(4)))],
    "fields": [("a.npy", npy((1,), [("x", "<f4")], bytes(4)))],
    "another version": [("a.npy", npy((1,), data=bytes(4), version=b"\3\0"))],
    "no array": [("a.npy", b"hello")],
    "nothing": [("a.npy", b"")],
    "another ending": [("a.txt", npy((1,), data=bytes(4)))],
    "code as a header": [("a.npy", npy("__import__('os').getcwd()", data=bytes(4)))],
    "a deep header": [("a.npy", npy("(" * 5000, data=bytes(4)))],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_member_is_refused(tmp_path, name):
    path = archive(tmp_path / "w.npz", HOSTILE[name])
    with pytest.raises(ValueError, match="w.npz' cannot be read"):
        load_arrays(path)


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_numpy_does_not_use_are_refused(tmp_path, kind):
    """They unpack whole blocks at once, however large."""
    path = archive(tmp_path / "w.npz", [("a.npy", npy((1,), data=bytes(4)))], kind)
    with pytest.raises(ValueError, match="'a.npy' is no array"):
        load_arrays(path)


def test_two_members_of_one_name_are_refused(tmp_path):
    part = npy((1,), data=bytes(4))
    with pytest.warns(UserWarning, match="Duplicate"):
        path = archive(tmp_path / "w.npz", [("a.npy", part), ("a.npy", part)])
    with pytest.raises(ValueError, match="same name"):
        load_arrays(path)


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors"])
def test_a_damaged_file_is_refused(tmp_path, name):
    path = tmp_path / name
    save_arrays(path, {"a": np.arange(1000.0)})
    whole = path.read_bytes()
    damaged = [b"", b"hello", whole[:100], whole[:-1]]
    if name == "w.npz":  # the other format has no checksum
        middle = len(whole) // 2
        damaged.append(whole[:middle] + b"\xff" + whole[middle + 1 :])
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read"):
            load_arrays(path)


# --- a full disk, and paths that are none ---------------------------------------------------------

FULL = """
import os, sys, numpy as np
from dezero.files import atomic_write, save_arrays
path, large = sys.argv[1], {"W": np.random.default_rng(0).random(300_000)}
save_arrays(path, {"W": np.zeros(3)})
if sys.argv[2] == "limit":
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try: save_arrays(path, large)
except OSError as error: print(type(error).__name__, error.errno, error)
try:
    with atomic_write(path) as file:
        for _ in range(30): file.write(b"x" * 100_000)
except OSError as error: print(type(error).__name__, error.errno, error)
print(os.listdir(os.path.dirname(path)), len(np.load(path)["W"]))
"""


@pytest.fixture(params=["tmpfs", "limit"])
def full(request, tmp_path):
    """A folder on a small disk, where one may make one; otherwise a limit for the process."""
    if request.param == "tmpfs":
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(tmp_path)]
        if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
            return tmp_path, "limit"
        request.addfinalizer(lambda: subprocess.run(["umount", str(tmp_path)], check=True))
    return tmp_path, request.param


@pytest.mark.skipif(sys.platform == "win32", reason="limits are those of Unix")
@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_a_full_disk_leaves_nothing_behind_and_the_error_names_the_file(full, ending, root):
    folder, kind = full
    path = folder / f"run{ending}"
    program = FULL if ending == ".npz" else FULL.replace('np.load(path)["W"]', "[0, 0, 0]")
    command = [sys.executable, "-c", program, str(path), kind]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    *told, rest = done.stdout.splitlines()
    number = errno.ENOSPC if kind == "tmpfs" else errno.EFBIG
    assert len(told) == 2 and rest == f"['run{ending}'] 3"
    for line in told:
        assert line.startswith(f"OSError {number} ") and line.endswith(f": '{path}'")


PICTURES = """
import os, sys, resource
from dezero import Variable
from dezero.utils import plot_dot_graph
from dezero.visualize import replay

path, kind = sys.argv[1:]
y = Variable(2.0) ** 2 + 1.0
write = {".svg": plot_dot_graph, ".html": replay}[os.path.splitext(path)[1]]
write(y, to_file=path)
before = open(path).read()
if kind == "limit": resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
else:
    try:
        with open(os.path.join(os.path.dirname(path), "rest"), "wb", 0) as file:
            while True: file.write(b"x" * 1000)
    except OSError: pass
try: write(y, to_file=path)
except OSError as error: print(type(error).__name__, error.errno, error)
print(sorted({*os.listdir(os.path.dirname(path))} - {"rest"}), open(path).read() == before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits are those of Unix")
@pytest.mark.parametrize("name", ["graph.svg", "page.html"])
def test_a_picture_and_a_page_are_written_as_a_whole_or_not_at_all(full, name, root):
    folder, kind = full
    path = folder / name
    command = [sys.executable, "-c", PICTURES, str(path), kind]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    number = errno.ENOSPC if kind == "tmpfs" else errno.EFBIG
    told, rest = done.stdout.splitlines()
    assert told.startswith(f"OSError {number} ") and told.endswith(f": '{path}'")
    assert rest == f"['{name}'] True"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of Unix")
@pytest.mark.parametrize("write, ending", [(plot_dot_graph, ".svg"), (replay, ".html")])
def test_no_picture_goes_into_a_pipe_or_a_folder(tmp_path, write, ending):
    pipe, folder = tmp_path / f"pipe{ending}", tmp_path / f"folder{ending}"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in pipe, folder:
        with pytest.raises(OSError, match=r"this is (no file, but a pipe|a folder).*" + ending):
            write(Variable(2.0) * 3.0, to_file=path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of Unix")
@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_a_pipe_a_device_or_a_folder_is_no_file(tmp_path, ending):
    pipe, device, folder = (tmp_path / f"{name}{ending}" for name in ("pipe", "device", "folder"))
    os.mkfifo(pipe)
    device.symlink_to("/dev/null")
    folder.mkdir()
    for path in (pipe, device, folder):
        for act in (load_arrays, lambda path: save_arrays(path, {"W": np.eye(2)})):
            with pytest.raises(OSError, match=r"this is (no file, but a pipe|a folder).*" + ending):
                act(path)
        assert os.path.exists(path) and not os.path.isfile(path)
    assert len(os.listdir(tmp_path)) == 3


def test_names_of_any_length(tmp_path):
    for n in (100, 240, 251):
        path = tmp_path / ("n" * n + ".npz")
        for k in range(2):
            save_arrays(path, {"W": np.full(3, k)})
        assert load_arrays(path)["W"].tolist() == [1, 1, 1] and os.listdir(tmp_path) == [path.name]
        (tmp_path / f".{files._short_name(path.name)}.0123abcd.part").write_bytes(b"half")
        save_arrays(path, {"W": np.eye(2)})  # and what a killed program left is found
        assert os.listdir(tmp_path) == [path.name]
        with file_lock(path):
            assert len(os.listdir(tmp_path)) == 2
        os.remove(path)
    with pytest.raises(OSError, match="name too long.*nnn.npz") as caught:
        save_arrays(tmp_path / ("n" * 300 + ".npz"), {"W": np.eye(2)})
    assert ".part" not in str(caught.value)


@pytest.mark.parametrize("act", [load_arrays, lambda p: save_arrays(p, {}), file_path])
def test_a_path_with_nul(act):
    with pytest.raises(ValueError, match=r"'a\\x00b.npz' is no path: it has a NUL character"):
        act("a\0b.npz")


def member(header):
    """A member of an archive: an array with this header."""
    head = header.encode("latin1") if isinstance(header, str) else header
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head


HEADERS = [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)",
    "{'descr': '<f4;;', 'fortran_order': False, 'shape': (2, 2)}\n",
    "{'descr': 'f4,(', 'fortran_order': False, 'shape': (2, 2)}\n",
    "{'descr': 'no dtype at all', 'fortran_order': False, 'shape': (2, 2)}\n",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 2)}\n",
    "{'descr': [[[]]], 'fortran_order': False, 'shape': (2, 2)}\n",
    "{'descr': {}, 'fortran_order': False, 'shape': (2, 2)}\n",
    "{'descr': 7, 'fortran_order': False, 'shape': (2, 2)}\n",
    "{'descr': None, 'fortran_order': False, 'shape': (2,)}\n",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -2)}\n",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (10**99,)}\n",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (%s,)}\n" % ("9" * 4000),
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 4)}\n",
    "{'descr': '<f4', 'fortran_order': 3, 'shape': (2, 2)}\n",
    "{'descr': 'f0', 'fortran_order': False, 'shape': (4,)}\n",
    "\x1b[2J\x07", "x" * 9000, "(" * 5000, "[" * 90, "-" * 9000 + "1", "\x00" * 50, "1L",
    "import os",
    "{'descr': '\x1b[31m', 'fortran_order': False, 'shape': (2, 2)}\n", "",
]  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_a_strange_header_is_told_in_few_words(tmp_path, header):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("W\x1b[2J.npy", member(header) + bytes(16))
    with pytest.raises(ValueError, match=r"w.npz' cannot be read: ") as caught:
        load_arrays(tmp_path / "w.npz")
    told = str(caught.value)
    assert len(told) < 400 + len(str(tmp_path)) and told.replace("\n", "").isprintable()


def test_thirty_thousand_strange_members(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        body = member("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}\n") + bytes(4)
        for i in range(30_000):
            archive.writestr(f"\x1b[2J{i}\n.npy", body)
    model = MLP((2,))
    begin = time.monotonic()
    with pytest.raises(ValueError, match="w.npz' does not fit this MLP") as caught:
        model.load_weights(tmp_path / "w.npz")
    assert time.monotonic() - begin < 30
    told = str(caught.value)
    assert len(told) < 3000 and told.replace("\n", "").isprintable() and told.count("\n") < 25
    assert told.endswith("more")
    found = Trainer(model, SGD(), F.mean_squared_error, verbose=False)
    with pytest.raises(ValueError, match="w.npz': this is no checkpoint") as caught:
        found.load(tmp_path / "w.npz")


def test_the_limit_holds_for_safetensors_too(tmp_path):
    path = tmp_path / "w.safetensors"
    save_arrays(path, {"W": np.zeros(1000)})
    with pytest.raises(ValueError, match="w.safetensors' cannot be read: it would unpack to 8,"):
        load_arrays(path, limit=100)
    assert load_arrays(path, limit=9000)["W"].size == 1000
