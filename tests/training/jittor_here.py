"""Jittor on the processor, for tests: a test file that imports this is skipped, with the reason, where Jittor cannot run."""

from __future__ import annotations

import pytest

from training import runtime

try:
    runtime.start("cpu")
except runtime.RuntimeProblem as problem:
    pytest.skip(f"no Jittor: {problem}", allow_module_level=True)

jt = runtime.jt
