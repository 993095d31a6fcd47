"""Benchmarks: one file per question, each printing one table. ``python -m benchmarks`` runs all of them."""

import os

# PyTorch's profiler, which counts the memory, is silent about itself if told so before torch is imported.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
