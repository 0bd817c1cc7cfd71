"""A network of convolutions as an ONNX file in memory, which OpenCV's dnn module reads; no ONNX library is needed to write it.

ONNX is protocol buffers: every field is (number, wire type) and a value. Only the few messages and operators that are needed stand
here, with their field numbers from onnx.proto (opset 11): Conv, Clip as ReLU6, Add.
"""

from __future__ import annotations

import numpy as np

OPSET, IR_VERSION = 11, 7
FLOAT, INT_KIND, INTS_KIND = 1, 2, 7  # TensorProto.FLOAT; AttributeProto.INT, INTS


class Graph:
    """A graph that grows layer by layer; each method returns the name of its output."""

    def __init__(self, shape: tuple[int, int, int]):
        """`shape` of the one input: channels, height, width."""
        self._nodes: list[bytes] = []
        self._constants = [_tensor("zero", np.zeros((), np.float32)), _tensor("six", np.full((), 6, np.float32))]
        self.input, self._input = "photo", _value("photo", (1, *shape))

    def conv(
        self, x: str, weight: np.ndarray, bias: np.ndarray, stride: int, padding: tuple[int, int, int, int], groups: int
    ) -> str:
        """2-D convolution; `padding` is top, left, bottom, right."""
        name = f"conv{len(self._nodes)}"
        self._constants += [_tensor(f"{name}.weight", weight), _tensor(f"{name}.bias", bias)]
        attributes = [
            _ints("kernel_shape", weight.shape[2:]),
            _ints("strides", (stride, stride)),
            _ints("pads", padding),
            _int("group", groups),
        ]
        return self._node("Conv", [x, f"{name}.weight", f"{name}.bias"], name, attributes)

    def relu6(self, x: str) -> str:
        return self._node("Clip", [x, "zero", "six"], f"{x}.relu6")

    def add(self, x: str, y: str) -> str:
        return self._node("Add", [x, y], f"{x}.sum")

    def model(self, outputs: dict[str, tuple[int, int, int]]) -> bytes:
        """The file; `outputs`: channels, height, width by name."""
        graph = b"".join(_field(1, node) for node in self._nodes) + _field(2, b"network")
        graph += b"".join(_field(5, constant) for constant in self._constants) + _field(11, self._input)
        graph += b"".join(_field(12, _value(name, (1, *shape))) for name, shape in outputs.items())
        return _number(1, IR_VERSION) + _field(7, graph) + _field(8, _number(2, OPSET))

    def _node(self, operator: str, inputs: list[str], output: str, attributes: list[bytes] | None = None) -> str:
        node = b"".join(_field(1, name.encode()) for name in inputs) + _field(2, output.encode())
        node += _field(3, output.encode()) + _field(4, operator.encode())
        self._nodes.append(node + b"".join(_field(5, attribute) for attribute in attributes or ()))
        return output


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _tensor(name: str, array: np.ndarray) -> bytes:
    sizes = b"".join(_number(1, size) for size in array.shape)
    return sizes + _number(2, FLOAT) + _field(8, name.encode()) + _field(9, array.astype("<f4").tobytes())


def _ints(name: str, values: tuple[int, ...]) -> bytes:
    return _field(1, name.encode()) + b"".join(_number(8, int(value)) for value in values) + _number(20, INTS_KIND)


def _int(name: str, value: int) -> bytes:
    return _field(1, name.encode()) + _number(3, value) + _number(20, INT_KIND)


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    sizes = b"".join(_field(1, _number(1, size)) for size in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, FLOAT) + _field(2, sizes)))
