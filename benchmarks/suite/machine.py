"""On which machine, with which versions, a table was measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("apolar", "torch", "numpy", "jax", "jaxlib", "folx", "jet-for-pytorch")
ROOT = Path(__file__).resolve().parents[2]


def description(device: str, threads: int) -> dict[str, Any]:
    """What a reader needs to judge the numbers."""
    found = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
        "commit": commit(),
        "packages": {name: version for name in PACKAGES if (version := installed(name))},
    }
    if device.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name(device)
    return found


def folder(device: str) -> str:
    """The machine as a name of a folder."""
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{processor()} {os.cpu_count()} cores"
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", name.lower())).strip("-")


def processor() -> str:
    try:
        import cpuinfo
    except ImportError:
        return platform.processor() or platform.machine()
    return cpuinfo.get_cpu_info().get("brand_raw", platform.machine())


def installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """The state of the sources; ``+`` where they were changed after it."""
    try:
        git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
