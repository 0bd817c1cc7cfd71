"""Train generators (label map -> photo) on a manifest, and draw with them. Only training/runtime.py imports Jittor."""
