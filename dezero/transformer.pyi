"""Made by `make export` from the notebooks, for editors and type checkers."""
from typing import Any
import numpy as np
from dezero.attention import MultiHeadAttention
from .core import Variable
from .layers.base import Layer
from .models.base import Model
__all__ = ['SelfAttention', 'TransformerBlock', 'GPT']
class SelfAttention(MultiHeadAttention):
    widths: Any

    def heads(self, query, key=None, value=None, start: int=0): ...

    def _init_qkv(self, x) -> None: ...
class TransformerBlock(Layer):

    def __init__(self, embed_dim: int, num_heads: int, hidden_size: int | None=None, dropout_ratio: float=0.0, rotary: bool=False, dtype: Any=...) -> None: ...

    def forward(self, x, cache: Any=None) -> Variable: ...

    def attend(self, x, cache=None): ...
    attention: Any
    norm1: Any
    norm2: Any
    wide: Any
    narrow: Any
    dropout_ratio: Any
def _thinned(x, ratio): ...
class GPT(Model):

    def __init__(self, vocab_size: int, embed_dim: int=64, num_heads: int=4, num_blocks: int=2, max_length: int=256, dropout_ratio: float=0.0, positions: str='learned', dtype: Any=...) -> None: ...

    def forward(self, ids, caches: Any=None) -> Variable: ...

    def embed_tokens(self, ids, start=0): ...

    def generate(self, ids, length: int, temperature: float=1.0, top_k: int | None=None, use_cache: bool=True) -> np.ndarray: ...
    max_length: Any
    positions: str
    dropout_ratio: float
    embed: Any
    places: Any
    blocks: Any
    norm: Any
    out: Any
SMALL: float
def _small_embedding(in_size, out_size, dtype): ...
def _check_ids(ids, start, max_length): ...
def choose(scores, temperature, top_k=None): ...
class KeyValueCache:

    def __init__(self, places) -> None: ...

    def extend(self, *new): ...

    def room(self, a): ...
    places: Any
    length: Any
    tables: Any
def _check_generate(model, ids, length, temperature, top_k): ...
