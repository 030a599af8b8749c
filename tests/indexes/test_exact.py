"""The exact index keeps the contract, and its packed rows survive any order of adding and removing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag.indexes import blocks
from late_rag.indexes.blocks import PackedChunk
from late_rag.indexes.exact import ExactIndex, packed_chunk
from late_rag.indexes.packed import PackedScan
from late_rag.scoring.packing import pack
from late_rag.scoring.stored import stored_maxsim, stored_query
from late_rag.testing import IndexContract
from late_rag.testing.data import random_embeddings


class TestExactIndex(IndexContract):
    index_class = ExactIndex


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=25), st.integers(0, 2**32))
def test_scan_equals_exact_scores_after_any_adding_and_removing(steps: list[tuple[bool, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    patched, blocks.BLOCK_TOKENS = blocks.BLOCK_TOKENS, 100
    try:
        scan, live, following = PackedScan(), {}, 1
        for adding, amount in steps:
            if adding:
                new = {
                    following + number: pack(rows)
                    for number, rows in enumerate(random_embeddings(amount % 7, 16, seed=amount, empty_share=0.2))
                }
                following += len(new) + 1
                scan = scan.adding(PackedChunk(row, rows) for row, rows in new.items())
                live |= {row: rows for row, rows in new.items() if len(rows.values)}
            else:
                gone = [row for row in live if rng.random() < amount / 60]
                scan = scan.removing([*gone, 10_000])
                for row in gone:
                    del live[row]
        query = random_embeddings(1, 16, seed=seed % 1000)[0]
        rows, bounds = scan.search([query], 10**6)[0]
        assert sorted(rows.tolist()) == sorted(live)
        assert len(scan) == len(live)
        exact = stored_maxsim(stored_query(query, "int8"), [live[row] for row in rows.tolist()])
        assert (bounds >= exact).all()
        assert (bounds - exact <= 0.2 * len(query)).all()
    finally:
        blocks.BLOCK_TOKENS = patched


def test_half_precision_rows_keep_the_bounds() -> None:
    query = random_embeddings(1, 64, seed=3)[0]
    chunks = [pack(rows, "float16") for rows in random_embeddings(50, 64, seed=4)]
    scan = PackedScan().adding(
        packed_chunk(row, chunk.values.astype(np.float32)) for row, chunk in enumerate(chunks, 1)
    )
    exact = stored_maxsim(stored_query(query, "float16"), chunks)
    rows, bounds = scan.search([query], 50)[0]
    assert (bounds >= exact[rows - 1]).all()


def test_one_call_for_many_queries_equals_many_calls() -> None:
    scan = PackedScan().adding(packed_chunk(row, c) for row, c in enumerate(random_embeddings(100, 16, seed=5), 1))
    queries = random_embeddings(30, 16, seed=6)
    together = scan.search(queries, 10)
    for query, (rows, bounds) in zip(queries, together, strict=True):
        alone_rows, alone_bounds = scan.search([query], 10)[0]
        np.testing.assert_array_equal(rows, alone_rows)
        np.testing.assert_allclose(bounds, alone_bounds, rtol=1e-5)
