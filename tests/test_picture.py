"""The pictures of a sale's items."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from flashsale import catalog
from flashsale.catalog import KINDS, item_names
from flashsale.picture import COLOURS, FORMS, picture
from hypothesis import example, given
from hypothesis import strategies as st

SVG = "{http://www.w3.org/2000/svg}"
SALE = item_names(1_760_000_400, 10_000)
ELEMENTS = {SVG + tag for tag in ("svg", "title", "g", "path", "circle", "ellipse")}
HOSTILE = [
    "",
    " ",
    "</title><script>alert(1)</script>",
    "\"' onload='alert(1)",
    "]]> <!-- & &amp; &#0; <![CDATA[ <?xml ?>",
    "Velora \x00\x08\x0b\x1b\x7f\x85\ufffe\uffff\ud800 Lamp",
    "<" * 100_000,
    "#trim #company {x} %s Copper Lantern",
    "Ворота 灯笼 🏮",
]


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.encode())  # noqa: S314 (it is our own)


def drawing(svg: str) -> str:
    return re.sub("<title>.*?</title>", "", svg)


def test_all_pictures_of_a_sale_differ_even_without_their_titles() -> None:
    pictures = [picture(name, item_id) for item_id, name in enumerate(SALE, 1)]
    assert len({drawing(svg) for svg in pictures}) == len(pictures)
    assert max(len(svg.encode()) for svg in pictures) < 2_500


def test_the_number_alone_and_the_name_alone_change_the_drawing() -> None:
    assert drawing(picture("Velora Copper Lantern", 1)) != drawing(
        picture("Velora Copper Lantern", 2)
    )
    assert drawing(picture("Velora Copper Lantern", 1)) != drawing(
        picture("Belmara Copper Lantern", 1)
    )


def test_every_noun_has_a_form_and_every_qualifier_a_colour() -> None:
    for qualifiers, nouns in KINDS.values():
        assert {*nouns.split()} <= FORMS.keys()
        assert {*qualifiers.split()} <= COLOURS.keys()
    assert f'color="#{COLOURS["Copper"]}"' in picture("Velora Copper Lantern", 1)


@pytest.mark.parametrize("name", [*SALE[:50], *HOSTILE])
def test_a_picture_is_an_image_with_a_title_and_nothing_but_shapes(name: str) -> None:
    root = parsed(picture(name, 7))
    assert root.tag == SVG + "svg"
    assert root.get("role") == "img"
    assert root.get("viewBox") == "0 0 200 200"
    assert root[0].tag == SVG + "title"
    assert {element.tag for element in root.iter()} <= ELEMENTS
    names = {attribute for element in root.iter() for attribute in element.attrib}
    assert not [n for n in names if n.startswith("on") or "href" in n or n in {"style", "id"}]


@given(st.text(st.characters(codec=None)), st.integers())
@example("]]>", 1)
@example("\ud800<\x00", 1)
def test_no_name_breaks_the_markup_and_the_title_says_it(name: str, item_id: int) -> None:
    svg = picture(name, item_id)
    root = parsed(svg)
    assert {element.tag for element in root.iter()} <= ELEMENTS
    allowed = re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "", name[:80])
    assert (root[0].text or "") == allowed
    assert len(svg.encode()) < 2_500


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_outside_is_asked_for(name: str) -> None:
    svg = picture(name, 7)
    shapes = drawing(svg).replace('xmlns="http://www.w3.org/2000/svg"', "")
    for word in ("http", "//", "url(", "href", "@import", "font", "script", "data:"):
        assert word not in shapes
    assert len(svg.encode()) < 2_500


def test_another_process_draws_the_same() -> None:
    program = "from flashsale.picture import picture; print(picture('Velora Copper Lantern', 42))"
    path = str(Path(catalog.__file__).parents[1])
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": path, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == picture("Velora Copper Lantern", 42)
