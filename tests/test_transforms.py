"""Transforms: one image and a batch give the same, Pillow's images and arrays too."""

import copy
import gc
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dezero import transforms as T
from dezero.transforms import (
    AsType,
    CenterCrop,
    Compose,
    Convert,
    Flatten,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    Resize,
    ToArray,
    ToFloat,
    ToInt,
    ToPIL,
)

RNG = np.random.default_rng(0)
BATCH = RNG.integers(0, 256, (5, 3, 8, 12), np.uint8)
PHOTO = Image.fromarray(BATCH[0].transpose(1, 2, 0).copy())


def same(a, b):
    """Equal elements, shapes and types; lists of pictures element by element."""
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, Image.Image):
        return a.mode == b.mode and np.array_equal(np.asarray(a), np.asarray(b))
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)


# --- one and many -------------------------------------------------------------------------------

ON_ARRAYS = {
    "Flatten": Flatten,
    "AsType": AsType,
    "ToInt": ToInt,
    "Normalize": lambda: Normalize(3, 7),
    "Normalize channels": lambda: Normalize([1, 2, 3], [4, 5, 6]),
    "Normalize pixels": lambda: Normalize(np.arange(96).reshape(8, 12), 2),
    "Resize": lambda: Resize((5, 3)),
    "Resize larger": lambda: Resize(20, "bicubic"),
    "CenterCrop": lambda: CenterCrop((5, 4)),
    "flip": lambda: RandomHorizontalFlip(seed=3),
    "always flip": lambda: RandomHorizontalFlip(1),
    "never flip": lambda: RandomHorizontalFlip(p=0, seed=1),
    "crop": lambda: RandomCrop((5, 4), seed=0),
    "padded crop": lambda: RandomCrop((12, 8), padding=3, seed=1),
    "ToPIL": ToPIL,
    "ToArray": ToArray,
    "Compose": lambda: Compose([RandomCrop(6, seed=0), ToFloat(), Normalize(0, 255), Flatten()]),
    "empty": Compose,
}


@pytest.mark.parametrize("make", ON_ARRAYS.values(), ids=ON_ARRAYS)
@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
def test_a_batch_is_what_the_single_calls_give(make, dtype):
    batch, kept = BATCH.astype(dtype), BATCH.astype(dtype)
    one, many = make(), make()
    singles, at_once = [one(x) for x in batch], many.batch(batch)
    assert same(list(at_once), singles)
    assert np.array_equal(batch, kept), "the examples themselves must not change"
    if isinstance(at_once, np.ndarray):
        assert at_once.shape == (5, *singles[0].shape)
        assert len(make().batch(batch[:0])) == 0 and same(make().batch(batch[:1])[0], singles[0])


ON_PICTURES = {
    "Convert": lambda: Convert("L"),
    "BGR": lambda: Convert("BGR"),
    "Resize": lambda: Resize(7),
    "CenterCrop": lambda: CenterCrop((5, 4)),
    "flip": lambda: RandomHorizontalFlip(seed=3),
    "crop": lambda: RandomCrop((5, 4), padding=2, seed=0),
    "ToArray": ToArray,
}


@pytest.mark.parametrize("make", ON_PICTURES.values(), ids=ON_PICTURES)
def test_a_list_of_pictures_is_a_batch(make):
    pictures = ToPIL().batch(BATCH)
    one, many = make(), make()
    at_once = many.batch(pictures)
    assert same([one(p) for p in pictures], list(at_once))


@pytest.mark.parametrize(
    "make", [ON_PICTURES[n] for n in ("CenterCrop", "flip", "crop", "Resize")], ids=lambda m: "x"
)
def test_a_picture_and_an_array_are_treated_alike(make):
    of_pictures = ToArray(np.uint8).batch(make().batch(ToPIL().batch(BATCH)))
    assert same(of_pictures, make().batch(BATCH))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 3), st.integers(0, 99), st.data())
def test_every_random_crop_lies_in_the_framed_image(width, height, padding, seed, data):
    w = data.draw(st.integers(1, width + 2 * padding))
    h = data.draw(st.integers(1, height + 2 * padding))
    image = np.arange(1, 1 + height * width).reshape(height, width)
    framed = np.pad(image, padding)
    step = RandomCrop((w, h), padding, seed)
    for crop in step.batch(np.stack([image] * 4)):
        assert crop.shape == (h, w)
        assert any(
            np.array_equal(crop, framed[i : i + h, j : j + w])
            for i in range(framed.shape[0] - h + 1)
            for j in range(framed.shape[1] - w + 1)
        )


def test_random_crops_reach_every_place_evenly():
    image = np.arange(16).reshape(4, 4)
    corners = RandomCrop(2, seed=0).batch(np.stack([image] * 9000))[:, 0, 0]
    places, counts = np.unique(corners, return_counts=True)
    assert places.tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    assert abs(counts - 1000).max() < 150


def test_about_as_many_are_flipped_as_asked_for():
    images = np.stack([np.arange(3)[None]] * 10_000)
    for p in (0.0, 0.2, 0.5, 1.0):
        share = (RandomHorizontalFlip(p, seed=1).batch(images)[:, 0, 0] == 2).mean()
        assert abs(share - p) < 0.02


def test_where_random_numbers_come_from():
    batch = np.stack([BATCH[0]] * 50)
    for make in (RandomHorizontalFlip, lambda seed=None: RandomCrop(4, seed=seed)):
        assert same(make(seed=5).batch(batch), make(seed=5).batch(batch))
        assert not same(make(seed=5).batch(batch), make(seed=6).batch(batch))
        state = np.random.get_state()  # noqa: NPY002
        try:
            np.random.seed(7)  # noqa: NPY002
            first = make().batch(batch)
            np.random.seed(7)  # noqa: NPY002
            assert same(first, make().batch(batch))
            before = np.random.get_state()[1].tolist()  # noqa: NPY002
            make(seed=5).batch(batch)
            assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
        finally:
            np.random.set_state(state)  # noqa: NPY002


@pytest.mark.parametrize("make", ON_ARRAYS.values(), ids=ON_ARRAYS)
def test_copies_and_pickles_go_on_alike(make):
    step = make()
    for twin in (copy.deepcopy(step), pickle.loads(pickle.dumps(step))):
        assert repr(twin) == repr(step) and "0x" not in repr(step)
        assert same(list(twin.batch(BATCH)), list(copy.deepcopy(step).batch(BATCH)))


# --- chains -------------------------------------------------------------------------------------


def test_a_chain_has_a_batch_if_all_its_parts_do():
    assert hasattr(Compose([Flatten(), ToFloat()]), "batch")
    assert hasattr(Compose([Compose([Flatten()])]), "batch")
    for part in (abs, lambda x: x, Compose([abs])):
        chain = Compose([Flatten(), part])
        assert not hasattr(chain, "batch") and chain(BATCH[0]).shape == (288,)
    assert Compose()("anything") == "anything" and Compose([])(1) == 1
    steps = [Flatten()]
    chain = Compose(steps)
    steps.append(abs)
    assert hasattr(chain, "batch"), "a chain has a list of its own"


@pytest.mark.parametrize(
    "wrong, message",
    [(Flatten, r"or an object such as Flatten\(\), not the class Flatten"),
     (None, "a transform is a function of an example, .*, not <class 'NoneType'>"),
     ("ToFloat", "a transform is a function of an example, .*, not <class 'str'>")],
)
def test_what_is_no_transform_is_told_at_once(wrong, message):
    with pytest.raises(TypeError, match=message):
        Compose([ToFloat(), wrong])
    assert Compose([np.float32, abs])(-2) == 2


def test_a_new_call_takes_away_the_inherited_batch():
    class Inverted(ToFloat):
        def __call__(self, array):
            return 255 - super().__call__(array)

    class Louder(Inverted):
        pass

    class Whole(Inverted):
        batch = Inverted.__call__

    class Renamed(ToFloat):
        pass

    for cls in (Inverted, Louder):
        assert not hasattr(cls(), "batch")
        with pytest.raises(AttributeError, match=f"{cls.__name__} has no batch"):
            cls().batch(BATCH)
    assert same(Whole().batch(BATCH), 255 - BATCH.astype(np.float32))
    assert same(Renamed().batch(BATCH), BATCH.astype(np.float32))


def test_repr():
    chain = Compose([Flatten(), ToFloat(), Normalize(0.0, 255.0), RandomCrop(3, seed=1)])
    assert repr(chain) == (
        "Compose(transforms=[Flatten(), AsType(dtype=dtype('float32')), "
        "Normalize(mean=0.0, std=255.0), RandomCrop(size=(3, 3), padding=0)])"
    )


# --- arrays -------------------------------------------------------------------------------------


def test_types():
    assert ToFloat is AsType
    assert ToFloat()(BATCH).dtype == np.float32 and AsType("f8")(BATCH).dtype == np.float64
    assert ToInt()(np.array([1.9, -1.9])).tolist() == [1, -1] and ToInt()(BATCH).dtype == int
    assert ToInt(np.int32)(3).dtype == np.int32  # a label is a number
    assert ToFloat()([1, 2]).tolist() == [1.0, 2.0]
    floats = BATCH.astype("f4")
    assert ToFloat()(floats) is floats, "nothing to convert, nothing to copy"


def test_flatten():
    assert Flatten()(BATCH[0]).shape == (288,) and Flatten()(np.array(5)).shape == (1,)
    assert Flatten().batch(BATCH).shape == (5, 288)
    assert Flatten().batch(BATCH[:0]).shape == (0, 288) and Flatten().batch(np.ones(3)).shape == (
        3,
        1,
    )


@pytest.mark.parametrize("dtype", ["?", "u1", "i4", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize(
    "mean, std", [(0, 255), (0.0, 255.0), (3, 2), ([1, 2, 3], 2), (0, [1, 2, 3])]
)
def test_normalize(dtype, mean, std):
    x = (BATCH[0] % 50).astype(dtype)
    y = Normalize(mean, std)(x)
    assert y.dtype == (dtype if dtype[0] == "f" else np.float32)
    column = lambda v: np.reshape(v, (-1, 1, 1)) if np.ndim(v) else v  # noqa: E731
    want = (x.astype(float) - column(mean)) / column(std)
    assert y.shape == x.shape and np.allclose(y, want, rtol=2e-3 if dtype == "f2" else 1e-6)


def test_normalize_elsewhere():
    assert np.allclose(Normalize([1, 2], [2, 4])(np.array([3.0, 10.0])), [1, 2])
    assert Normalize(1, 2)(np.float32(5)) == 2 and Normalize(1, 2)(5) == 2
    x = RNG.random(4).astype("f4")
    assert np.array_equal(Normalize()(x), x)
    for std in (0, [1, 0, 2]):
        with pytest.raises(ValueError, match="std must not be 0"):
            Normalize(0, std)
    with pytest.raises(ValueError, match="do not fit"):
        Normalize([1, 2], 1)(BATCH[0])  # two means for three channels


def test_the_channels_are_counted():
    grey = np.zeros((2, 1, 4, 4), np.uint8)
    for call in (lambda: Normalize([1, 2, 3])(grey[0]), lambda: Normalize(0, [1, 2]).batch(grey)):
        with pytest.raises(ValueError, match="numbers for the channels do not fit"):
            call()
    assert Normalize([1], [2])(np.zeros((3, 4, 4))).shape == (3, 4, 4)


def test_what_is_no_image_is_told():
    for step in (Resize(4), CenterCrop(2), RandomCrop(2)):
        with pytest.raises(ValueError, match="height and width"):
            step(np.zeros(16, np.uint8))
    with pytest.raises(ValueError, match="'cubic'.*bicubic"):
        Resize(4, "cubic")(BATCH[0].astype(np.uint8))
    for size in (4.5, "a", (3, 4.5)):
        with pytest.raises(TypeError):
            Resize(size)
    with pytest.raises(ValueError, match="padding"):
        RandomCrop(2, padding=-1)


def test_float32_gives_the_published_numbers():
    chain = Compose([Flatten(), ToFloat(), Normalize(0.0, 255.0)])
    assert np.array_equal(
        chain(BATCH[0]), BATCH[0].reshape(-1).astype(np.float32) / np.float32(255)
    )


# --- pictures -----------------------------------------------------------------------------------

MODES = {"1": 1, "L": 1, "P": 3, "I": 1, "F": 1, "I;16": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}


@pytest.mark.parametrize("mode", MODES)
def test_pictures_of_every_mode_become_arrays(mode):
    picture = PHOTO.convert("I").convert(mode) if mode == "I;16" else PHOTO.convert(mode)
    assert picture.mode == mode
    x = ToArray()(picture)
    assert x.shape == (MODES[mode], 8, 12) and x.dtype == np.float32 and x.flags.c_contiguous
    if mode not in ("1", "P"):
        pixel = picture.getpixel((5, 2))
        assert x[:, 2, 5].tolist() == list(pixel if isinstance(pixel, tuple) else [pixel])
    if mode == "1":
        assert set(np.unique(x)) == {0.0, 255.0}
    if mode == "P":
        assert same(x, ToArray()(picture.convert("RGB")))
    assert ToArray(np.uint8)(PHOTO).dtype == np.uint8


def test_there_and_back():
    for mode in ("L", "LA", "RGB", "RGBA"):
        picture = PHOTO.convert(mode)
        for dtype in ("u1", "f4", "f8", "i8"):
            assert same(ToPIL()(ToArray(dtype)(picture)), picture)
        assert same(ToPIL(1)(ToArray()(picture) / 255), picture)
    assert ToPIL()(BATCH[0, 0]).mode == "L" and ToPIL()(BATCH[0, :1]).mode == "L"


def test_bytes_are_rounded_and_cut_off():
    x = np.array([[-5.0, 0.4, 0.6, 254.5, 254.6, 300.0, np.inf, -np.inf]])
    assert np.asarray(ToPIL()(x)).tolist() == [[0, 0, 1, 254, 255, 255, 255, 0]]
    assert np.asarray(ToPIL(1)(x / 255)).tolist() == [[0, 0, 1, 254, 255, 255, 255, 0]]
    assert np.asarray(ToPIL(1)(np.array([[True, False]]))).tolist() == [[255, 0]]
    assert np.asarray(ToPIL(15)(np.array([[15, 3]], np.uint8))).tolist() == [[255, 51]]
    with pytest.raises(ValueError, match="nan"):
        ToPIL()(np.array([[np.nan]]))


@pytest.mark.parametrize("shape", [(), (3,), (5, 8, 8), (0, 8, 8), (2, 3, 8, 8)])
def test_what_is_no_picture(shape):
    with pytest.raises(ValueError, match="channels, height, width"):
        ToPIL()(np.zeros(shape))


def test_convert():
    assert Convert()(PHOTO.convert("L")).mode == "RGB" and Convert("L")(PHOTO).mode == "L"
    blue_first = ToArray()(Convert("BGR")(PHOTO.convert("RGBA")))
    assert same(blue_first, ToArray()(PHOTO)[::-1].copy())


def test_a_step_that_is_missing_is_named():
    for step in (Flatten(), ToFloat(), Normalize(), ToPIL()):
        with pytest.raises(TypeError, match=rf"{type(step).__name__} .* put ToArray\(\) before it"):
            step(PHOTO)
    for step in (Convert(), ToArray()):
        with pytest.raises(TypeError, match=rf"{type(step).__name__} .* put ToPIL\(\) before it"):
            step([1, 2])


# --- sizes --------------------------------------------------------------------------------------


def test_sizes():
    for size in (4, np.int64(4), (4, 4), [4, 4], np.array([4, 4])):
        for step in (Resize(size), CenterCrop(size), RandomCrop(size)):
            assert step(PHOTO).size == (4, 4) and step(BATCH).shape == (5, 3, 4, 4)
    for step in (Resize((6, 4)), CenterCrop((6, 4)), RandomCrop((6, 4))):
        assert step(PHOTO).size == (6, 4), "width first"
        assert step(BATCH[0]).shape == (3, 4, 6) and step(BATCH[0, 0]).shape == (4, 6)
    for wrong in (0, -1, (4,), (4, 0), (1, 2, 3)):
        for cls in (Resize, CenterCrop, RandomCrop):
            with pytest.raises(ValueError, match="a size is a number or a pair"):
                cls(wrong)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (12, 8), (11, 7), (12, 1)])
def test_center_crop(size):
    w, h = size
    left, top = (12 - w) // 2, (8 - h) // 2
    assert same(CenterCrop(size)(BATCH), BATCH[:, :, top : top + h, left : left + w])


@pytest.mark.parametrize("size", [(13, 8), (12, 9), 100])
def test_a_crop_must_fit(size):
    for step in (CenterCrop(size), RandomCrop(size)):
        for images in (PHOTO, BATCH[0], BATCH):
            with pytest.raises(ValueError, match="does not fit into an image of 12 x 8"):
                step(images)
    assert RandomCrop(16, padding=4)(PHOTO).size == (16, 16)


@pytest.mark.parametrize(
    "mode", ["nearest", "bilinear", "bicubic", "lanczos", Image.Resampling.BOX]
)
def test_resize_is_pillows(mode):
    step = Resize((7, 5), mode)
    number = Image.Resampling[mode.upper()] if isinstance(mode, str) else mode
    want = PHOTO.resize((7, 5), number)
    assert same(step(PHOTO), want) and same(step(BATCH[0]), ToArray(np.uint8)(want))
    floats = step(BATCH[0].astype(float))
    assert floats.dtype == np.float64 and abs(floats.clip(0, 255) - ToArray()(want)).max() <= 1


def test_resize_refuses_what_it_would_round():
    with pytest.raises(TypeError, match="uint8 or floats, not int64"):
        Resize(3)(BATCH.astype(np.int64))


def test_a_probability():
    for p in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="p is a probability"):
            RandomHorizontalFlip(p)


# --- Pillow, and speed --------------------------------------------------------------------------


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_arrays_need_no_pillow():
    code = """
import sys
sys.modules['PIL'] = None
import numpy as np
from dezero.transforms import *
x = np.ones((2, 3, 8, 8), np.uint8)
chain = Compose([ToArray(), CenterCrop(6), RandomCrop(4), RandomHorizontalFlip(), ToFloat(),
                 Normalize(0, 255), Flatten()])
assert chain.batch(x).shape == (2, 48) and chain(x[0]).shape == (48,)
for step in (ToPIL(), Resize(4)):
    try: step(x[0])
    except ImportError as error: print(error)
"""
    assert python(code) == "\n".join(
        ['this transform needs Pillow: pip install "dezero[image]"'] * 2
    )


def test_importing_transforms_does_not_import_pillow():
    code = "import sys, dezero.transforms; print('PIL' in sys.modules)"
    assert python(code) == "False"


def calls(function):
    """How many calls of Python and C functions it takes: that is what a batch saves."""
    events = []
    gc.disable()  # Hypothesis has functions called when garbage is collected
    sys.setprofile(lambda frame, event, arg: events.append(event))
    try:
        function()
    finally:
        sys.setprofile(None)
        gc.enable()
    return len(events)


def test_a_batch_takes_no_more_calls_than_an_image():
    steps = [RandomCrop(28, padding=2), RandomHorizontalFlip(), CenterCrop(24)]
    chain = Compose([*steps, Flatten(), ToFloat(), Normalize(0.0, 255.0)])
    few, many = (RNG.integers(0, 256, (n, 1, 28, 28), np.uint8) for n in (2, 500))
    assert calls(lambda: chain.batch(few)) == calls(lambda: chain.batch(many)) < 500


def test_names():
    published = "Compose Convert Resize CenterCrop ToArray ToPIL RandomHorizontalFlip Normalize"
    for name in f"{published} Flatten AsType ToFloat ToInt".split():
        assert callable(getattr(T, name)) and name in T.__all__
