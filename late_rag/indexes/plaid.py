"""PLAID (Santhanam et al. 2022, arXiv 2205.09707) by the library fast-plaid: made for GPUs, slow to build on a CPU.

Row numbers are ours: the library's are places, and it takes an empty restriction for none and an unknown place for a
reason to panic. What it wrote is never changed: it is opened in a folder of links, where it writes what it derives.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from late_rag.errors import CollectionDamagedError, CollectionError, InputError, MissingExtraError
from late_rag.indexes.exact import ascending
from late_rag.indexes.sampling import batches
from late_rag.protocols import silent
from late_rag.specs import check_ranges

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.protocols import Done, Rows
    from late_rag.types import TokenEmbeddings

_FILES = "plaid"
_ROWS, _DIM = "rows.i64", "dim.i64"
_DERIVED = ("merged_",)
_LOCK = "plaid.lock"
_PICKLED = frozenset({"embeddings.npy", "buffer.npy"})
"""The library would unpickle these, that is, run what somebody wrote into them. With our arguments it makes none."""

_BATCH_ROWS = 2_000_000
"""Token rows handed over at once, in half precision: half a gigabyte at 128 dims."""

_LEAST_ROWS = 16
"""Token rows without which the library cannot train; rows that are there twice change no MaxSim."""

_CPU_POINTS, _CUDA_POINTS = 64, 256


@dataclass(frozen=True, slots=True)
class PlaidOptions:
    """How rows are compressed, and how much of the index a query looks at."""

    nbits: int = 4
    """Bits of a residual's number: 1, 2, 4 or 8."""

    probes: int = 8
    """Centroids that each query token looks into."""

    full_scores: int = 4096
    """Chunks whose compressed rows are scored in full for each query."""

    iterations: int = 4
    """Rounds of k-means."""

    points_per_centroid: int | None = None
    """Rows of the sample that a centroid is trained on at most; none is 64 on a CPU and 256 on a GPU."""

    sample: int | None = None
    """Chunks that k-means is trained on; none is what the library takes."""

    low_memory: bool = True
    """Whether compressed rows stay out of the GPU's memory."""

    seed: int = 42
    """Of k-means."""

    def __post_init__(self) -> None:
        if not _is_installed():  # known before a collection is made that nobody can index here
            raise MissingExtraError("index 'plaid' needs fast-plaid before version 1.5, which", "plaid")
        if self.nbits not in (1, 2, 4, 8):
            raise InputError(f"nbits is 1, 2, 4 or 8, not {self.nbits}")
        counts = ("probes", "full_scores", "iterations", "points_per_centroid", "sample")
        check_ranges(self, **dict.fromkeys(counts, (1, 2**31 - 1)))


def _is_installed() -> bool:
    """Later versions keep in the files that are derived here what they have nowhere else."""
    if find_spec("fast_plaid") is None:
        return False
    major, minor = metadata.version("fast-plaid").split(".")[:2]
    return (int(major), int(minor)) < (1, 5)


class PlaidIndex:
    """Candidates by centroids and compressed residuals; the scores are of compressed rows."""

    kind: ClassVar[str] = "plaid"
    slow_build: ClassVar[bool] = True
    upper_bounds: ClassVar[bool] = False
    recall: ClassVar[float] = 0.9

    def __init__(self, folder: Path, rows: npt.NDArray[np.int64], dim: int, options: PlaidOptions, device: str) -> None:
        self._folder = folder
        self._rows = rows
        self._dim = dim
        self._options = options
        self._device = device
        self._library: Any = None
        if len(rows):
            work = tempfile.mkdtemp(prefix="late-rag-plaid-")
            self._end = weakref.finalize(self, shutil.rmtree, work, ignore_errors=True)
            _link(folder / _FILES, Path(work))
            self._probes = min(options.probes, _centroids(Path(work)))
            self._library = _opened(Path(work), device, options)

    def __len__(self) -> int:
        return len(self._rows)

    @classmethod
    def create(
        cls,
        folder: Path,
        rows: Rows,
        dim: int,
        options: PlaidOptions | None = None,
        device: str = "cpu",
        progress: Done = silent,
    ) -> PlaidIndex:
        """Trains the centroids on the first two million token rows, and adds what is beyond them to these."""
        options = options or PlaidOptions()
        (folder / _FILES).mkdir()
        numbers = _grown(folder / _FILES, ascending(rows, 0), device, options, progress)
        return cls._finished(folder, np.array(numbers, np.int64), dim, options, device)

    @classmethod
    def _finished(
        cls, folder: Path, rows: npt.NDArray[np.int64], dim: int, options: PlaidOptions, device: str
    ) -> PlaidIndex:
        (folder / _ROWS).write_bytes(rows.tobytes())
        (folder / _DIM).write_bytes(np.array([dim], np.int64).tobytes())
        for path in (folder / _FILES).iterdir():
            if path.name == _LOCK or path.name.startswith(_DERIVED):
                path.unlink()
        return cls.open(folder, options, device)

    @classmethod
    def open(cls, folder: Path, options: PlaidOptions | None = None, device: str = "cpu") -> PlaidIndex:
        """What ``create`` or ``add`` wrote.

        Raises:
            CollectionDamagedError: row numbers that do not ascend, or files that they never write.
        """
        rows = np.fromfile(folder / _ROWS, np.int64)
        dims = np.fromfile(folder / _DIM, np.int64)
        if len(dims) != 1 or (len(rows) and (rows[0] < 1 or (np.diff(rows) <= 0).any())):
            raise CollectionDamagedError(f"{folder}: row numbers do not ascend, or there is no dim")
        return cls(folder, rows, int(dims[0]), options or PlaidOptions(), device)

    def add(self, folder: Path, rows: Rows, progress: Done = silent) -> PlaidIndex:
        """The same files with more rows, for which there are more centroids where they are far from all."""
        files = folder / _FILES
        files.mkdir()
        for path in (self._folder / _FILES).iterdir():
            shutil.copyfile(path, files / path.name)
        last = int(self._rows[-1]) if len(self._rows) else 0
        numbers = _grown(files, ascending(rows, last), self._device, self._options, progress)
        together = np.concatenate([self._rows, np.array(numbers, np.int64)])
        return self._finished(folder, together, self._dim, self._options, self._device)

    def search(
        self, queries: Sequence[TokenEmbeddings], n: int, within: npt.NDArray[np.int64] | None = None
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Row numbers and scores over compressed rows, best first.

        Raises:
            CollectionDamagedError: its rows are not of the queries' dim, or the library found its files wanting.
        """
        places = None if within is None else np.flatnonzero(np.isin(self._rows, within))
        if not len(self._rows) or n < 1 or (places is not None and not len(places)):
            return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
        import torch

        found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]] = []
        most = min(n, len(self._rows) if places is None else len(places))
        for query in queries:
            if query.shape[1] != self._dim:
                raise CollectionDamagedError(
                    f"{self._folder}: made of rows of dim {self._dim}, queries have {query.shape[1]}"
                )
            with _panics(self._folder):
                (ranked,) = self._library.search(
                    torch.from_numpy(np.array(query, np.float32))[None],
                    top_k=most,
                    n_full_scores=max(self._options.full_scores, most),
                    n_ivf_probe=self._probes,
                    show_progress=False,
                    subset=None if places is None else [places.tolist()],
                )
            numbers = self._rows[np.array([place for place, _ in ranked], np.int64)]
            found.append((numbers, np.array([score for _, score in ranked], np.float32)))
        return found

    def close(self) -> None:
        """Lets go of the files, and removes the folder of links."""
        if self._library is not None:
            self._library.close()
            self._library = None
            self._rows = np.empty(0, np.int64)
            self._end()


def _grown(files: Path, rows: Rows, device: str, options: PlaidOptions, progress: Done) -> list[int]:
    """Hands rows over to the library, which makes an index there or adds to the one there is; their numbers."""
    numbers: list[int] = []
    for batch in batches(rows, _BATCH_ROWS):
        _handed(files, [embeddings for _, embeddings in batch], device, options)
        numbers += [row for row, _ in batch]
        progress(len(numbers))
    return numbers


def _handed(files: Path, embeddings: Sequence[TokenEmbeddings], device: str, options: PlaidOptions) -> None:
    import torch

    times = -(-_LEAST_ROWS // sum(map(len, embeddings)))
    points = _CUDA_POINTS if device.startswith("cuda") else _CPU_POINTS
    with _panics(files):
        library = _opened(files, device, options)
        grow: Callable[..., object] = library.create
        scratch: dict[str, int] = {"nbits": options.nbits}
        if (files / "metadata.json").exists():
            grow, scratch = library.update, {"buffer_size": 0}
        grow(
            [torch.from_numpy(np.tile(rows.astype(np.float16), (times, 1))) for rows in embeddings],
            kmeans_niters=options.iterations,
            max_points_per_centroid=options.points_per_centroid or points,
            n_samples_kmeans=options.sample,
            seed=options.seed,
            use_triton_kmeans=None if device.startswith("cuda") else False,
            start_from_scratch=0,
            **scratch,
        )
        library.close()


def _link(files: Path, work: Path) -> None:
    for path in files.iterdir():
        if path.name.lower() in _PICKLED or path.is_dir() or path.is_symlink():
            raise CollectionDamagedError(f"{path}: is not among the files of an index")
        (work / path.name).symlink_to(path.absolute())


def _centroids(folder: Path) -> int:
    """How many there are, of which its metadata may name more: it panics where a query is to look into more."""
    there = np.load(folder / "centroids.npy", mmap_mode="r", allow_pickle=False)
    if there.ndim != 2 or not len(there):
        raise CollectionDamagedError(f"{folder}: centroids have shape {there.shape}")
    return len(there)


def _opened(folder: Path, device: str, options: PlaidOptions) -> Any:
    from fast_plaid.search import FastPlaid

    with _panics(folder):
        return FastPlaid(str(folder), device=device, low_memory=options.low_memory)


@contextmanager
def _panics(folder: Path) -> Iterator[None]:
    """Panics of the library, which are no Exceptions, as errors of ours."""
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise CollectionError(f"{folder}: fast-plaid panicked: {str(error)[:300]}") from error
