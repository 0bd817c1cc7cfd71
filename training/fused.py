"""Normalisations as single kernels for processors: one pass in, one pass out, sums in float64.

Composed of Jittor's own operations the same takes four passes over memory and three more arrays, and its long float32 sums lose
digits that the division by a small deviation brings up. On CUDA, layers.py composes them.
"""

from __future__ import annotations

from training.runtime import jt

HEADER = "#include <cmath>"

# What a group of pixels is: one plane of one sample (instance norm) or the planes of one channel over the batch (batch norm).
_GROUPS = {
    "instance": "const int groups = N * C, planes = 1; auto first = [&](int g) { return (long)g * P; }; const long next = 0;",
    "batch": "const int groups = C, planes = N; auto first = [&](int g) { return (long)g * P; }; const long next = (long)C * P;",
}

_FORWARD = """
    @alias(x, in0) @alias(y, out0) @alias(mean, out1) @alias(scale, out2)
    const int N = x_shape0, C = x_shape1; const long P = (long)x_shape2 * x_shape3;
    GROUPS
    #pragma omp parallel for schedule(static)
    for (int g = 0; g < groups; g++) {
        double sum = 0;
        for (int k = 0; k < planes; k++) {
            const float* a = x_p + first(g) + k * next;
            double part = 0;
            for (long i = 0; i < P; i++) part += a[i];
            sum += part;
        }
        const double m = sum / ((double)planes * P);
        double square = 0;
        for (int k = 0; k < planes; k++) {
            const float* a = x_p + first(g) + k * next;
            double part = 0;
            for (long i = 0; i < P; i++) { const double d = a[i] - m; part += d * d; }
            square += part;
        }
        const double s = 1 / std::sqrt(square / ((double)planes * P) + EPSILON);
        mean_p[g] = (float)m;
        scale_p[g] = (float)s;
        for (int k = 0; k < planes; k++) {
            const float* a = x_p + first(g) + k * next;
            float* b = y_p + first(g) + k * next;
            for (long i = 0; i < P; i++) { const float v = (float)((a[i] - m) * s); b[i] = v > 0 ? v : v * SLOPEf; }
        }
    }
"""

# With h the normalised pixels and d the gradient before the leaky ReLU: scale * (d - mean(d) - h * mean(d h)).
_BACKWARD = """
    @alias(dy, in0) @alias(y, in1) @alias(scale, in2) @alias(dx, out0)
    const int N = y_shape0, C = y_shape1; const long P = (long)y_shape2 * y_shape3;
    GROUPS
    #pragma omp parallel for schedule(static)
    for (int g = 0; g < groups; g++) {
        double sum = 0, product = 0;
        for (int k = 0; k < planes; k++) {
            const float *a = y_p + first(g) + k * next, *b = dy_p + first(g) + k * next;
            double part = 0, with = 0;
            for (long i = 0; i < P; i++) {
                const double d = a[i] > 0 ? b[i] : b[i] * SLOPEf;
                part += d;
                with += d * (a[i] > 0 ? a[i] : a[i] * (1 / SLOPEf));
            }
            sum += part;
            product += with;
        }
        const double m = sum / ((double)planes * P), c = product / ((double)planes * P), s = scale_p[g];
        for (int k = 0; k < planes; k++) {
            const float *a = y_p + first(g) + k * next, *b = dy_p + first(g) + k * next;
            float* r = dx_p + first(g) + k * next;
            for (long i = 0; i < P; i++) {
                const double d = a[i] > 0 ? b[i] : b[i] * SLOPEf, h = a[i] > 0 ? a[i] : a[i] * (1 / SLOPEf);
                r[i] = (float)(s * (d - m - h * c));
            }
        }
    }
"""


class Normalised(jt.Function):
    """a((x - mean) / sqrt(var + eps)) with a = leaky ReLU of `slope` (1: none); `over` "instance" or "batch" says what mean and var are of.

    Called with x (N, C, H, W) it returns y of that shape and, without gradients, mean and 1 / sqrt(var + eps): (N, C) or (C,).
    """

    def __init__(self, over: str, slope: float, eps: float):
        self.over, self.slope, self.eps = over, slope, eps

    def _source(self, template: str) -> str:
        return (
            template.replace("GROUPS", _GROUPS[self.over])
            .replace("SLOPE", repr(float(self.slope)))
            .replace("EPSILON", repr(self.eps))
        )

    def execute(self, x: jt.Var) -> tuple[jt.Var, jt.Var, jt.Var]:
        statistics = (x.shape[0], x.shape[1]) if self.over == "instance" else (x.shape[1],)
        y, mean, scale = jt.code(
            [x.shape, statistics, statistics], [x.dtype] * 3, [x], cpu_header=HEADER, cpu_src=self._source(_FORWARD)
        )
        self.saved = y, scale
        return y, mean, scale

    def grad(self, dy: jt.Var, *_: jt.Var) -> jt.Var:
        y, scale = self.saved
        return jt.code(y.shape, y.dtype, [dy, y, scale], cpu_header=HEADER, cpu_src=self._source(_BACKWARD))
