"""``Retriever.sync``: what is in files into the collection, in one stream, encoding only what changed."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from late_rag.errors import CollectionError, LateRAGError, LoadError, NoTextError, UnsupportedError
from late_rag.retriever.encoding import encode
from late_rag.retriever.files import FileWork, RecordsFile, WholeFile
from late_rag.retriever.progress import Meter

if TYPE_CHECKING:
    from late_rag.loaders import Isolation, RecordFields
    from late_rag.retriever.stages import Stages
    from late_rag.types import Report, Source, SourceFile

Paths: TypeAlias = str | Path | Iterable[str | Path]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that is not in the collection, or only as it was before, and why."""

    location: str
    reason: str


@dataclass(frozen=True, slots=True)
class FileOmission:
    """Something that the collection does not have of a file; see :class:`late_rag.types.Omission`."""

    location: str
    what: str
    lost: bool


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What ``sync`` did: locations of files, in the order in which they were dealt with, and counts of chunks.

    ``unread`` are files found in folders that hold nothing the model reads: pictures, for a model that reads text. Of
    the chunks written, ``encoded`` went through the model and ``reused`` were encoded before: their content is the
    same, or a run that was cut off had staged them. ``omissions`` is what is missing of files that are in: a page, a
    record, or what the collection's options leave out; and why files are unread. ``seconds`` is the time all of it
    took.
    """

    added: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    unread: tuple[str, ...]
    failed: tuple[FailedFile, ...]
    omissions: tuple[FileOmission, ...]
    chunks: int
    encoded: int
    reused: int
    seconds: float

    @property
    def complete(self) -> bool:
        """Whether all that is in the files is in the collection, but for what was left out on purpose."""
        return not self.failed and not any(omission.lost for omission in self.omissions)


class Syncing:
    """One call of ``sync``: what it has found and done so far."""

    def __init__(self, stages: Stages, report: Report | None, *, strict: bool) -> None:
        self._stages = stages
        self._collection = stages.collection
        self._report = report
        self._strict = strict
        self._started = time.monotonic()
        self._under_way: dict[str, FileWork] = {}
        self._added: list[str] = []
        self._updated: list[str] = []
        self._unread: list[str] = []
        self._failed: list[FailedFile] = []
        self._omissions: list[FileOmission] = []
        self._written = self._reused = 0

    def run(
        self, paths: Paths, as_: str | None, fields: RecordFields | None, *, prune: bool, isolated: bool | Isolation
    ) -> SyncResult:
        """Reads the paths, writes what changed, and removes what is gone."""
        from late_rag.loaders import gone, load, scopes

        paths = [paths] if isinstance(paths, str | Path) else list(paths)
        self._known = {(source.root, source.path): source for source in self._collection.sources()}
        roots = list(dict.fromkeys(root for root, _ in self._known))
        covered = scopes(paths, as_=as_, known_roots=roots)
        self._named = {(scope.root, scope.below) for scope in covered}
        settings = self._collection.settings
        found = load(
            paths,
            as_=as_,
            strict=self._strict,
            known_roots=roots,
            fields=fields,
            content=settings.content,
            include=settings.include,
            isolated=isolated,
        )
        files = self._scanned(found)
        changed, unchanged = self._sorted(files)
        meter = Meter(self._report, sum(file.size for file in changed))
        self._encode(changed, meter)
        removed = gone(self._known.values(), files, covered) if prune else []
        for source in removed:
            self._collection.delete_source(source)
        self._collection.finish_load(meter.passed_on)
        return self._result(unchanged, removed, meter)

    def _scanned(self, files: Iterable[SourceFile]) -> list[SourceFile]:
        """All files, so that it is known how much there is to do; none is parsed yet."""
        found, teller = [], Meter(self._report)
        for file in files:
            found.append(file)
            teller.tell("scan", len(found), None, "files", file.path)
        teller.tell("scan", len(found), len(found), "files", last=True)
        return found

    def _sorted(self, files: Sequence[SourceFile]) -> tuple[list[SourceFile], list[str]]:
        """Files to read, and the locations of those that are as they were; the others have failed."""
        changed, unchanged = [], []
        for file in files:
            known = self._known.get((file.root, file.path))
            if file.error is not None:
                self._failed.append(FailedFile(file.location, str(file.error)))
            elif known is not None and known.hash == file.hash:
                unchanged.append(file.location)
            else:
                changed.append(file)
        return changed, unchanged

    def _encode(self, changed: Sequence[SourceFile], meter: Meter) -> None:
        by_hash = {source.hash: source for source in self._known.values()}
        starts = itertools.accumulate((file.size for file in changed), initial=0)
        self._resume = bool(changed) and self._collection.info().staged > 0
        wanted = itertools.chain.from_iterable(
            self._work(file, by_hash, start, meter).wanted() for file, start in zip(changed, starts, strict=False)
        )
        try:
            encode(self._stages, wanted, meter)
        except BaseException as error:
            if not isinstance(error, CollectionError):
                self._rescue()
            raise

    def _work(self, file: SourceFile, by_hash: dict[str, Source], start: int, meter: Meter) -> FileWork:
        def advance(share: float) -> None:
            meter.reached(start + share * file.size)

        before = self._known.get((file.root, file.path)) or by_hash.get(file.hash)
        kind = RecordsFile if file.records else WholeFile
        work = self._under_way[file.location] = kind(self._stages, file, before, self._resume, advance, self._ended)
        return work

    def _ended(self, work: FileWork, error: LateRAGError | None) -> None:
        file, location = work.file, work.file.location
        del self._under_way[location]
        known = (file.root, file.path) in self._known
        if error is None:
            self._list(work, self._updated if known else self._added)
            self._written += work.written
            self._reused += work.reused
        elif work.unread and (file.root, file.path) not in self._named:
            logger.info("not indexed: %s", error)
            self._list(work, self._unread)
        else:
            self._fail(location, error)
        if (work.unread or isinstance(error, NoTextError)) and (known or self._resume):
            self._collection.delete_source(file.source)  # what it had is no longer in it

    def _list(self, work: FileWork, names: list[str]) -> None:
        """Puts a file among those of its kind, with what is left out of it."""
        location = work.file.location
        names.append(location)
        self._omissions += [FileOmission(location, gap.what, gap.lost) for gap in work.file.omissions]

    def _fail(self, location: str, error: LateRAGError) -> None:
        self._failed.append(FailedFile(location, str(error)))
        if self._strict:
            raise error
        if isinstance(error, UnsupportedError):
            logger.warning("not indexed: %s", error)
        elif not isinstance(error, LoadError):  # those the loader has logged
            logger.warning("%s: not indexed: %s", location, error)

    def _rescue(self) -> None:
        """Keeps what is encoded of the files under way, so that the next run goes on from there."""
        for work in list(self._under_way.values()):
            try:
                work.rescue()
            except LateRAGError as error:
                logger.warning("%s: what is encoded of it could not be kept: %s", work.file.location, error)

    def _result(self, unchanged: Sequence[str], removed: Sequence[Source], meter: Meter) -> SyncResult:
        return SyncResult(
            added=tuple(self._added),
            updated=tuple(self._updated),
            unchanged=tuple(unchanged),
            removed=tuple(source.location for source in removed),
            unread=tuple(self._unread),
            failed=tuple(self._failed),
            omissions=tuple(self._omissions),
            chunks=self._written,
            encoded=meter.encoded,
            reused=self._reused,
            seconds=time.monotonic() - self._started,
        )
