"""The checkpoints with random weights, as PyLate itself makes them."""

from __future__ import annotations

from pathlib import Path

from pylate import models
from sentence_transformers.models import Transformer

from tests.random_checkpoints import CHECKPOINTS, bend, write_network


def make_checkpoint(name: str, folder: Path) -> models.ColBERT:
    """Writes the checkpoint as PyLate does; the model, read again from there."""
    _, layers, settings = CHECKPOINTS[name]
    network = Transformer(str(write_network(name, folder / "base")))
    made = models.ColBERT(modules=[network, *(bend(models.Dense(**each)) for each in layers)], device="cpu", **settings)
    made.save(str(folder / "checkpoint"))
    return models.ColBERT(str(folder / "checkpoint"), device="cpu")
