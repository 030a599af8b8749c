"""What is closed at the end of a ``with`` or ``async with`` block."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Self

from late_rag.asynchronous import to_writer

if TYPE_CHECKING:
    from types import TracebackType


class Closing:
    """Something with a ``close`` as a context manager."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await to_writer(self.close)
