"""Weights files: what torch.save, jt.save, safetensors and NumPy write is read exactly; nothing else is, and nothing in a file is run."""

import hashlib
import io
import json
import os
import pickle
import random
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from curation.network.restricted_pickle import LEGACY_START, WeightsError, read_tensors

FILES = Path(__file__).parent / "files"
W = np.arange(12, dtype=np.float32).reshape(4, 3) / 4
# What PyTorch 2.15 was given for files/torch_zip.pth and files/torch_legacy.pth (torch.save with and without
# _use_new_zipfile_serialization), with views, shared storages, a Parameter and all dtypes.
IN_TORCH_FILES = {
    "w": W,
    "transposed": W.T,
    "part": W[1:3, 1:],
    "whole": np.array(7),
    "empty": np.zeros((0, 3), np.float32),
    "repeated": np.repeat(np.arange(3, dtype=np.float32)[:, None], 4, axis=1),
    "parameter": -W,
    **{d: np.arange(5, dtype=d) for d in ("float16", "float64")},
    "bfloat16": np.arange(5, dtype=np.float32),
    **{d: np.arange(5, dtype=d) for d in ("int64", "int32", "int16", "int8", "uint8")},
    "bool": np.array([True, False, True]),
    "columns": W.T,  # bfloat16
}


class Name:
    """A name that a pickle asks for."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """A call of a name, and a state set on what it returns."""

    def __init__(self, name, *arguments, state=None):
        self.name, self.arguments, self.state = name, arguments, state


class Kept:
    """A persistent id."""

    def __init__(self, *pid):
        self.pid = pid


class Writer(pickle._Pickler):
    """Pickles names, calls and persistent ids of modules that are not there."""

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Name):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Call):
            self.save(obj.name)
            self.save(obj.arguments)
            self.write(pickle.REDUCE)
            if obj.state is not None:
                self.save(obj.state)
                self.write(pickle.BUILD)
        elif isinstance(obj, Kept):
            self.save(obj.pid)
            self.write(pickle.BINPERSID)
        else:
            super().save(obj, save_persistent_id)


def pickled(content, protocol=2):
    buffer = io.BytesIO()
    Writer(buffer, protocol).dump(content)
    return buffer.getvalue()


FLOATS = Name("torch", "FloatStorage")
REBUILD = Name("torch._utils", "_rebuild_tensor_v2")
RECONSTRUCT = Name("numpy.core.multiarray", "_reconstruct")
NDARRAY = Name("numpy", "ndarray")
FLOAT32 = Call(Name("numpy", "dtype"), "f4", False, True, state=(3, "<", None, None, None, -1, -1, 0))


def tensor(storage, offset=0, shape=(4,), strides=(1,)):
    return Call(REBUILD, storage, offset, shape, strides, False, Call(Name("collections", "OrderedDict")))


def array(shape=(2,), dtype=FLOAT32, raw=b"\0" * 8, kind=NDARRAY):
    return Call(RECONSTRUCT, kind, (0,), b"b", state=(1, shape, dtype, False, raw))


def torch_zip(content, storages, compression=zipfile.ZIP_STORED, **others):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("net/data.pkl", pickled(content))
        for key, raw in storages.items():
            archive.writestr(f"net/data/{key}", raw)
        for name, raw in others.items():
            archive.writestr(f"net/{name}", raw)
    return buffer.getvalue()


def rezipped(data, old, new):
    """The archive with other bytes in its members, and the checksums for them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(old, new))
    return buffer.getvalue()


def torch_legacy(content, storages, protocol=1001, little=True):
    parts = [
        LEGACY_START,
        pickled(protocol),
        pickled({"little_endian": little}),
        pickled(content),
        pickled(list(storages)),
    ]
    return b"".join([*parts, *(struct.pack("<q", len(raw) // 4) + raw for raw in storages.values())])


def jittor(content, end=True):
    """As jt.save writes it: protocol 4, SHA-1, mark."""
    raw = pickle.dumps(content, 4) if not isinstance(content, bytes) else content
    return raw + (hashlib.sha1(raw).digest() + b"HCAJSLHD" if end else b"")


def safetensors(entries, data):
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + data


def npz(save=np.savez, **arrays):
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path):
    """Bytes -> what is read from a file of them."""

    def reader(data):
        path = tmp_path / "weights.bin"
        path.write_bytes(data)
        return read_tensors(path)

    return reader


@pytest.fixture
def refusal(read, tmp_path):
    """Bytes -> the error they give; it begins with the file and ends with what to do."""

    def reader(data):
        with pytest.raises(WeightsError) as error:
            read(data)
        text = str(error.value)
        assert text.startswith(f"{tmp_path / 'weights.bin'} is ")
        assert text.endswith(("save the state dict alone again.", "Fetch or copy it again."))
        return text

    return reader


def assert_same(read, expected):
    assert list(read) == list(expected)
    for name, array in expected.items():
        assert read[name].dtype == array.dtype and read[name].shape == array.shape, name
        np.testing.assert_array_equal(read[name], array)


# --- what is read ---


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_files_of_pytorch_are_read_exactly(kind):
    assert_same(read_tensors(FILES / f"torch_{kind}.pth"), IN_TORCH_FILES)


def test_tensors_that_share_a_storage_share_memory(read):
    data = torch_zip(
        {n: tensor(Kept("storage", FLOATS, "0", "cpu", 4)) for n in "ab"}, {"0": W[:1].tobytes() + b"\0" * 4}
    )
    both = read(data)
    assert np.shares_memory(both["a"], both["b"])


def test_a_view_in_the_older_format_starts_at_its_first_element(read):
    view = Kept("storage", FLOATS, "7", "cuda:0", 12, ("8", 6, 4))
    plain = Kept("storage", FLOATS, "7", "cuda:0", 12, None)
    data = torch_legacy({"view": tensor(view, 1, (3,)), "all": tensor(plain, 0, (12,))}, {"7": W.tobytes()})
    assert_same(read(data), {"view": W.ravel()[7:10], "all": W.ravel()})


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickled_arrays_of_every_protocol_are_read(read, protocol):
    arrays = {
        "w": W,
        "fortran": np.asfortranarray(W),
        "big": W.astype(">f8"),
        "empty": np.zeros((0, 2)),
        "point": np.array(3.5),
        "scalar": np.float32(2.5),
        "ids": np.arange(3),
        "flags": np.array([True, False]),
    }
    assert_same(read(pickle.dumps(arrays, protocol)), {n: np.asarray(a) for n, a in arrays.items()})


@pytest.mark.parametrize("name", ["Var", "jittor_core.Var"])
def test_vars_of_jittor_are_read(read, name):
    raw = pickled({"w": Call(Name("jittor", name), array((2,), FLOAT32, np.float32([1, 2]).tobytes()))}, 4)
    assert_same(read(jittor(raw)), {"w": np.float32([1, 2])})


def test_a_jittor_file_without_checksum_is_read_and_one_with_a_wrong_one_is_not(read, refusal):
    assert_same(read(jittor({"w": W}, end=False)), {"w": W})
    data = jittor({"w": W})
    assert_same(read(data), {"w": W})
    at = data.index(W.tobytes()) + 5
    assert "its checksum is wrong" in refusal(data[:at] + b"\xff" + data[at + 1 :])
    assert "unknown bytes follow its end" in refusal(data + b"more")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_is_read(read, save):
    arrays = {"w": W, "fortran": np.asfortranarray(W), "ids": np.arange(3), "point": np.array(1.5)}
    assert_same(read(npz(save, **arrays)), arrays)


def test_safetensors_are_read_whatever_their_first_bytes(read):
    entries = {
        "__metadata__": {"format": "pt"},
        "w": {"dtype": "F32", "shape": [4, 3], "data_offsets": [0, 48]},
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [48, 52]},
    }
    data = W.tobytes() + struct.pack("<2H", 0x3F80, 0xC000)
    expected = {"w": W, "b": np.float32([1, -2])}
    assert {n: a.tolist() for n, a in read(safetensors(entries, data)).items()} == {
        n: a.tolist() for n, a in expected.items()
    }
    entries["__metadata__"]["pad"] = ""
    entries["__metadata__"]["pad"] = "x" * (0x280 - len(json.dumps(entries)))
    padded = safetensors(entries, data)
    assert padded[:2] == pickle.PROTO + b"\2"  # as a pickle of protocol 2 begins
    assert read(padded)["b"].tolist() == [1, -2]


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_the_state_dict_of_a_training_checkpoint_is_unwrapped(read, key):
    content = {"epoch": 3, key: {"module.a.weight": W, "module.module.b": W}}
    assert_same(read(pickle.dumps(content)), {"a.weight": W, "module.b": W})


def test_a_module_prefix_that_not_all_have_stays(read):
    assert list(read(pickle.dumps({"module.a": W, "b": W}))) == ["module.a", "b"]


# --- what is refused: code ---


class Runs:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("function", [os.system, eval, os.mkdir])
def test_code_is_refused_by_name_and_not_run(refusal, tmp_path, function, protocol):
    mark = tmp_path / "it_ran"
    argument = {os.system: f"touch {mark}", eval: f"open({str(mark)!r}, 'w')", os.mkdir: str(mark)}[function]
    module = "__builtin__" if protocol == 2 and function is eval else function.__module__  # as Python 2 names it
    data = pickle.dumps({"w": W, "more": Runs(function, argument)}, protocol)
    asked = f"{module}.{function.__name__}"
    assert f"is refused: it asks to run {asked}; weights files hold only arrays" in refusal(data)
    assert not mark.exists()


@pytest.mark.parametrize("wrap", [lambda c: torch_zip(c, {}), lambda c: torch_legacy(c, {})])
def test_code_in_files_of_pytorch_is_refused(refusal, wrap):
    assert "it asks to run os.system" in refusal(wrap({"w": Call(Name("os", "system"), "true")}))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (Call(Name("torch.nn.modules.linear", "Linear")), "it asks to run torch.nn.modules.linear.Linear"),
        (Call(Name("torch._utils", "os.system"), "true"), "it asks to run torch._utils.os.system"),
        (Call(Name("numpy", "frombuffer"), b"1"), "it asks to run numpy.frombuffer"),
        (Call(Name("builtins", "getattr"), NDARRAY, "tofile"), "it asks to run builtins.getattr"),
        (Call(Name("copyreg", "_reconstructor"), NDARRAY), "it asks to run copyreg._reconstructor"),
        (Call(Name("torch.storage", "_load_from_bytes"), b""), "it asks to run torch.storage._load_from_bytes"),
        (Call(NDARRAY, (3,)), "it calls what is only a name"),
        (Call(FLOATS, 10**12), "it calls what is only a name"),
        (Call(Name("_codecs", "encode"), "a", "rot13"), "it asks for the encoding 'rot13'"),
        (array(kind=Name("collections", "OrderedDict")), "an array of another class"),
        (array(kind="ndarray"), "an array of another class"),
        (array(dtype=Call(Name("numpy", "dtype"), "O8", False, True)), "its arrays are of 'O8'"),
        (array(dtype=Call(Name("numpy", "dtype"), "V8", False, True)), "its arrays are of 'V8'"),
        (array(dtype="f4"), "its arrays are of 'f4'"),
        (Kept("storage", FLOATS, "0", "cpu", 4), "it refers to something other than a storage"),
        (tensor("no storage"), "a tensor without a storage"),
        (Call(Name("jittor", "Var"), "no array"), "a parameter without a tensor"),
    ],
)
def test_tricks_with_allowed_names_are_refused(refusal, content, why):
    assert why in refusal(pickled({"w": content}, 2))


def test_object_arrays_are_refused(refusal):
    objects = np.array([{"a": 1}], dtype=object)
    assert "its arrays are of 'O8'; weights files hold only numbers" in refusal(pickle.dumps({"w": objects}))
    assert "w.npy has the dtype object" in refusal(npz(w=objects))
    assert "has the dtype" in refusal(npz(w=np.zeros(2, [("a", "f4")])))


@pytest.mark.parametrize("state", [{"action": 1}, (None, {"action": 1})])
@pytest.mark.parametrize("target", [FLOATS, RECONSTRUCT, tensor(Kept("storage", FLOATS, "0", "cpu", 4))])
def test_no_state_can_be_set_on_stand_ins(refusal, state, target):
    program = pickled(target)[:-1] + pickled(state)[2:-1] + pickle.BUILD + pickle.STOP
    data = rezipped(torch_zip({}, {"0": W.tobytes()[:16]}), pickled({}), program)
    assert "it sets the state of something other than an array" in refusal(data)
    assert_same(read_tensors(FILES / "torch_zip.pth"), IN_TORCH_FILES)  # nothing was changed for the next file


def test_instances_cannot_be_made_without_calling(refusal):
    """NEWOBJ, OBJ and INST go round REDUCE."""
    name = pickle.GLOBAL + b"numpy\nndarray\n"
    for raw in (
        name + pickle.EMPTY_TUPLE + pickle.NEWOBJ,
        pickle.MARK + name + pickle.OBJ,
        pickle.MARK + pickle.INST + b"numpy\nndarray\n",
    ):
        refusal(pickle.PROTO + b"\2" + raw + pickle.STOP)


@pytest.mark.parametrize(
    ("pid", "why"),
    [
        (("module", FLOATS, "a", "b", 1), "it refers to something other than a storage"),
        ("storage", "it refers to something other than a storage"),
        (("storage", "FloatStorage", "0", "cpu", 1), "a storage without type or length"),
        (("storage", RECONSTRUCT, "0", "cpu", 1), "a storage without type or length"),
        (("storage", FLOATS, "0", "cpu", -1), "a storage without type or length"),
        (("storage", FLOATS, "0", "cpu", 1.5), "a storage without type or length"),
    ],
)
def test_other_persistent_ids_are_refused(refusal, pid, why):
    kept = Kept(*pid) if isinstance(pid, tuple) else Kept()
    assert why in refusal(torch_zip({"w": tensor(kept)}, {"0": b"\0" * 4}))


def test_instructions_that_weights_never_use_are_refused(refusal):
    start, end = pickle.PROTO + b"\5", pickle.STOP
    assert "uses EXT1" in refusal(start + pickle.EXT1 + b"\1" + end)
    assert "uses PERSID" in refusal(start + pickle.PERSID + b"storage\n" + end)
    assert "uses NEXT_BUFFER" in refusal(start + pickle.NEXT_BUFFER + end)


# --- what is refused: more than the file has ---


@pytest.mark.parametrize(
    "instructions",
    [
        pickle.BINBYTES8 + struct.pack("<Q", 1 << 40),
        pickle.BYTEARRAY8 + struct.pack("<Q", 1 << 40),
        pickle.BINUNICODE + struct.pack("<I", 1 << 31),
        pickle.LONG4 + struct.pack("<i", (1 << 31) - 1),
        pickle.FRAME + struct.pack("<Q", 1 << 40) + pickle.NONE,
    ],
)
def test_a_pickle_that_promises_more_than_the_file_has_is_refused(refusal, instructions):
    assert "it promises more bytes than it has" in refusal(pickle.PROTO + b"\5" + instructions + pickle.STOP)


def test_a_memo_of_gigabytes_is_refused(refusal):
    raw = pickle.PROTO + b"\2" + pickle.EMPTY_DICT + pickle.LONG_BINPUT + struct.pack("<I", (1 << 32) - 1) + pickle.STOP
    assert "remembers more objects than it makes" in refusal(raw)


def test_storages_longer_than_the_file_are_refused(refusal):
    content = {"w": tensor(Kept("storage", FLOATS, "0", "cpu", 1 << 38))}
    assert "storage 0 should have 274877906944 elements" in refusal(torch_zip(content, {"0": b"\0" * 16}))
    assert "storage 1 should have 4 elements" in refusal(
        torch_zip({"w": tensor(Kept("storage", FLOATS, "1", "cpu", 4))}, {"0": b"\0" * 16})
    )
    content = {"w": tensor(Kept("storage", FLOATS, "0", "cpu", 1 << 38, None))}
    assert "storage 0 should have 274877906944 elements" in refusal(torch_legacy(content, {"0": b"\0" * 16}))
    kept = Kept("storage", FLOATS, "0", "cpu", 2, None)
    assert "storage 0 should have 2 elements" in refusal(torch_legacy({"w": tensor(kept, 0, (2,))}, {"0": b"\0" * 16}))
    two = {n: tensor(Kept("storage", FLOATS, "0", "cpu", k)) for n, k in (("a", 4), ("b", 2))}
    assert "two types or lengths for storage 0" in refusal(torch_zip(two, {"0": b"\0" * 16}))


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (1, (4,), (1,)),
        (-1, (4,), (1,)),
        (0, (4,), (2,)),
        (0, (2, 2), (3, 1)),
        (0, (2, 2), (1,)),
        (0, (-4,), (1,)),
        (0, 4, (1,)),
    ],
)
def test_tensors_that_leave_their_storage_are_refused(refusal, offset, shape, strides):
    content = {"w": tensor(Kept("storage", FLOATS, "0", "cpu", 4), offset, shape, strides)}
    assert "damaged" in refusal(torch_zip(content, {"0": W.tobytes()[:16]}))


def test_tensors_that_blow_up_a_storage_are_refused(refusal):
    kept = Kept("storage", FLOATS, "0", "cpu", 4)
    assert "over 16 times more" in refusal(torch_zip({"w": tensor(kept, 0, (1 << 30,), (0,))}, {"0": b"\0" * 16}))
    assert "over 16 times more" in refusal(pickled({"w": array((1 << 40,))}))
    assert "without its data" in refusal(pickled({"w": array((3,))}))


def test_archives_that_grow_are_refused(refusal):
    zeros = np.zeros(1 << 20, np.float32)
    content = {"w": tensor(Kept("storage", FLOATS, "0", "cpu", zeros.size), 0, zeros.shape)}
    data = torch_zip(content, {"0": zeros.tobytes()}, zipfile.ZIP_DEFLATED)
    assert "it promises more bytes than it has" in refusal(data)
    assert "it promises more bytes than it has" in refusal(npz(np.savez_compressed, w=zeros))


def test_an_npy_header_that_promises_more_is_refused(refusal):
    data = npz(w=np.zeros(10, np.float32))
    assert "without its data" in refusal(rezipped(data, b"(10,)", b"(99,)"))


# --- what is refused: not weights, or no longer ---


def test_what_is_no_file_is_told(tmp_path):
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(WeightsError, match=r"is not a file\. Check the path of the weights"):
            read_tensors(path)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is empty"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "its start is not that of"),
        (b"cos\nsystem\n(S'true'\ntR.", "its start is not that of"),
        (pickle.dumps({}), "it holds nothing"),
        (pickle.dumps([W]), "it holds a list"),
        (pickle.dumps({"G": {"w": W}, "D": {"w": W}}), "its entry 'G' is of type dict"),
        (pickle.dumps({"w": W, "epoch": 3}), "its entry 'epoch' is of type int"),
        (pickle.dumps({3: W}), "its entry 3 is of type Array, not a tensor with a name"),
        (torch_zip({"w": 1}, {}, byteorder=b"big"), "a big-endian machine wrote it"),
        (torch_legacy({"w": 1}, {}, little=False), "a PyTorch unknown here wrote it"),
        (torch_legacy({"w": 1}, {}, protocol=1002), "a PyTorch unknown here wrote it (protocol 1002"),
        (pickled({"w": tensor(Kept("storage", FLOATS, "0", "cpu", 4))}), "something other than a storage"),
        (
            safetensors({"w": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}, b"\0\0"),
            "w is of type F8_E4M3",
        ),
        (safetensors({"w": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}, b"\0\0"), "damaged"),
    ],
)
def test_other_content_is_refused(refusal, data, why):
    assert why in refusal(data)


def test_a_missing_package_is_told(read, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(WeightsError, match=r"cannot be read without safetensors\. Run: pip install safetensors$"):
        read(safetensors({"w": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}}, b"\0\0"))


def test_another_zip_archive_is_refused(refusal):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "neither of torch.save nor an .npz" in refusal(buffer.getvalue())


KINDS = {
    "torch_zip": (FILES / "torch_zip.pth").read_bytes(),
    "torch_legacy": (FILES / "torch_legacy.pth").read_bytes(),
    "jittor": jittor({"w": W, "b": W[0]}),
    "safetensors": safetensors({"w": {"dtype": "F32", "shape": [4, 3], "data_offsets": [0, 48]}}, W.tobytes()),
    "npz": npz(w=W, b=W[0]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short_anywhere_is_told(refusal, kind):
    data = KINDS[kind]
    whole_before = len(data) - 28 if kind == "jittor" else None  # without its checksum it is whole, too
    for length in range(0, len(data), 1 + len(data) // 400):
        if length != whole_before:
            refusal(data[:length])


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_byte_gives_tensors_or_an_error_with_the_file(read, tmp_path, kind):
    data, draw = KINDS[kind], random.Random(5)
    for _ in range(300):
        at = draw.randrange(len(data))
        try:
            read(data[:at] + bytes([data[at] ^ draw.randrange(1, 256)]) + data[at + 1 :])
        except WeightsError as error:
            assert str(error).startswith(str(tmp_path / "weights.bin"))


def test_reading_loads_neither_torch_nor_jittor():
    code = f"import sys; from curation.network.restricted_pickle import read_tensors; read_tensors({str(FILES / 'torch_zip.pth')!r}); "
    code += "print(sorted({'torch', 'jittor', 'pandas'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
