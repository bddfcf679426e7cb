"""What the report says of rows that missed their rate follows from the rows."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_compare_parts import feature_map, natural_map
from test_compare_run import row

from wccsim.compare.catalog import METHODS
from wccsim.compare.metrics import Reference
from wccsim.compare.rows import NEAREST, Row, row_of
from wccsim.report.missed import missed_sentence, reason


def missed(codec: str, bits: int, **parts: int) -> Row:
    made = row("made", codec, 2.0, 5.0, NEAREST)
    values = made.channels * made.height * made.width
    return replace(
        made, total_bits=bits * values, breakdown=json.dumps({n: v * values for n, v in parts.items()})
    )


def test_the_reason_is_in_the_bits() -> None:
    assert reason(missed("a", 1, payload=1)) == "the finest setting needs fewer bits"
    assert reason(missed("a", 9, raw=9)) == "the map went raw"
    assert reason(missed("a", 4, basis=3, payload=1)) == "side bits alone exceed the rate"
    assert reason(missed("a", 4, basis=1, payload=3)).startswith("the coarsest setting")


def test_the_sentence_counts_by_reason_and_codec() -> None:
    rows = [missed("a", 1, payload=1), missed("a", 1, payload=1), missed("b", 9, raw=9)]
    rows += [row("made", "c", 2.0, 5.0), replace(row("made", "c", 2.0, 5.0), target=None)]
    said = missed_sentence(rows)
    assert said.startswith("3 of 4 settings did not reach their rate")
    assert said.endswith("By reason: the finest setting needs fewer bits: a 2; the map went raw: b 1.")
    assert "By reason" not in missed_sentence(rows[3:])


@pytest.mark.parametrize(
    ("codec", "shape", "rate", "why"),
    [
        ("apot", (4, 16, 16), 2.0, "the coarsest setting, or the nearest, needs more bits"),
        ("apot", (4, 16, 16), 8.0, "the finest setting needs fewer bits"),
        ("klt", (64, 9, 9), 2.0, "side bits alone exceed the rate"),
        ("klt", (64, 5, 5), 2.0, "the map went raw"),
        ("wcc+rice-words", (8, 40, 40), 7.5, "the finest setting needs fewer bits"),
    ],
)
def test_the_usual_causes(codec: str, shape: Any, rate: float, why: str) -> None:
    x = natural_map(shape)
    point = METHODS[codec].at(x, rate * np.prod(shape))
    found = row_of(Reference.of(feature_map(x)), codec, rate, point)
    assert found.status == NEAREST and reason(found) == why
