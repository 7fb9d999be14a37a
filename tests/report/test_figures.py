import xml.etree.ElementTree as ET

import pytest

from ponderank.report.axes import apart, linear, logarithmic
from ponderank.report.bump import bump
from ponderank.report.content import Line
from ponderank.report.figures import BARS, Point, Span, cost_plot, delta_bars, front, span_plot
from ponderank.report.labels import Box, around, placed
from report_world import HOSTILE

POINTS = [
    Point("cheap", 1.0, 0.30, 1),
    Point("worse", 3.0, 0.28, 2),
    Point("dear", 90.0, 0.45, 3),
    Point("as good", 95.0, 0.45, 4),
]


def drawn(markup, class_):
    return [element for element in ET.fromstring(markup).iter() if class_ in (element.get("class") or "").split()]


def told(element):
    return element.findtext("title")


def test_the_front_leaves_out_what_something_as_cheap_beats_or_something_cheaper_equals():
    assert [point.name for point in front(POINTS)] == ["cheap", "dear"]


def test_costs_far_apart_lie_on_a_logarithmic_axis_and_others_on_one_from_zero():
    assert "seconds, logarithmic" in cost_plot(POINTS, {}, "seconds", "AP")
    near = cost_plot(POINTS[:2], {}, "seconds", "AP")
    assert "logarithmic" not in near
    assert ">0</text>" in near


def test_a_point_lies_where_its_axes_say():
    svg = cost_plot(POINTS, {}, "seconds", "AP")
    dots = {told(dot).split(":")[0]: (float(dot.get("cx")), float(dot.get("cy"))) for dot in drawn(svg, "dot")}
    assert dots["cheap"][0] < dots["worse"][0] < dots["dear"][0] < dots["as good"][0]
    assert dots["dear"][1] == dots["as good"][1] < dots["cheap"][1] < dots["worse"][1]
    decade = (dots["dear"][0] - dots["cheap"][0]) / (dots["worse"][0] - dots["cheap"][0])
    assert decade == pytest.approx(4.0959, rel=1e-3)  # log(90) / log(3)


def test_a_system_without_a_known_cost_is_a_level_with_its_value_told():
    (level,) = drawn(cost_plot(POINTS, {"BM25": (0.25, 0)}, "seconds", "AP"), "level")
    assert told(level) == "BM25: AP 0.2500; its cost is not known"


def test_an_axis_of_shares_does_not_go_beyond_one():
    assert linear([0.4, 1.0], 0, 100, ceiling=1.0).ticks[-1] == 1.0
    assert ">1.2<" not in cost_plot([Point("a", 1.0, 1.0, 0), Point("b", 1.0, 0.1, 1)], {}, "seconds", "AP")


@pytest.mark.parametrize("values", [[0.3], [0.0], [-0.2, 0.1], [1e-9, 2e-9], [5, 5e6]])
def test_ticks_cover_their_values(values):
    axis = linear(values, 0, 100)
    assert axis.ticks[0] <= min(values) <= max(values) <= axis.ticks[-1]
    assert 2 <= len(axis.ticks) <= 8


def test_logarithmic_ticks_are_few_also_over_many_powers():
    assert len(logarithmic([1e-3, 1e4], 0, 1).ticks) <= 9
    assert len(logarithmic([1.0], 0, 1).ticks) >= 1


def test_labels_of_equal_places_are_kept_apart_within_their_bounds():
    found = apart([5.0, 5.0, 5.0, 98.0], 10, 0, 100)
    assert all(b - a >= 10 - 1e-9 for a, b in zip(sorted(found), sorted(found)[1:], strict=False))
    assert min(found) >= 0
    assert max(found) <= 100


def test_names_of_points_side_by_side_do_not_cover_each_other():
    spots = [(100.0, 50.0), (112.0, 50.0), (106.0, 60.0)]
    names = [("a long name", around(*spot)) for spot in spots]
    taken = [Box(x - 7, y - 7, x + 7, y + 7) for x, y in spots]
    found = placed(names, taken, Box(0, 0, 400, 200))
    boxes = [place.box(11) for place in found]
    assert all(a.shared(b) == 0 for at, a in enumerate(boxes) for b in boxes[:at])
    assert all(box.shared(dot) == 0 for box in boxes for dot in taken)


def test_bars_stand_for_queries_that_differ_in_order_with_links():
    deltas = {"a": -0.5, "b": 0.25, "c": 0.0, "d": 0.5}
    svg = delta_bars("x", deltas, {"d": "what is d"}, {"d": "#s0q1"}, "AP", "base", 1)
    bars = drawn(svg, "gain") + drawn(svg, "loss")
    assert [told(bar) for bar in bars] == ["what is d: +0.5000", "b: +0.2500", "a: -0.5000"]
    assert "2 queries better · 1 the same · 1 worse" in svg
    heights = [float(bar.get("height")) for bar in bars]
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.02)
    assert svg.count('href="#s0q1"') == 1


def test_very_many_queries_are_one_shape():
    svg = delta_bars("x", {str(n): n / BARS for n in range(BARS + 1)}, {}, {}, "AP", "base", 1)
    assert svg.count("<rect") == 0
    assert len(drawn(svg, "gain")) == 1


def test_a_span_reaches_from_low_to_high():
    svg = span_plot([Span("x", -0.1, 0.1, 0.3, 1, "told"), Span("y", 0.0, 0.0, 0.0, 2, "told")], "AP", zero=True)
    lines = drawn(svg, "span")
    dots = drawn(svg, "dot")
    assert float(lines[0].get("x1")) < float(dots[0].get("cx")) < float(lines[0].get("x2"))
    assert lines[1].get("x1") == lines[1].get("x2") == dots[1].get("cx")


def test_a_bump_line_goes_through_its_ranks_and_says_them():
    lines = [Line("d1", 2, {"first": 40, "x": 1}), Line("d2", None, {"first": 1}), Line("d3", 0, {"first": 2, "x": 2})]
    svg = bump(lines, ["first", "x"], 10, 1, {"d1": "#there"})
    relevant, unjudged, judged = (drawn(svg, kind)[0] for kind in ("relevant", "unjudged", "judged"))
    assert told(relevant) == "d1 (grade 2): first 40, x 1"
    assert told(unjudged) == "d2 (not judged): first 1, x not ranked"
    heights = [[float(dot.get("cy")) for dot in group.iter("circle")] for group in (relevant, unjudged, judged)]
    assert heights[0][1] < heights[2][1] < heights[0][0] < heights[1][1]
    assert "#there" in svg


@pytest.mark.parametrize("name", [HOSTILE, "", "x" * 400, "ä\u0301日本語"])
def test_every_picture_is_well_formed_whatever_the_names_are(name):
    point = [Point(name, 1.0, 0.5, 12)]
    pictures = [
        cost_plot(point, {name: (0.4, 1)}, name, name), delta_bars(name, {name: 0.5}, {name: name}, {name: "#x"}, name, name, 0),
        span_plot([Span(name, 0, 0.5, 1, 3, name)], name), bump([Line(name, 1, {name: 1})], [name], 10, 1, {name: "#x"}),
    ]  # fmt: skip
    for svg in pictures:
        assert {element.tag for element in ET.fromstring(svg).iter()} <= {
            "svg", "g", "a", "title", "text", "tspan", "line", "circle", "rect", "path",
        }  # fmt: skip
