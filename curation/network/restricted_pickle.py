"""The tensors of a weights file, read without running what is in the file.

Enters: a file of torch.save (the zip archive of PyTorch >= 1.6 or the format before it), of jt.save (a pickle), .safetensors or .npz,
told apart by what is in it, not by its name. Leaves: name -> NumPy array.

A pickle is a program that may call anything it can name. Here it passes two gates. `_scan` reads its instructions without executing them
and checks every size against the file. `_Unpickler` then answers each name that the pickle asks for with a sealed object (sealed.py): no
class and no function of Python, NumPy, PyTorch or Jittor ever reaches the pickle, and a name that is not on the list is refused.
"""

from __future__ import annotations

import hashlib
import pickle
import pickletools
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from curation.network.sealed import (
    BFLOAT16,
    STAND_INS,
    STORAGES,
    Array,
    Fetch,
    StandIn,
    Storage,
    Tensor,
    WeightsError,
    damaged,
    refused,
)

__all__ = ["WeightsError", "read_tensors"]

TORCH_PROTOCOL = 1001  # of torch.save before 1.6, whose files open with a pickled magic number (torch/serialization.py)
LEGACY_START = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
JITTOR_END = b"HCAJSLHD"  # jt.save ends a pickle with its SHA-1 and these bytes
SAFETENSORS = {
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "BF16": BFLOAT16,
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
INFLATION = 16  # compression may save so much, and tensors that share a storage may repeat it so often; more is a bomb
CONTAINERS = ("state_dict", "model")  # keys under which training scripts put the weights of the one network of a file


def read_tensors(path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of a weights file by name, in its order.

    Arrays keep their shape and dtype (float16/32/64, int8/16/32/64, uint8, bool; bfloat16 becomes float32). They may be
    read-only, strided and share memory, as the tensors of the file do. A dict under "state_dict" or "model" is unwrapped,
    and "module." (of DataParallel) is taken off the names where all have it.

    Raises WeightsError when the file is missing, empty, damaged, cut short, of another kind, asks to run code, or promises
    more than it holds.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path} is not a file. Check the path of the weights.")
    size = path.stat().st_size
    try:
        with open(path, "rb") as file:
            content, fetch = _content(file, size)
            return {name: value.array(fetch) for name, value in _named(content, size).items()}
    except WeightsError as error:
        raise WeightsError(f"{path} {error}") from None
    except ImportError as error:
        raise WeightsError(f"{path} cannot be read without {error.name}. Run: pip install {error.name}") from error
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read: {error.strerror or error}. Check its rights and its disk."
        ) from error
    except Exception as error:  # bytes that somebody made up can make a reader raise anything
        raise WeightsError(f"{path} {damaged(f'{type(error).__name__}: {error}')}") from error


def _content(file: BinaryIO, size: int) -> tuple[object, Fetch]:
    start = file.read(len(LEGACY_START))
    file.seek(0)
    if not size:
        raise damaged("it is empty")
    if start.startswith(b"PK\3\4"):
        return _zip(file, size)
    if (
        start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size - 8
    ):  # first: the length may look like a pickle
        return _safetensors(file), _no_storage
    if start == LEGACY_START:
        return _legacy(file, size)
    if start[:1] == pickle.PROTO:
        return _jittor(file, size), _no_storage
    raise damaged("its start is not that of torch.save, jt.save, .safetensors or .npz")


def _named(content: object, size: int) -> dict[str, Tensor | Array]:
    """The named tensors, unwrapped and checked."""
    for key in CONTAINERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not content:
        raise refused(f"it holds {'nothing' if content == {} else f'a {type(content).__name__}'}, not named tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, (Tensor, Array)):
            raise refused(f"its entry {name!r:.60} is of type {type(value).__name__}, not a tensor with a name")
    if sum(value.nbytes for value in content.values()) > INFLATION * size:
        raise refused(f"it promises over {INFLATION} times more bytes than it has")
    if all(name.startswith("module.") for name in content):
        return {name.removeprefix("module."): value for name, value in content.items()}
    return content


# --- the kinds of files ---


def _jittor(file: BinaryIO, size: int) -> object:
    content, _ = _unpickle(file, size)
    end, rest = file.tell(), file.read(20 + len(JITTOR_END) + 1)
    if rest[20:] == JITTOR_END:
        file.seek(0)
        digest = hashlib.sha1()
        while block := file.read(min(1 << 20, end - file.tell())):
            digest.update(block)
        if digest.digest() != rest[:20]:
            raise damaged("its checksum is wrong")
    elif rest:
        raise damaged("unknown bytes follow its end")
    return content


def _legacy(file: BinaryIO, size: int) -> tuple[object, Fetch]:
    """Magic number, protocol, system, object, keys of the storages; then each storage: elements (int64) and raw data."""
    (_, _), (protocol, _), (system, _) = (_unpickle(file, size) for _ in range(3))
    if protocol != TORCH_PROTOCOL or not system["little_endian"]:
        raise refused(f"a PyTorch unknown here wrote it (protocol {protocol}, {system})")
    content, storages = _unpickle(file, size, persistent=True)
    keys, _ = _unpickle(file, size)
    data = {}
    for key in keys:
        dtype, elements = storages[key]
        written = int.from_bytes(file.read(8), "little")
        if written != elements or elements * dtype.itemsize > size - file.tell():
            raise damaged(f"storage {key} should have {elements} elements")
        data[key] = file.read(elements * dtype.itemsize)
    return content, data.__getitem__


def _zip(file: BinaryIO, size: int) -> tuple[object, Fetch]:
    archive = zipfile.ZipFile(file)
    promised = {member.filename: member.file_size for member in archive.infolist()}
    program = next((name for name in promised if name.split("/")[1:] == ["data.pkl"]), None)
    if sum(promised.values()) > size * (1 if program else INFLATION):  # torch.save does not compress, np.savez may
        raise refused("it promises more bytes than it has")
    if program is None:
        if not all(name.endswith(".npy") for name in promised):
            raise refused("it is a zip archive, but neither of torch.save nor an .npz")
        return {name.removesuffix(".npy"): _npy(archive.read(name), name) for name in promised}, _no_storage
    folder = program.removesuffix("data.pkl")
    if f"{folder}byteorder" in promised and archive.read(f"{folder}byteorder") != b"little":
        raise refused("a big-endian machine wrote it")
    content, storages = _unpickle(BytesIO(archive.read(program)), promised[program], persistent=True)
    data: dict[str, bytes] = {}

    def fetch(key: str) -> bytes:
        dtype, elements = storages[key]
        name = f"{folder}data/{key}"
        if promised.get(name, -1) < elements * dtype.itemsize:
            raise damaged(f"storage {key} should have {elements} elements")
        if key not in data:
            data[key] = archive.read(name)
        return data[key]

    return content, fetch


def _npy(raw: bytes, name: str) -> Array:
    file = BytesIO(raw)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, fortran, dtype = read_header[np.lib.format.read_magic(file)](file)
    if dtype.kind not in "fiub":
        raise refused(f"its entry {name} has the dtype {dtype}; weights files hold only numbers")
    return Array(shape, dtype, fortran, raw[file.tell() :])


def _safetensors(file: BinaryIO) -> dict[str, Array]:
    from safetensors import deserialize  # checks offsets and sizes against the file

    tensors = {}
    for name, entry in deserialize(file.read()):
        if entry["dtype"] not in SAFETENSORS:
            raise refused(f"{name} is of type {entry['dtype']}, which is none of {', '.join(SAFETENSORS)}")
        tensors[name] = Array(tuple(entry["shape"]), SAFETENSORS[entry["dtype"]], False, bytes(entry["data"]))
    return tensors


def _no_storage(key: str) -> bytes:
    raise damaged(f"it refers to a storage {key}, and files of its kind have none")


# --- the two gates ---


def _unpickle(file: BinaryIO, size: int, persistent: bool = False) -> tuple[Any, dict[str, tuple[np.dtype, int]]]:
    """The next pickle of the file, which is left at its end, and the storages it refers to: key -> (dtype, elements)."""
    start = file.tell()
    _scan(_Bounded(file, size))
    end = file.tell()
    file.seek(start)
    unpickler = _Unpickler(file, persistent)
    content = unpickler.load()
    file.seek(end)
    return content, unpickler.storages


class _Bounded:
    """A file that refuses to read past its end, before memory is set aside for that."""

    def __init__(self, file: BinaryIO, size: int):
        self.file, self.size, self.readline, self.tell = file, size, file.readline, file.tell

    def read(self, count: int) -> bytes:
        self.check(count)
        return self.file.read(count)

    def check(self, count: int) -> None:
        if count > self.size - self.tell():
            raise damaged("it promises more bytes than it has")


def _scan(file: _Bounded) -> None:
    """Read the instructions of a pickle up to its end without executing them; refuse those that no weights file needs."""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if opcode.name in ("PERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"):
            raise refused(f"its pickle uses {opcode.name}, which weights files do not")
        if opcode.name.endswith("PUT") and argument > count:  # the memo would grow to that many entries
            raise refused("its pickle remembers more objects than it makes")
        if opcode.name == "FRAME":
            file.check(argument)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, persistent: bool):
        super().__init__(file)
        self.persistent = persistent
        self.storages: dict[str, tuple[np.dtype, int]] = {}

    def find_class(self, module: str, name: str) -> StandIn:
        asked = f"{module}.{name}"
        if asked not in STAND_INS:
            raise refused(f"it asks to run {asked}; weights files hold only arrays")
        return StandIn(asked, STAND_INS[asked])

    def persistent_load(self, pid: Any) -> Storage:
        """('storage', type, key, device, elements); the older format adds a view: None or (key, first element, elements)."""
        if not self.persistent or not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage":
            raise refused("it refers to something other than a storage")
        _, kind, key, _, elements, *view = pid
        dtype = STORAGES.get(kind.name.removeprefix("torch.")) if isinstance(kind, StandIn) else None
        if dtype is None or not isinstance(elements, int) or elements < 0:
            raise damaged("a storage without type or length")
        if self.storages.setdefault(str(key), (dtype, elements)) != (dtype, elements):
            raise damaged(f"two types or lengths for storage {key}")
        return Storage(str(key), dtype, view[0][1] if view and view[0] is not None else 0)
