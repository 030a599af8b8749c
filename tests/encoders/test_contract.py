"""The contract, on every encoder of the library that needs no torch."""

from __future__ import annotations

import numpy as np
import pytest

from late_rag.encoders import load_encoder
from late_rag.testing import ContextualEncoder, EncoderContract, HashEncoder, PictureEncoder


class TestHashEncoder(EncoderContract):
    @pytest.fixture
    def encoder(self):
        return HashEncoder()


class TestPictureEncoder(EncoderContract):
    @pytest.fixture
    def encoder(self):
        return PictureEncoder()


class TestContextualEncoder(EncoderContract):
    @pytest.fixture
    def encoder(self):
        return ContextualEncoder()


class Exactly(EncoderContract):
    """One text at a time: not one bit depends on what else is encoded."""

    def same(self, left, right):
        return left.shape == right.shape and np.array_equal(left, right)


class TestMinilm(Exactly):
    @pytest.fixture
    def encoder(self):
        return load_encoder("minilm")


class TestCheckpointFolders(Exactly):
    @pytest.fixture
    def encoder(self, checkpoint):
        return load_encoder(checkpoint, workers=2)
