"""Sealed objects: all that the pickle of a weights file gets to see, instead of classes and functions.

Enters: what the pickle passes to the names it asks for. Leaves: Tensors and Arrays, which become NumPy arrays once the data are at hand.
`STAND_INS` lists every name that is answered, and with what. A pickle cannot change these objects, and each checks what it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

BFLOAT16 = np.dtype("V2")  # NumPy has none: two raw bytes until they become float32
STORAGES = {
    "HalfStorage": np.dtype("<f2"),
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "BFloat16Storage": BFLOAT16,
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
NUMPY_CODES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1")

Fetch = Callable[[str], Any]  # key of a storage -> its bytes


class WeightsError(ValueError):
    """A weights file cannot be used; the message names the file and says why and the way out."""


def refused(why: str) -> WeightsError:
    """What the file does that no weights file needs; `read_tensors` puts its name in front."""
    return WeightsError(f"is refused: {why}. Ask for the weights as .safetensors, or save the state dict alone again.")


def damaged(why: str) -> WeightsError:
    """What is wrong with the file; `read_tensors` puts its name in front."""
    return WeightsError(f"is damaged or cut short: {why}. Fetch or copy it again.")


class Sealed:
    """Base of all that a pickle may hold: no attribute of it can be set by the pickle."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise refused("it sets the state of something other than an array")


class StandIn(Sealed):
    """What a pickle gets for a name it asks for; calling it runs the action of that name here."""

    __slots__ = ("action", "name")

    def __init__(self, name: str, action: Callable[..., object]):
        self.name, self.action = name, action

    def __call__(self, *arguments: object) -> object:
        return self.action(*arguments)


class Dict(dict):
    """An OrderedDict without the attributes that PyTorch hangs on it (the versions of its modules)."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        """Drop them."""


class Storage(Sealed):
    """A name for raw elements elsewhere in the file; a view of them starts at element `first`."""

    __slots__ = ("dtype", "first", "key")

    def __init__(self, key: str, dtype: np.dtype, first: int = 0):
        self.key, self.dtype, self.first = key, dtype, first


class Tensor(Sealed):
    """A PyTorch tensor: a view of a storage. Offset and strides count elements."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(self, storage: object, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object):
        if not isinstance(storage, Storage):
            raise damaged("a tensor without a storage")
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    @property
    def nbytes(self) -> int:
        return _elements(self.shape) * self.storage.dtype.itemsize

    def array(self, fetch: Fetch) -> np.ndarray:
        """The tensor as a view of its storage. ValueError where it reaches past the end of it."""
        dtype = self.storage.dtype
        data, start = fetch(self.storage.key), self.storage.first + self.offset
        if not self.nbytes:
            return _as_numbers(np.empty(self.shape, dtype))
        strides = [stride * dtype.itemsize for stride in self.strides]
        return _as_numbers(np.ndarray(self.shape, dtype, data, start * dtype.itemsize, strides))


class Array(Sealed):
    """A NumPy array: shape, dtype and bytes. A pickle makes it empty and fills it once by `__setstate__`."""

    __slots__ = ("dtype", "fortran", "raw", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, fortran: bool, raw: bytes):
        self.shape, self.dtype, self.fortran, self.raw = shape, dtype, fortran, raw

    def __setstate__(self, state: Any) -> None:
        _, self.shape, dtype, self.fortran, self.raw = state
        self.dtype = _numpy_dtype(dtype)

    @property
    def nbytes(self) -> int:
        return _elements(self.shape) * self.dtype.itemsize

    def array(self, fetch: Fetch) -> np.ndarray:
        """The array over its own bytes; `fetch` is there to be called like a Tensor's."""
        if not isinstance(self.raw, (bytes, bytearray)) or len(self.raw) != self.nbytes:
            raise damaged(f"an array of shape {self.shape} without its data")
        return _as_numbers(np.frombuffer(self.raw, self.dtype).reshape(self.shape, order="F" if self.fortran else "C"))


class Dtype(Sealed):
    """A NumPy dtype on its way into an Array: its code, and the byte order set after it."""

    __slots__ = ("code", "order")

    def __init__(self, code: str, *_: object):
        self.code, self.order = code, "|"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


def _elements(shape: object) -> int:
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise damaged(f"a tensor of shape {shape!r:.60}")
    return math.prod(shape)


def _as_numbers(array: np.ndarray) -> np.ndarray:
    """bfloat16 to float32 (it is its upper half); all else as it is."""
    if array.dtype != BFLOAT16:
        return array
    upper = np.ascontiguousarray(array).view("<u2").reshape(array.shape).astype("<u4")
    return (upper << np.uint32(16)).view("<f4")


def _numpy_dtype(dtype: object) -> np.dtype:
    if not isinstance(dtype, Dtype) or dtype.code not in NUMPY_CODES or dtype.order not in ("<", ">", "|", "="):
        raise refused(f"its arrays are of {getattr(dtype, 'code', dtype)!r}; weights files hold only numbers")
    return np.dtype(dtype.order + dtype.code)


def _numpy_reconstruct(kind: object, shape: object, code: object) -> Array:
    if getattr(kind, "name", None) != "numpy.ndarray":
        raise refused("it makes an array of another class than numpy.ndarray")
    return Array((0,), np.dtype("u1"), False, b"")


def _numpy_frombuffer(raw: bytes, dtype: object, shape: tuple[int, ...], order: str) -> Array:
    return Array(shape, _numpy_dtype(dtype), order == "F", raw)


def _numpy_scalar(dtype: object, raw: bytes) -> Array:
    return Array((), _numpy_dtype(dtype), False, raw)


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise refused(f"it asks for the encoding {encoding!r}")
    return text.encode("latin1")


def _empty_bytes() -> bytes:
    return b""


def _tensor_itself(value: object, *_: object) -> Tensor | Array:
    if not isinstance(value, (Tensor, Array)):
        raise damaged("a parameter without a tensor")
    return value


def _only_a_name(*_: object) -> object:
    raise refused("it calls what is only a name in weights files")


STAND_INS: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": Dict,
    "torch._utils._rebuild_tensor": Tensor,
    "torch._utils._rebuild_tensor_v2": Tensor,
    "torch._utils._rebuild_parameter": _tensor_itself,
    **{f"torch.{name}": _only_a_name for name in STORAGES},
    "jittor.Var": _tensor_itself,
    "jittor.jittor_core.Var": _tensor_itself,  # the name that Var gives itself
    "numpy.ndarray": _only_a_name,
    "numpy.dtype": Dtype,
    "_codecs.encode": _encode,  # bytes, in protocols before 3
    "__builtin__.bytes": _empty_bytes,
    "builtins.bytes": _empty_bytes,
}
for _core in ("numpy.core", "numpy._core"):  # before and since NumPy 2
    STAND_INS[f"{_core}.multiarray._reconstruct"] = _numpy_reconstruct
    STAND_INS[f"{_core}.multiarray.scalar"] = _numpy_scalar
    STAND_INS[f"{_core}.numeric._frombuffer"] = _numpy_frombuffer
