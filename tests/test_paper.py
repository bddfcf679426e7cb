"""The paper's tables, recomputed: to the digit where the rule is known, and the gap where it is not."""

import csv
import io
from fractions import Fraction

import pytest

from wccsim.counting.count import total
from wccsim.paper.audit import AuditRow, audit, inline_example, misprinted_sizes
from wccsim.paper.contradictions import compressible_window, contradictions
from wccsim.paper.published import settings, table3
from wccsim.paper.rules import RULES, counts, network, rule_text
from wccsim.report.paper import paper_report, paper_text
from wccsim.report.tables import csv_text

ROWS = audit()


def of(table: str) -> list[AuditRow]:
    return [row for row in ROWS if row.table == table]


def test_table_3_is_equal_to_the_digit() -> None:
    rows = of("Table 3")
    assert len(rows) == 52
    assert [row.computed - int(row.published) for row in rows] == [0] * 52


def test_table_2_is_equal_as_truncated() -> None:
    rows = of("Table 2")
    assert len(rows) == 7
    assert [int(row.computed) for row in rows] == [int(row.published) for row in rows]


def test_what_is_inferred_about_table_2_is_said_and_is_what_is_done() -> None:
    """Which layers use WCC is stated nowhere: the text names them, and they are those of the network."""
    text = rule_text("Table 2")
    assert "Inferred from the rows" in text and "which layers use WCC" in text
    layers = network(RULES["Table 2"].network).layers
    wcc = {layer.name for layer in layers if layer.compressible}
    point = {layer.name for layer in layers if layer.op == "conv" and layer.kernel == (1, 1)}
    strided = {layer.name for layer in layers if layer.name in point and layer.stride == (2, 2)}
    guidance = {name for name in point if name.startswith("decoder.reduc")}
    assert wcc == {n for n in point if n.startswith(("encoder.", "decoder.daspp"))} - strided
    assert strided and guidance and not wcc & (strided | guidance)
    assert f"WCC on {len(wcc)} layers, 25.0% of the MAC" in text
    assert any("which layers use WCC" in note for note in paper_report().notes)


def test_monodepth2_is_equal_rounded_or_truncated() -> None:
    assert len(of("monodepth2")) == 7
    assert all(row.verdict.startswith("equal") for row in of("monodepth2"))


def test_efficientdet_full_precision_is_equal_and_the_rest_within_a_tenth_of_a_percent() -> None:
    full, *rest = of("EfficientDet")
    assert full.verdict.startswith("equal")
    assert all(row.verdict == "differs" and abs(row.gap_percent) < Fraction(1, 10) for row in rest)


def test_table_1_is_the_plain_rule_with_its_gap_and_no_fitted_constant() -> None:
    """Every row of Table 1 follows from three sums over the layers: no constant stands between them."""
    for table in ("Table 1 Cityscapes", "Table 1 VOC"):
        rows = {setting.row: setting for setting in settings(table)}
        dense = counts(rows["FP32"])
        wcc = [c.layer.name for c in counts(rows["8/8 WCC 50%"]) if c.layer.keep is not None]
        inside = sum(c.macs for c in dense if c.layer.name in wcc)
        outside = sum(c.macs for c in dense if c.layer.name not in wcc)
        haar = total(counts(rows["8/8 WCC 50%"]), lambda c: c.bops_haar)
        for row in of(table):
            setting = rows[row.row]
            keep = Fraction(setting.shrinkage_percent or "100") / 100
            bits = setting.weight_bits * int(setting.act_bits)
            transform = haar if setting.shrinkage_percent else 0
            assert row.computed * 10**9 == (keep * inside + outside) * bits + transform
    full_city, full_voc = of("Table 1 Cityscapes")[0], of("Table 1 VOC")[0]
    assert -1 < full_city.gap_percent < 0 < full_voc.gap_percent < 2


def test_the_inline_example() -> None:
    assert [row.verdict.startswith("equal") for row in of("Section 4.1")] == [True, True]
    assert (inline_example().bops_conv, inline_example().bops_haar) == (11_363_942_400, 54_378_240)


def test_thirteen_printed_sizes_are_wrong_and_their_macs_are_right() -> None:
    wrong = misprinted_sizes()
    assert len(wrong) == 13
    for row, layer in wrong:
        right = layer.in_shape.height * layer.in_shape.width
        if row.kernel == 1:
            channels = layer.in_shape.channels * layer.out_shape.channels
            assert row.macs == channels * right != channels * row.height * row.width


def test_the_voc_rows_exclude_each_other() -> None:
    (_, high8), (low4, _) = compressible_window("Table 1 VOC", 8), compressible_window("Table 1 VOC", 4)
    assert high8 <= low4
    low, high = zip(*(compressible_window("Table 1 Cityscapes", bits) for bits in (8, 4)), strict=True)
    assert max(low) < min(high)  # Cityscapes is consistent


FIGURES = (
    "13 of 50, 1,094.95 M, 130,688.25, 131,072, 54.38 M, 13.59 M, 72.50 M, 36x36, 12,740.20 M, 19 G, +9.09%, "
    "+14.13%, +2.06%, +23.46%, 44x152, 22x76, 11x38, 12x40, 6x20, 64 padded, "
    "133.595 is printed 133.6, 103.964 is printed 103.9"
)


@pytest.mark.parametrize("figure", FIGURES.split(", "))
def test_every_contradiction_comes_with_its_figure(figure: str) -> None:
    """Figures worked out by hand in the study of the paper; the text computes them anew."""
    assert any(figure in text for text in contradictions())


def test_the_verdict_knows_rounding_from_truncation() -> None:
    pairs = [("5", "5"), ("5", "5.2"), ("5", "5.7"), ("5", "4.7"), ("5", "6"), ("1.5", "1.55")]
    verdicts = [AuditRow("", "", printed, Fraction(value)).verdict for printed, value in pairs]
    assert verdicts == [
        "equal",
        "equal, rounded or truncated",
        "equal, truncated",
        "equal, rounded",
        "differs",
        "equal, truncated",
    ]


def test_the_csv_has_every_number_and_the_fixed_columns() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(paper_report()))))
    assert list(rows[0]) == ["table", "row", "published", "computed", "gap_percent", "note"]
    assert len(rows) == 15 + 15 + 7 + len(table3()) + 2 + 2 + 7 + 4
    assert sum("printed H x W is wrong" in row["note"] for row in rows) == 13
    assert rows[0]["published"] == "36377" and rows[0]["computed"] == "36073.809371136"


def test_the_text_fits_a_terminal() -> None:
    assert max(map(len, paper_text().splitlines())) <= 100
