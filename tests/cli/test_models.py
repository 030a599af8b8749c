"""late-rag models."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from late_rag.cli.application import application
from late_rag.encoders.models import KNOWN


def test_all_are_listed_with_what_their_cards_say():
    done = CliRunner().invoke(application, ["models"])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    row = next(line.split() for line in lines if line.split()[:1] == ["lateon"])
    assert row == ["lateon", "149", "M", "128", "32", "300", "English", "Apache-2.0"]
    for name, model in KNOWN.items():
        (line,) = (line for line in lines if line.startswith(f"{name} ({model.hub}): {model.purpose}"))
        assert model.note in line
    assert (
        "jina-colbert-v2 (jinaai/jina-colbert-v2): general, many languages; not for commercial use; not read:"
        in done.stdout
    )


def test_as_json_what_a_card_does_not_say_is_null():
    done = CliRunner().invoke(application, ["models", "--json"])
    listed = {model["name"]: model for model in json.loads(done.stdout)}
    assert listed.keys() == KNOWN.keys()
    small = listed["answerai-colbert-small"]
    assert (small["hub"], small["dim"], small["reading"]) == ("lightonai/answerai-colbert-small-v1", 96, "compiled")
    assert listed["mlateon"]["licence"] is None
