"""What the packages for frameworks use of late_rag, beside the public names of :mod:`late_rag` itself, and all of it.

A component holds where its collection is, and how to search it; never a model or a connection. So it pickles, copies
and serialises, and ten of them share one model and one open collection:

- a location, or a :class:`StoreHolder` for what is written to, becomes the process's shared retriever;
- :class:`SearchConfig` has the options of a search, checked once;
- filters of a framework become the tree of :class:`Condition`, :class:`And`, :class:`Or` and :class:`Not`;
- what is known of a hit becomes metadata by :class:`HitFields`;
- tools for agents tell a model the same of what they take.

Names load on first use, so that a component loads no more than it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag import lazy

if TYPE_CHECKING:
    from late_rag.adapters.arguments import UnknownArgumentError, check_arguments, check_flag, check_model, hinting
    from late_rag.adapters.configuration import anchored, check_collection, location_of, seen_from, without_secrets
    from late_rag.adapters.hits import HitFields, beside, known
    from late_rag.adapters.holder import StoreHolder, check_owners
    from late_rag.adapters.inputs import item_name, listed, naming, times_as_text, without_tuples
    from late_rag.adapters.media import is_unread, to_compare
    from late_rag.adapters.notes import as_found, noted
    from late_rag.adapters.showing import described, progress_bar
    from late_rag.adapters.tool import NOTHING_FOUND, TOOL_COUNT, TOOL_QUERY, agent_filter, filter_description, narrowed
    from late_rag.asynchronous import in_thread, to_reader, to_writer
    from late_rag.chunkers import ChunkingOptions, chunker_class, load_chunker
    from late_rag.chunkers.options import LEAST_TOKENS
    from late_rag.chunkers.tokens import TokenCounter
    from late_rag.chunkers.whole import one_chunk
    from late_rag.closing import Closing
    from late_rag.encoders import consenting
    from late_rag.errors import (
        CollectionError,
        CollectionExistsError,
        ConflictError,
        FilterError,
        InputError,
        LoadError,
        UnsupportedError,
    )
    from late_rag.filters import BUILT_IN, And, Condition, Filter, Not, Or, parse
    from late_rag.filters.constant import constant
    from late_rag.filters.times import read_datetime
    from late_rag.filters.tree import MAX_DEPTH as FILTER_DEPTH
    from late_rag.filters.values import is_number
    from late_rag.lazy import lazy_names
    from late_rag.loaders import LoadOptions, RecordFields, render
    from late_rag.loaders.discovery import check_label, check_paths
    from late_rag.metadata import MAX_DEPTH as METADATA_DEPTH
    from late_rag.metadata import check as check_metadata
    from late_rag.metadata import decode as decode_metadata
    from late_rag.metadata import encode as encode_metadata
    from late_rag.metadata import same
    from late_rag.protocols import Chunker, Collection, Encoder
    from late_rag.reranker import Ranked, shared_reranker
    from late_rag.retriever import shared_retriever
    from late_rag.retriever.inputs import Addable, check_query, check_text, check_threshold, check_top_k
    from late_rag.retriever.joining import SPACE_BEFORE
    from late_rag.retriever.options import SHAPE, SearchConfig, Shape
    from late_rag.transfer import copy_collection
    from late_rag.types import Mode, OnConflict, Report, TokenMatch, batched, canonical_json, digest

_NAMES = {
    "late_rag.adapters.arguments": (
        "UnknownArgumentError",
        "check_arguments",
        "check_flag",
        "check_model",
        "hinting",
    ),
    "late_rag.adapters.configuration": ("anchored", "check_collection", "location_of", "seen_from", "without_secrets"),
    "late_rag.adapters.hits": ("HitFields", "beside", "known"),
    "late_rag.adapters.holder": ("StoreHolder", "check_owners"),
    "late_rag.adapters.inputs": ("item_name", "listed", "naming", "times_as_text", "without_tuples"),
    "late_rag.adapters.media": ("is_unread", "to_compare"),
    "late_rag.adapters.notes": ("as_found", "noted"),
    "late_rag.adapters.showing": ("described", "progress_bar"),
    "late_rag.adapters.tool": (
        "NOTHING_FOUND",
        "TOOL_COUNT",
        "TOOL_QUERY",
        "agent_filter",
        "filter_description",
        "narrowed",
    ),
    "late_rag.asynchronous": ("in_thread", "to_reader", "to_writer"),
    "late_rag.chunkers": ("ChunkingOptions", "chunker_class", "load_chunker"),
    "late_rag.chunkers.options": ("LEAST_TOKENS",),
    "late_rag.chunkers.tokens": ("TokenCounter",),
    "late_rag.chunkers.whole": ("one_chunk",),
    "late_rag.closing": ("Closing",),
    "late_rag.encoders": ("consenting",),
    "late_rag.errors": (
        "CollectionError",
        "CollectionExistsError",
        "ConflictError",
        "FilterError",
        "InputError",
        "LoadError",
        "UnsupportedError",
    ),
    "late_rag.filters": ("BUILT_IN", "And", "Condition", "Filter", "Not", "Or", "parse"),
    "late_rag.filters.constant": ("constant",),
    "late_rag.filters.times": ("read_datetime",),
    "late_rag.filters.tree": ("FILTER_DEPTH",),
    "late_rag.filters.values": ("is_number",),
    "late_rag.lazy": ("lazy_names",),
    "late_rag.loaders": ("LoadOptions", "RecordFields", "render"),
    "late_rag.loaders.discovery": ("check_label", "check_paths"),
    "late_rag.metadata": ("METADATA_DEPTH", "check_metadata", "decode_metadata", "encode_metadata", "same"),
    "late_rag.protocols": ("Chunker", "Collection", "Encoder"),
    "late_rag.reranker": ("Ranked", "shared_reranker"),
    "late_rag.retriever": ("shared_retriever",),
    "late_rag.retriever.inputs": ("Addable", "check_query", "check_text", "check_threshold", "check_top_k"),
    "late_rag.retriever.joining": ("SPACE_BEFORE",),
    "late_rag.retriever.options": ("SHAPE", "SearchConfig", "Shape"),
    "late_rag.transfer": ("copy_collection",),
    "late_rag.types": ("Mode", "OnConflict", "Report", "TokenMatch", "batched", "canonical_json", "digest"),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}
_RENAMED = {
    "FILTER_DEPTH": "MAX_DEPTH",
    "METADATA_DEPTH": "MAX_DEPTH",
    "check_metadata": "check",
    "decode_metadata": "decode",
    "encode_metadata": "encode",
}
"""What has a name at home that says too little here."""

__all__ = [
    "BUILT_IN",
    "FILTER_DEPTH",
    "LEAST_TOKENS",
    "METADATA_DEPTH",
    "NOTHING_FOUND",
    "SHAPE",
    "SPACE_BEFORE",
    "TOOL_COUNT",
    "TOOL_QUERY",
    "Addable",
    "And",
    "Chunker",
    "ChunkingOptions",
    "Closing",
    "Collection",
    "CollectionError",
    "CollectionExistsError",
    "Condition",
    "ConflictError",
    "Encoder",
    "Filter",
    "FilterError",
    "HitFields",
    "InputError",
    "LoadError",
    "LoadOptions",
    "Mode",
    "Not",
    "OnConflict",
    "Or",
    "Ranked",
    "RecordFields",
    "Report",
    "SearchConfig",
    "Shape",
    "StoreHolder",
    "TokenCounter",
    "TokenMatch",
    "UnknownArgumentError",
    "UnsupportedError",
    "agent_filter",
    "anchored",
    "as_found",
    "batched",
    "beside",
    "canonical_json",
    "check_arguments",
    "check_collection",
    "check_flag",
    "check_label",
    "check_metadata",
    "check_model",
    "check_owners",
    "check_paths",
    "check_query",
    "check_text",
    "check_threshold",
    "check_top_k",
    "chunker_class",
    "consenting",
    "constant",
    "copy_collection",
    "decode_metadata",
    "described",
    "digest",
    "encode_metadata",
    "filter_description",
    "hinting",
    "in_thread",
    "is_number",
    "is_unread",
    "item_name",
    "known",
    "lazy_names",
    "listed",
    "load_chunker",
    "location_of",
    "naming",
    "narrowed",
    "noted",
    "one_chunk",
    "parse",
    "progress_bar",
    "read_datetime",
    "render",
    "same",
    "seen_from",
    "shared_reranker",
    "shared_retriever",
    "times_as_text",
    "to_compare",
    "to_reader",
    "to_writer",
    "without_secrets",
    "without_tuples",
]

__getattr__, __dir__ = lazy.lazy_names(__name__, _HOMES, _RENAMED)
