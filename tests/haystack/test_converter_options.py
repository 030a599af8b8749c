"""What a converter is asked to read reaches the core's loaders, also from a pipeline's YAML."""

from __future__ import annotations

import pytest
from haystack.dataclasses import ByteStream

from haystack_integrations.components.converters.late_rag import LateInteractionConverter
from late_rag.errors import InputError

NOTEBOOK = """{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
{"cell_type": "code", "metadata": {}, "execution_count": 1, "source": "answer()",
 "outputs": [{"output_type": "stream", "name": "stdout", "text": "forty-two"}]}]}"""


def test_options_of_loading_reach_the_loaders(tmp_path):
    (tmp_path / "a.ipynb").write_text(NOTEBOOK)
    assert "forty-two" not in LateInteractionConverter().run([tmp_path])["documents"][0].content
    converter = LateInteractionConverter(include=["outputs"], content="all")
    again = LateInteractionConverter.from_dict(converter.to_dict())
    assert "forty-two" in again.run([tmp_path])["documents"][0].content
    with pytest.raises(InputError, match="include takes a list of"):
        LateInteractionConverter(include=["footers"])


def test_a_stream_is_told_by_its_mime_type():
    stream = ByteStream(NOTEBOOK.encode(), mime_type="application/x-ipynb+json")
    assert "answer()" in LateInteractionConverter().run([stream])["documents"][0].content
