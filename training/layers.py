"""Layers that Jittor lacks or has wrong, and the normalisations of SPADE and TSIT. Arrays are (N, C, H, W) float32.

Each is tested against an independent computation. Sources: spectral norm, Miyato et al. 2018; SPADE, Park et al. 2019 (eq. 1);
FADE and FAdaIN, Jiang et al. 2020 (eq. 1, 3); AdaIN, Huang & Belongie 2017 (eq. 8).
"""

from __future__ import annotations

import numpy as np

from training import runtime
from training.fused import Normalised
from training.runtime import jt

nn = jt.nn
EPS = 1e-5  # added to variances, as in PyTorch's norms
SLOPE = 0.2  # of every leaky ReLU in these models


def leaky_relu(x: jt.Var) -> jt.Var:
    """max(x, 0.2 x)."""
    return nn.leaky_relu(x, SLOPE)


def tanh(x: jt.Var) -> jt.Var:
    """tanh as 2 sigmoid(2x) - 1: the gradient of Jittor's own is NaN beyond |x| = 45."""
    return jt.sigmoid(x * 2) * 2 - 1


def shrink(x: jt.Var) -> jt.Var:
    """Half the size by nearest: every second row and column, from the first."""
    n, c, h, w = x.shape
    return x.reindex([n, c, h // 2, w // 2], ["i0", "i1", "i2*2", "i3*2"])


def shrink_mean(x: jt.Var) -> jt.Var:
    """Half the size by the mean of 2x2 pixels, which is bilinear interpolation at exactly one half."""
    n, c, h, w = x.shape
    return x.reshape((n, c, h // 2, 2, w // 2, 2)).mean(dims=(3, 5))


def grow(x: jt.Var) -> jt.Var:
    """Twice the size by nearest: every pixel becomes 2x2."""
    n, c, h, w = x.shape
    return x.reshape((n, c, h, 1, w, 1)).broadcast((n, c, h, 2, w, 2)).reshape((n, c, h * 2, w * 2))


def nearest(x: jt.Var, height: int, width: int) -> jt.Var:
    """Resize by nearest to any size: row i comes from floor(i * old / new), in whole numbers, so no rounding can differ."""
    n, c, h, w = x.shape
    if (h, w) == (height, width):
        return x
    return x.reindex([n, c, height, width], ["i0", "i1", f"i2*{h}/{height}", f"i3*{w}/{width}"])


def bilinear(x: jt.Var, height: int, width: int) -> jt.Var:
    """Resize by bilinear interpolation, pixel centres at half positions, without antialiasing (PyTorch's align_corners=False)."""
    if tuple(x.shape[2:]) == (height, width):
        return x
    return nn.interpolate(x, size=(height, width), mode="bilinear", align_corners=False)


def pool_3x3(x: jt.Var) -> jt.Var:
    """Mean of 3x3 pixels at every second pixel; padding does not count (Jittor ignores count_include_pad=False)."""
    h, w = x.shape[2:]
    oh, ow = (h + 1) // 2, (w + 1) // 2
    total = nn.avg_pool2d(x, kernel_size=3, stride=2, padding=1, count_include_pad=True) * 9
    return total / jt.array(_covered(h, oh)[:, None] * _covered(w, ow)[None, :]).broadcast(total.shape, [0, 1])


def _covered(size: int, out: int) -> np.ndarray:
    """How many of the 3 pixels of each window lie inside."""
    first = np.arange(out) * 2 - 1
    return (np.minimum(first + 3, size) - np.maximum(first, 0)).astype(np.float32)


def mean_hw(x: jt.Var) -> jt.Var:
    """Mean over height and width, (N, C, 1, 1), in two steps: one long float32 sum loses digits that a following division brings up."""
    return x.mean(dims=(3,), keepdims=True).mean(dims=(2,), keepdims=True)


def mean_all(x: jt.Var) -> jt.Var:
    """Mean over everything, in three steps: in one, Jittor's float32 sum is 8 % short at 33 million elements."""
    return mean_hw(x).mean()


def instance_norm(x: jt.Var, slope: float = 1.0) -> jt.Var:
    """Leaky ReLU (`slope` 1: none) of (x - mean) / sqrt(var + 1e-5), per sample and channel.

    Two passes: Jittor's own, by E[x^2] - E[x]^2, loses its digits when |mean| >> std.
    """
    if _fused():
        return Normalised("instance", slope, EPS)(x)[0]
    centred = x - mean_hw(x)
    y = centred / jt.sqrt(mean_hw(centred * centred) + EPS)
    return y if slope == 1 else nn.leaky_relu(y, slope)


def _fused() -> bool:
    """Whether norms run as one kernel: on processors; over several processes batch norm is composed, since it asks all of them."""
    return not jt.flags.use_cuda


def fadain(content: jt.Var, style: jt.Var, alpha: float = 1.0) -> jt.Var:
    """FAdaIN: statistics of `style` on `content`, per sample and channel, blended with the content by alpha in [0, 1].

    Variances are unbiased, so both need more than one pixel.
    """

    def moments(x: jt.Var) -> tuple[jt.Var, jt.Var]:
        mean = x.mean(dims=(2, 3), keepdims=True)
        pixels = x.shape[2] * x.shape[3]
        square = (x - mean) * (x - mean)
        return mean, jt.sqrt(square.sum(dims=(2, 3), keepdims=True) / (pixels - 1) + EPS)

    mean, std = moments(content)
    style_mean, style_std = moments(style)
    moved = (content - mean) / std * style_std + style_mean
    return moved if alpha == 1 else moved * alpha + content * (1 - alpha)


class Conv(nn.Module):
    """Convolution, zero-padded; `spectral`: its weight is divided by its largest singular value.

    Spectral norm keeps `u` and `v` between steps: each training forward does one power iteration, v = W^T u, u = W v (both
    normalised), and uses W / (u^T W v) with u and v as constants; evaluation uses them as they stand. W is the weight as an (out, in*k*k) matrix.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        stride: int = 1,
        padding: int = 1,
        *,
        bias: bool = True,
        spectral: bool = False,
    ):
        self.stride, self.padding, self.spectral = stride, padding, spectral
        self.weight = jt.zeros((outputs, inputs, kernel, kernel))
        self.bias = jt.zeros((outputs,)) if bias else None
        if spectral:
            self.u = jt.zeros((outputs,)).stop_grad()
            self.v = jt.zeros((inputs * kernel * kernel,)).stop_grad()

    def normalised(self) -> jt.Var:
        """The weight to convolve with; in training, after one power iteration."""
        if not self.spectral:
            return self.weight
        matrix = self.weight.reshape((self.weight.shape[0], -1))
        if self.is_training():
            with jt.no_grad():
                v = _unit(_rows_by(matrix, self.u))
                u = _unit(_by_columns(matrix, v))
            self.u.update(u)
            self.v.update(v)
        else:
            u, v = self.u, self.v
        sigma = (_by_columns(matrix, v) * u).sum()
        return self.weight / sigma.broadcast(self.weight.shape)

    def execute(self, x: jt.Var) -> jt.Var:
        return nn.conv2d(x, self.normalised(), self.bias, self.stride, self.padding)


def _by_columns(matrix: jt.Var, v: jt.Var) -> jt.Var:
    """W v."""
    return (matrix * v.broadcast(matrix.shape, [0])).sum(1)


def _rows_by(matrix: jt.Var, u: jt.Var) -> jt.Var:
    """W^T u."""
    return (matrix * u.broadcast(matrix.shape, [1])).sum(0)


def _unit(x: jt.Var) -> jt.Var:
    return x / jt.maximum(jt.sqrt((x * x).sum()), 1e-12)


class Linear(nn.Module):
    """y = x W^T + b."""

    def __init__(self, inputs: int, outputs: int):
        self.weight = jt.zeros((outputs, inputs))
        self.bias = jt.zeros((outputs,))

    def execute(self, x: jt.Var) -> jt.Var:
        return nn.linear(x, self.weight, self.bias)


class BatchNorm(nn.Module):
    """Batch norm without scale and shift, over the batches of all processes; two-pass; running variance unbiased, momentum 0.1."""

    def __init__(self, channels: int, momentum: float = 0.1):
        self.momentum = momentum
        self.running_mean = jt.zeros((channels,)).stop_grad()
        self.running_var = jt.ones((channels,)).stop_grad()

    def execute(self, x: jt.Var) -> jt.Var:
        if not self.is_training():
            scale = 1 / jt.sqrt(self.running_var + EPS)
            return (x - self.running_mean.broadcast(x.shape, [0, 2, 3])) * scale.broadcast(x.shape, [0, 2, 3])
        count = x.shape[0] * x.shape[2] * x.shape[3] * runtime.world()
        if _fused() and runtime.world() == 1:
            y, mean, scale = Normalised("batch", 1.0, EPS)(x)
            var = 1 / (scale * scale) - EPS
        else:
            mean = runtime.mean_over_processes(mean_hw(x).mean(dims=(0,), keepdims=True))
            centred = x - mean
            var = runtime.mean_over_processes(mean_hw(centred * centred).mean(dims=(0,), keepdims=True))
            y = centred / jt.sqrt(var + EPS)
        self._remember(self.running_mean, mean)
        self._remember(self.running_var, var * (count / max(1, count - 1)))
        return y

    def _remember(self, running: jt.Var, now: jt.Var) -> None:
        running.update(running + (now.detach().reshape((-1,)) - running) * self.momentum)


class Fade(nn.Module):
    """FADE(z; f) = BN(z) * (1 + gamma(f)) + beta(f), gamma and beta plain 3x3 convolutions of the stream's features f."""

    def __init__(self, channels: int):
        self.norm = BatchNorm(channels)
        self.gamma = Conv(channels, channels)
        self.beta = Conv(channels, channels)

    def execute(self, z: jt.Var, f: jt.Var) -> jt.Var:
        return self.norm(z) * (self.gamma(f) + 1) + self.beta(f)


class Spade(nn.Module):
    """SPADE(z; m): the label map m, resized by nearest, through one hidden layer of 128 to gamma and beta."""

    def __init__(self, channels: int, label_channels: int, hidden: int = 128):
        self.norm = BatchNorm(channels)
        self.shared = Conv(label_channels, hidden)
        self.gamma = Conv(hidden, channels)
        self.beta = Conv(hidden, channels)

    def execute(self, z: jt.Var, m: jt.Var) -> jt.Var:
        e = nn.relu(self.shared(nearest(m, z.shape[2], z.shape[3])))
        return self.norm(z) * (self.gamma(e) + 1) + self.beta(e)
