"""What the kernels may do: the only setting of the process."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Literal, get_args

from apolar.errors import SettingError

Kernels = Literal["auto", "compiled", "eager"]


@dataclass
class Settings:
    """How programs are executed.

    Attributes:
        kernels: "auto", compiled in the background after some calls; "compiled", before the first call; "eager", never.
    """

    kernels: Kernels = "auto"


current = Settings()


class settings:
    """Choose how programs are executed: from now on, or inside of a ``with`` block.

    Args:
        kernels: "auto" compiles, in the background, what is called often; "compiled" compiles before the first call;
            "eager" uses torch functions alone.

    Raises:
        SettingError: another word.

    >>> with ap.settings(kernels="eager"):
    ...     ap.laplacian(lambda p: (p**4).sum(-1))(torch.ones(1, 2))
    tensor([24.])
    """

    def __init__(self, *, kernels: Kernels) -> None:
        if kernels not in get_args(Kernels):
            raise SettingError(f"kernels={kernels!r} is none of {', '.join(map(repr, get_args(Kernels)))}")
        self.before = current.kernels
        current.kernels = kernels

    def __enter__(self) -> Settings:
        return current

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        current.kernels = self.before

    def __repr__(self) -> str:
        return f"settings(kernels={current.kernels!r})"
