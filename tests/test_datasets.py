"""Datasets: how examples are fetched, the numbers of the book, the digits inside the package, and
the sets of the internet, from small files of the same form on a local server."""

import gzip
import hashlib
import inspect
import io
import os
import pickle
import pickletools
import sys
import tarfile
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dezero import datasets
from dezero.datasets import (
    CIFAR10,
    CIFAR100,
    MNIST,
    ArrayDataset,
    Dataset,
    Digits,
    FashionMNIST,
    ImageNet,
    Shakespear,
    Shakespeare,
    SinCurve,
    Spiral,
    get_spiral,
    load_cache_npz,
    make_grid,
    save_cache_npz,
    stack_examples,
)
from dezero.download import DownloadError
from dezero.transforms import Compose, Normalize, ToFloat

ROOT = Path(__file__).resolve().parent.parent


# --- fetching examples --------------------------------------------------------------------------


class Points(Dataset):
    def prepare(self):
        self.data = np.arange(12.0).reshape(6, 2)
        self.label = np.arange(6)


def test_an_example_is_a_pair_and_many_are_a_pair_of_arrays():
    points = Points()
    x, t = points[4]
    assert x.tolist() == [8, 9] and t == 4 and len(points) == 6
    for index in (slice(1, 6, 2), [1, 3, 5], np.array([1, 3, 5]), (np.arange(6) % 2).astype(bool)):
        x, t = points[index]
        assert x.tolist() == [[2, 3], [6, 7], [10, 11]] and t.tolist() == [1, 3, 5]
    assert points[-1][1] == 5 and points[[-1, 0]][1].tolist() == [5, 0]
    assert points[[]][0].shape == (0, 2) and points[np.int64(2)][1] == 2


@pytest.mark.parametrize("index", [6, -7, [0, 6], [-7]])
def test_a_number_that_is_not_there_is_an_index_error(index):
    with pytest.raises(IndexError):
        Points()[index]


@pytest.mark.parametrize("index", [None, ..., "7", 1.0, {0, 1}])
def test_an_index_that_is_no_number_is_refused(index):
    with pytest.raises((TypeError, IndexError), match="integer"):
        Points()[index]
    with pytest.raises((TypeError, IndexError)):
        ArrayDataset(np.arange(6), [0] * 6)[index]


def test_a_loop_over_a_dataset_of_ones_own_ends():
    class Squares(Dataset):
        def __len__(self):
            return 5

        def __getitem__(self, i):
            return i, i * i  # does not complain about any number

    assert list(zip(range(9), Squares()))[-1] == (4, (4, 16))
    assert len(list(Squares())) == 5


def test_a_loop_over_a_dataset_ends():
    assert [int(t) for _, t in Points()] == [0, 1, 2, 3, 4, 5]


def test_without_labels_the_label_is_none():
    class Unlabelled(Dataset):
        def prepare(self):
            self.data = np.arange(3)

    assert Unlabelled()[1] == (1, None)
    x, t = Unlabelled()[:2]
    assert x.tolist() == [0, 1] and t is None


def test_transforms_see_single_examples_or_a_batch():
    seen = []

    class Both:
        def __call__(self, x):
            seen.append(np.shape(x))
            return x * 10

        def batch(self, xs):
            seen.append(np.shape(xs))
            return xs * 10

    def single(t):
        seen.append(np.shape(t))
        return t + 0.5

    points = Points(transform=Both(), target_transform=single)
    assert points[2][0].tolist() == [40, 50] and points[2][1] == 2.5
    del seen[:]
    x, t = points[1:4]
    assert x.tolist() == [[20, 30], [40, 50], [60, 70]] and t.tolist() == [1.5, 2.5, 3.5]
    assert seen == [(3, 2), (), (), ()]


def test_a_transform_may_be_exchanged_later():
    points = Points()
    points.transform = Compose([ToFloat(), Normalize(1, 2)])
    assert points[0][0].tolist() == [-0.5, 0] and points[:1][0].dtype == np.float32


def test_lists_of_examples_and_arrays_that_are_not_contiguous():
    class Listed(Dataset):
        def prepare(self):
            self.data = [np.zeros(2), np.ones(2), np.full(2, 2.0)]
            self.label = ["a", "b", "c"]

    x, t = Listed(transform=lambda x: x + 1)[[2, 0]]
    assert x.tolist() == [[3, 3], [1, 1]] and t.tolist() == ["c", "a"]
    columns = ArrayDataset(np.arange(12).reshape(3, 4).T)
    assert columns[[3, 1]][0].tolist() == [[3, 7, 11], [1, 5, 9]]


def test_arrays_in_a_file_are_not_read_as_a_whole(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(20.0).reshape(10, 2))
    mapped = ArrayDataset(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert mapped[[9, 0]][0].tolist() == [[18, 19], [0, 1]]


def test_labels_that_do_not_match_are_refused():
    class Short(Points):
        def prepare(self):
            super().prepare()
            self.label = self.label[:-1]

    with pytest.raises(ValueError, match=r"Short train=True: data \(6, 2\).*one label for each"):
        Short()


def test_a_dataset_without_data_says_so():
    for ask in (len, list, lambda d: d[0], lambda d: d[:2], lambda d: d.gather(np.arange(2))):
        with pytest.raises(TypeError, match="holds no data: fill self.data in prepare"):
            ask(Dataset())
    assert repr(Dataset()) == "<Dataset train=True: no arrays>"


def test_array_datasets_have_any_number_of_fields():
    one = ArrayDataset(np.arange(3))
    assert one[1] == (1,) and [f.tolist() for f in one[:2]] == [[0, 1]]
    three = ArrayDataset(np.arange(3), np.arange(3) * 2, np.arange(3) * 3, transform=lambda x: -x)
    assert three[2] == (-2, 4, 6) and [f.tolist() for f in three[1:]] == [[-1, -2], [2, 4], [3, 6]]
    with pytest.raises(ValueError, match="one label for each example, the lengths are 3, 3, 2"):
        ArrayDataset(np.arange(3), np.arange(3), np.arange(2))
    with pytest.raises(TypeError, match="holds no data"):
        len(ArrayDataset())


def test_stacking_says_what_does_not_fit():
    with pytest.raises(ValueError, match=r"shapes \[\(2,\), \(3,\)\].*collate"):
        stack_examples([np.zeros(2), np.zeros(3)])
    with pytest.raises(TypeError, match="dict.*collate"):
        stack_examples([{}, {}])
    assert stack_examples([None, None]) is None and stack_examples([]).shape == (0,)
    assert stack_examples([np.float32(1), np.float32(2)]).dtype == np.float32


# --- the book's numbers -------------------------------------------------------------------------


def test_the_spirals_are_those_of_the_book():
    """As step 48 describes them, point by point, with the generator seeded as there."""
    for train, seed in ((True, 1984), (False, 2020)):
        random = np.random.RandomState(seed)
        points = []
        for arm in range(3):
            for i in range(100):
                r = i / 100
                angle = arm * 4.0 + 4.0 * r + random.randn() * 0.2
                points.append((r * np.sin(angle), r * np.cos(angle), arm))
        points = np.array(points)[random.permutation(300)]
        x, t = get_spiral(train)
        assert x.dtype == np.float32 and t.dtype == np.int64
        assert np.array_equal(x, points[:, :2].astype(np.float32))
        assert np.array_equal(t, points[:, 2])
        spiral = Spiral(train)
        assert np.array_equal(spiral.data, x) and np.array_equal(spiral.label, t)


def test_the_global_generator_is_left_alone():
    np.random.seed(3)
    before = np.random.get_state()
    get_spiral(reseed=False), Spiral(reseed=False), Digits(), SinCurve(train=False)
    after = np.random.get_state()
    assert before[0] == after[0] and np.array_equal(before[1], after[1])
    assert before[2:] == after[2:]


@pytest.mark.parametrize("train, seed", [(True, 1984), (False, 2020)])
def test_the_spiral_seeds_the_global_generator_as_the_published_one_does(train, seed):
    np.random.seed(seed)
    np.random.randn(300), np.random.permutation(300)
    wanted = np.random.rand()
    for make in (get_spiral, Spiral):
        make(train)
        assert np.random.rand() == wanted
    assert np.array_equal(get_spiral(train)[0], get_spiral(train, reseed=False)[0])


def test_sin_curve():
    np.random.seed(0)
    noise = np.random.uniform(-0.05, 0.05, 1000)
    np.random.seed(0)
    curve = SinCurve()
    x = np.linspace(0, 2 * np.pi, 1000)
    assert np.allclose(curve.data[:, 0], (np.sin(x) + noise)[:-1], atol=1e-15)
    assert np.array_equal(curve.data[1:], curve.label[:-1])
    test = SinCurve(train=False)
    assert test.data.shape == test.label.shape == (999, 1) and test.data.dtype == np.float64
    assert np.allclose(test.label[:, 0], np.cos(x)[1:])


# --- the digits inside the package --------------------------------------------------------------


def test_the_digits_are_the_published_ones():
    path = ROOT / "dezero" / "data" / "digits.npz"
    assert path.stat().st_size < 100_000
    with np.load(path, allow_pickle=False) as arrays:
        data, label = arrays["data"], arrays["label"]
    assert data.shape == (1797, 1, 8, 8) and label.shape == (1797,)
    assert data.dtype == label.dtype == np.uint8 and data.max() == 16
    assert np.bincount(label).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data[0, 0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]  # the first line of the source
    found = hashlib.sha256(data.tobytes() + label.tobytes()).hexdigest()
    assert found == "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
    told = (path.parent / "README.md").read_text(encoding="utf-8")
    for fact in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0"):
        assert fact in told and fact in (Digits.__doc__ or "")


def test_what_is_no_transform_is_told_at_once():
    for options in (dict(transform=Compose), dict(target_transform=Normalize)):
        with pytest.raises(TypeError, match="a transform is a function .*, not the class"):
            Digits(**options)
    with pytest.raises(TypeError, match="a transform is a function of an example"):
        Spiral(transform="Flatten")


@pytest.mark.parametrize("part", ["test", "train", "", None, 2, 0.5, np.zeros(3), [True]], ids=str)
def test_train_is_true_or_false(part, tmp_path, monkeypatch):
    """A text counts as true, so 'test' would give the examples to train with."""
    monkeypatch.setenv("DEZERO_HOME", str(tmp_path))
    sets = [Dataset, Spiral, SinCurve, Digits, MNIST, FashionMNIST, CIFAR10, CIFAR100, Shakespeare]
    for take in [*sets, get_spiral, partial(load_cache_npz, "x")]:
        with pytest.raises(TypeError, match="train is True or False, not .*write train=False"):
            take(part)
    for yes, no in [(True, False), (1, 0), (np.True_, np.False_)]:
        assert len(Digits(yes)) == 1438 and len(Digits(no)) == 359


def test_digits_for_training_and_testing():
    train, test = Digits(), Digits(train=False)
    assert len(train) == 1438 and len(test) == 359
    x, t = train[0]
    assert x.shape == (64,) and x.dtype == np.float32 and t.dtype == np.int64
    x, t = test[:]
    assert x.shape == (359, 64) and x.dtype == np.float32 and 0 <= x.min() and x.max() == 1
    assert np.array_equal(x[7], test[7][0]) and t.dtype == np.int64
    assert Digits(transform=None)[0][0].dtype == np.uint8
    assert Digits.labels() == {i: str(i) for i in range(10)}
    seen = {image.tobytes() for image in train.data}
    assert not any(image.tobytes() in seen for image in test.data)


def test_mosaic():
    images = np.arange(6 * 1 * 2 * 2).reshape(6, 1, 2, 2) + 1
    sheet = make_grid(images, 2, 3)
    assert sheet.shape == (8, 12)
    assert sheet[1:3, 5:7].tolist() == [[5, 6], [7, 8]]  # the second image, in its frame
    assert sheet[5:7, 9:11].tolist() == [[21, 22], [23, 24]] and sheet.sum() == images.sum()
    assert make_grid(np.ones((2, 3, 32, 32)), 1, 2).shape == (36, 72, 3)


def test_show_draws_and_can_show_every_image(monkeypatch):
    """Before a Matplotlib that only takes notes: the chapter draws with the real one."""
    drawn, asked = [], []
    pyplot = SimpleNamespace(
        imshow=lambda image, **options: drawn.append(image), axis=lambda how: None, show=bool
    )
    monkeypatch.setitem(sys.modules, "matplotlib", SimpleNamespace(pyplot=pyplot))
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", pyplot)
    digits = Digits(train=False)
    digits.show(2, 3)
    assert drawn[0].shape == (20, 30) and drawn[0].any()
    last = np.array([358])
    monkeypatch.setattr(np.random, "randint", lambda *args: asked.append(args) or last)
    digits.show(1, 1)
    assert asked == [(0, 359, 1)]  # the upper end is exclusive: the last image has its chance
    assert np.array_equal(drawn[1][1:-1, 1:-1], digits.data[358, 0])


# --- the sets of the internet -------------------------------------------------------------------


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty cache."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("DEZERO_HOME", str(folder))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("DEZERO_SKIP_CHECKSUM", raising=False)
    return folder


@pytest.fixture
def server(home):
    """A server of the files in the dict `server.files`; `server.asked` are the paths asked for."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

        def do_GET(self):
            made.asked.append(self.path)
            content = made.files.get(self.path[1:])
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.files, made.asked = {}, []
    made.url = f"http://127.0.0.1:{made.server_address[1]}/"
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(head + array.tobytes())


def sha256(content):
    return hashlib.sha256(content).hexdigest()


IMAGES = np.arange(5 * 28 * 28).reshape(5, 28, 28).astype(np.uint8)
LABELS = np.array([3, 1, 4, 1, 5], np.uint8)


def serve_idx(server, monkeypatch, cls, images=IMAGES, labels=LABELS):
    for part, files in (("t10k", (images, labels)), ("train", (images[::-1], labels[::-1]))):
        server.files[f"{part}-images-idx3-ubyte.gz"] = idx(files[0])
        server.files[f"{part}-labels-idx1-ubyte.gz"] = idx(files[1])
    sums = {name: sha256(content) for name, content in server.files.items()}
    assert set(sums) == set(cls.checksums)
    monkeypatch.setattr(cls, "checksums", sums)
    monkeypatch.setattr(cls, "mirrors", (server.url + "gone/", server.url))


@pytest.mark.parametrize("cls", [MNIST, FashionMNIST])
def test_mnist_is_downloaded_once(server, monkeypatch, cls, home):
    serve_idx(server, monkeypatch, cls)
    test = cls(train=False)
    assert test.data.shape == (5, 1, 28, 28) and test.data.dtype == np.uint8
    assert np.array_equal(test.data[:, 0], IMAGES) and test.label.tolist() == [3, 1, 4, 1, 5]
    x, t = test[:]
    assert x.shape == (5, 784) and x.dtype == np.float32 and t.dtype == np.int64
    assert np.allclose(x, IMAGES.reshape(5, 784) / 255) and np.array_equal(x[2], test[2][0])
    asked = len(server.asked)
    assert asked == 4 and np.array_equal(cls(train=False).data, test.data)
    assert len(server.asked) == asked
    assert np.array_equal(cls().data[:, 0], IMAGES[::-1])
    assert len(list(home.iterdir())) == 4


def test_mnist_and_fashion_do_not_mix(server, monkeypatch):
    serve_idx(server, monkeypatch, MNIST)
    MNIST(train=False)
    serve_idx(server, monkeypatch, FashionMNIST, images=255 - IMAGES)
    assert np.array_equal(FashionMNIST(train=False).data[:, 0], 255 - IMAGES)
    assert np.array_equal(MNIST(train=False).data[:, 0], IMAGES)
    assert FashionMNIST.labels()[9] == "Ankle boot" and MNIST.labels()[9] == "9"


def test_a_wrong_file_is_refused(server, monkeypatch, home):
    serve_idx(server, monkeypatch, MNIST)
    server.files["t10k-images-idx3-ubyte.gz"] = idx(IMAGES + 1)
    with pytest.raises(DownloadError, match="SHA-256"):
        MNIST(train=False)


def test_ones_own_files(home, monkeypatch):
    (home / "t10k-images-idx3-ubyte.gz").write_bytes(idx(IMAGES[:, :9, :7]))
    (home / "t10k-labels-idx1-ubyte.gz").write_bytes(idx(LABELS))
    with pytest.raises(DownloadError, match="DEZERO_SKIP_CHECKSUM=1"):
        MNIST(train=False)
    monkeypatch.setenv("DEZERO_SKIP_CHECKSUM", "1")
    assert MNIST(train=False, transform=None)[3][0].shape == (1, 9, 7)
    (home / "t10k-labels-idx1-ubyte.gz").write_bytes(idx(LABELS[:-1]))
    with pytest.raises(ValueError, match="one label for each example"):
        MNIST(train=False)
    (home / "t10k-images-idx3-ubyte.gz").write_bytes(idx(IMAGES[0]))
    with pytest.raises(ValueError, match="has 2 axes instead of 3"):
        MNIST(train=False)


def archive(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def photos(seed, number):
    return np.random.default_rng(seed).integers(0, 256, (number, 3072), np.uint8)


def python2(content):
    """A pickle with the strings of Python 2, in which the published archives were made."""
    data = bytearray(pickle.dumps(content, protocol=3))
    for opcode, _, at in list(pickletools.genops(bytes(data))):
        data[at : at + 1] = {"C": b"U", "B": b"T"}.get(opcode.code, data[at : at + 1])
    data[1] = 2  # the protocol
    return bytes(data)


def serve_cifar(server, monkeypatch, cls, members):
    packed = archive({f"{cls.folder}/{name}": content for name, content in members.items()})
    server.files[cls.archive] = packed
    monkeypatch.setattr(cls, "sha256", sha256(packed))
    monkeypatch.setattr(cls, "mirrors", (server.url,))


def test_cifar10(server, monkeypatch, home):
    batches = {f"data_batch_{i}": (photos(i, 1 + i), [i] * (1 + i)) for i in range(1, 6)}
    batches["test_batch"] = (photos(9, 3), [7, 8, 9])
    members = {
        name: python2({b"data": data, b"labels": labels, b"batch_label": b"x"})
        for name, (data, labels) in batches.items()
    }
    serve_cifar(server, monkeypatch, CIFAR10, members)
    train = CIFAR10()
    wanted = np.concatenate([batches[f"data_batch_{i}"][0] for i in range(1, 6)])
    assert train.data.dtype == np.uint8 and train.data.shape == (20, 3, 32, 32)
    assert np.array_equal(train.data, wanted.reshape(-1, 3, 32, 32))
    assert train.label.tolist() == [k for i in range(1, 6) for k in [i] * (1 + i)]
    x, t = CIFAR10(train=False)[:]
    assert x.dtype == np.float32 and t.tolist() == [7, 8, 9] and t.dtype == np.int64
    assert np.allclose(x, batches["test_batch"][0].reshape(-1, 3, 32, 32) / 127.5 - 1, atol=1e-6)
    assert x.min() == -1 and x.max() == 1
    assert [p.name for p in home.iterdir()] == [CIFAR10.archive]  # nothing was unpacked
    assert CIFAR10.labels()[0] == "airplane" and len(CIFAR10.labels()) == 10


@pytest.mark.parametrize("missing", ["data", "labels"])
def test_a_cifar_file_that_lacks_a_part_is_named(server, monkeypatch, home, missing):
    content = {"data": photos(0, 2), "labels": [1, 2]}
    del content[missing]
    serve_cifar(server, monkeypatch, CIFAR10, {"test_batch": pickle.dumps(content)})
    with pytest.raises(ValueError, match=rf"py/test_batch in .*\.tar\.gz has no '{missing}'"):
        CIFAR10(train=False)


def test_cifar100_has_two_kinds_of_labels(server, monkeypatch):
    content = {"data": photos(0, 4), "fine_labels": [0, 47, 99, 1], "coarse_labels": [4, 17, 13, 1]}
    packed = python2(content)
    serve_cifar(server, monkeypatch, CIFAR100, {"train": packed, "test": packed})
    assert CIFAR100().label.tolist() == [0, 47, 99, 1]
    assert CIFAR100(label_type="coarse").label.tolist() == [4, 17, 13, 1]
    assert CIFAR100(train=False).data.shape == (4, 3, 32, 32)
    fine, coarse = CIFAR100.labels(), CIFAR100.labels("coarse")
    assert [fine[i] for i in (0, 47, 99)] == ["apple", "maple_tree", "worm"]
    assert [coarse[i] for i in (4, 17, 13)] == [
        "fruit_and_vegetables", "trees", "non-insect_invertebrates",
    ]  # fmt: skip
    assert len(fine) == 100 and len(coarse) == 20
    with pytest.raises(ValueError, match="'fine' or 'coarse', not 'both'"):
        CIFAR100(label_type="both")


def test_a_pickle_that_wants_to_run_something_does_not(server, monkeypatch, tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "pwned"),)

    packed = pickle.dumps({"data": Harm(), "labels": [0]}, protocol=2)
    serve_cifar(server, monkeypatch, CIFAR10, {"test_batch": packed})
    with pytest.raises(ValueError, match="mkdir"):
        CIFAR10(train=False)
    assert not (tmp_path / "pwned").exists()


def test_an_archive_without_the_files_says_so(server, monkeypatch):
    serve_cifar(server, monkeypatch, CIFAR10, {"other": b"x"})
    with pytest.raises(ValueError, match="does not contain .*test_batch"):
        CIFAR10(train=False)


TEXT = "the quick brown fox\njumps over the lazy dog\r\n"


def test_shakespeare(server, monkeypatch, home):
    server.files["input.txt"] = TEXT.encode()
    monkeypatch.setattr(Shakespeare, "urls", (server.url + "input.txt",))
    monkeypatch.setattr(Shakespeare, "sha256", sha256(TEXT.encode()))
    text = Shakespear()
    assert Shakespear is Shakespeare and (home / "shakespear.txt").exists()
    assert "".join(text.id_to_char[int(i)] for i in text.data) == TEXT[:-1]
    assert "".join(text.id_to_char[int(i)] for i in text.label) == TEXT[1:]
    assert [text.char_to_id[c] for c in "the quick"] == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert text[0] == (0, 1) and text.data.dtype == np.int64 and len(text) == len(TEXT) - 1


def test_names_of_imagenet_are_read_and_not_run(server, monkeypatch, home, tmp_path):
    name = "imagenet1000_clsidx_to_labels.txt"
    server.files[name] = b"{0: 'tench, Tinca tinca',\n 1: \"jack-o'-lantern\"}"
    monkeypatch.setattr(ImageNet, "url", server.url + name)
    assert ImageNet.labels() == {0: "tench, Tinca tinca", 1: "jack-o'-lantern"}
    harm = f"__import__('os').mkdir({str(tmp_path / 'pwned')!r})"
    for content in (harm, "[1, 2]", "((" * 500, ""):
        (home / name).write_text(content or " ", encoding="utf-8")
        with pytest.raises(ValueError, match="does not hold the names"):
            ImageNet.labels()
    assert not (tmp_path / "pwned").exists()
    (home / name).write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=f"{name} is damaged: 'utf-8' codec"):
        ImageNet.labels()
    (home / name).unlink()
    (home / name).mkdir()
    with pytest.raises(IsADirectoryError, match=f"this is a folder: .*{name}"):
        ImageNet.labels()
    with pytest.raises(NotImplementedError, match="ImageNet.labels"):
        ImageNet()


def test_published_checksums_are_sha256():
    found = [*MNIST.checksums.values(), *FashionMNIST.checksums.values()]
    found += [CIFAR10.sha256, CIFAR100.sha256, Shakespeare.sha256]
    assert len(set(found)) == 11 and all(len(s) == 64 and int(s, 16) for s in found)


def test_arrays_kept_for_the_next_time(home):
    data, label = np.arange(6).reshape(3, 2), np.arange(3)
    assert load_cache_npz("https://x.org/set.tar.gz", train=True) == (None, None)
    path = save_cache_npz(data, label, "https://x.org/set.tar.gz", train=True)
    assert Path(path) == home / "set.tar.gz.train.npz"
    kept = load_cache_npz("set.tar.gz", train=True)
    assert np.array_equal(kept[0], data) and np.array_equal(kept[1], label)
    assert load_cache_npz("set.tar.gz", train=False) == (None, None)
    with pytest.raises((TypeError, ValueError)):
        save_cache_npz(np.array([{}]), label, "pickled")


def test_published_names_and_signatures():
    published = """Dataset get_spiral Spiral MNIST CIFAR10 CIFAR100 ImageNet SinCurve Shakespear
        load_cache_npz save_cache_npz""".split()
    assert set(published) <= set(datasets.__all__)
    three = ["train", "transform", "target_transform"]
    assert list(inspect.signature(Spiral).parameters) == [*three, "reseed"]
    for cls in (Dataset, SinCurve, Digits, MNIST, FashionMNIST, CIFAR10):
        assert list(inspect.signature(cls).parameters) == three
    assert list(inspect.signature(CIFAR100).parameters) == [*three, "label_type"]
    assert list(inspect.signature(MNIST.show).parameters) == ["self", "row", "col"]
