"""Made by `make export` from the notebooks, for editors and type checkers."""
__all__ = ['DIGIT_VECTOR', 'MNIST_FILES', 'UNIT_VECTOR', 'FASHION_FILES', 'RAW', 'SYMMETRIC', 'FINE', 'COARSE', 'Shakespear', 'is_train', 'get_spiral', 'same', 'Dataset', 'Spiral', 'rows', 'stacked', 'ArrayDataset', 'SinCurve', 'ImageDataset', 'mosaic', 'Digits', 'MNIST', 'FashionMNIST', 'CIFAR10', 'CIFAR100', 'ImageNet', 'number_letters', 'Shakespeare', 'cache_file', 'save_cache_npz', 'load_cache_npz']
import operator
import os
from typing import TYPE_CHECKING, Any
import numpy as np
from .core import patch
from dezero.download import cached_path, get_file, name_in, read_idx, read_pickled_arrays, read_tar
from .files import load_arrays, save_arrays
from .transforms import Compose, Flatten, Normalize, usable
def is_train(train): ...
def get_spiral(train=True): ...
def same(x): ...
class Dataset:
    data: Any = ...
    label: Any = ...

    def __init__(self, train=True, transform=None, target_transform=None) -> None: ...

    def prepare(self): ...

    def __len__(self): ...

    def __iter__(self): ...

    def fields(self): ...

    def __getitem__(self, index): ...

    def gather(self, indices): ...

    def __repr__(self): ...
    train: Any
    transform: Any
    target_transform: Any
class Spiral(Dataset):

    def prepare(self) -> None: ...
    data: Any
    label: Any
def rows(values, transform, indices): ...
def stacked(values): ...
class ArrayDataset(Dataset):

    def __init__(self, *arrays, transform=None, target_transform=None) -> None: ...

    def prepare(self) -> None: ...

    def fields(self): ...
    arrays: Any
    data: Any
    label: Any
class SinCurve(Dataset):

    def prepare(self) -> None: ...
    data: Any
    label: Any
class ImageDataset(Dataset):

    def show(self, row=10, col=10) -> None: ...
def mosaic(images, row, col): ...
DIGIT_VECTOR: Any
class Digits(ImageDataset):

    def __init__(self, train=True, transform=..., target_transform=None) -> None: ...

    def prepare(self) -> None: ...

    @staticmethod
    def labels(): ...
    data: Any
    label: Any
MNIST_FILES: Any
UNIT_VECTOR: Any
class MNIST(ImageDataset):
    mirrors: Any
    checksums: Any
    prefix: str
    labels: Any

    def __init__(self, train=True, transform=..., target_transform=None) -> None: ...

    def prepare(self) -> None: ...

    def read(self, name, ndim): ...
    data: Any
    label: Any
FASHION_FILES: Any
RAW: str
class FashionMNIST(MNIST):
    mirrors: Any
    checksums: Any
    prefix: str

    @staticmethod
    def labels(): ...
SYMMETRIC: Any
class CIFAR10(ImageDataset):
    mirrors: Any
    archive: str
    sha256: str
    folder: str
    label_key: str

    def __init__(self, train=True, transform=..., target_transform=None) -> None: ...

    def parts(self): ...

    def prepare(self) -> None: ...

    def batch(self, path, name, content): ...

    @staticmethod
    def labels(): ...
    data: Any
    label: Any
FINE: Any
COARSE: Any
class CIFAR100(CIFAR10):
    archive: str
    sha256: str
    folder: str

    def __init__(self, train=True, transform=..., target_transform=None, label_type='fine') -> None: ...

    def parts(self): ...

    @staticmethod
    def labels(label_type='fine'): ...
    label_type: Any
    label_key: Any
class ImageNet(Dataset):
    url: str

    def prepare(self): ...

    @classmethod
    def labels(cls): ...
def number_letters(text): ...
class Shakespeare(Dataset):
    urls: Any
    sha256: str

    def prepare(self) -> None: ...
    char_to_id: Any
    id_to_char: Any
    data: Any
    label: Any
Shakespear = Shakespeare
def cache_file(filename, train): ...
def save_cache_npz(data, label, filename, train=False): ...
def load_cache_npz(filename, train=False): ...
