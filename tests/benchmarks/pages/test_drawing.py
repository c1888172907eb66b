from __future__ import annotations

from xml.etree import ElementTree

from benchmarks.pages.drawing import Plot, as_file, as_svg, single_panel


def test_a_file_says_that_it_is_an_svg_and_what_it_shows() -> None:
    figure, axes = single_panel(2.0)
    axes.plot([0, 1], [0, 1], marker="o")
    plot = Plot('a < "b" & c', as_svg(figure), "")
    root = ElementTree.fromstring(as_file(plot))  # noqa: S314
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["aria-label"] == plot.title
    assert "xmlns" not in plot.svg
    assert as_file(plot).count("xmlns") == 1
