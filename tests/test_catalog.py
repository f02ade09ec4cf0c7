"""The names of a sale's items."""

import codecs
import re
from itertools import pairwise, product

import pytest
from flashsale import catalog
from flashsale.catalog import SPACE, item_name, item_names
from hypothesis import given
from hypothesis import strategies as st

SALE = 1_760_000_400
SHAPE = re.compile(r"[A-Z][a-z]{3,11}( [A-Z][a-z]{2,10})?( [A-Z][a-z]{2,12})")
# In rot13: nobody wants to read them, here or in a shop, in any of half a dozen languages.
OFFENSIVE = codecs.decode(
    """
    nany nahf nefr nff ovgpu obare obbo ohttre ohgg pnpn pnmm puvax pvcn pbpx pbba penc phyb phz
    phag qnza qvpx qvyqb qlxr snt sneg svpn svpx svgg shpx tnl tbbx uryy uvgyre ubzb uber ubeal
    uher wnc wrfhf wrj wvmm xnxn xvxr xvyy xhein xhej zreq zvreq zvapu zbat zbeba anmv arte avtt
    ahqr betnf betl cnxv crqb cravf crefr cvqbe cvzc cvatn cvff cvmq cbb cbea chff chgn chgb encr
    encvfg ergneq fngna fpurvf fpebg frzra frk fuvg fynt fynir fyhg fbqb fcrez fcvp fhxn gvg genaal
    gheq gjng intva iretn ivby ivggh ihyin jnax juber kkk mbpp
    """,
    "rot13",
).split()
MARKS = set(
    """
    adidas adria alessi amstel asics asus bosch bose braun brita calida calor camel canon casio
    celine chanel corona delonghi dell delsey dior elmar elna evian fila garmin halston ikea
    kenmore kenzo kindle lamy lancia leica lenovo longines loreal lumix marvel miele milka mont
    moleskine montblanc nestle nike nokia omega orvis panasonic pelikan prada puma rado renault
    rolex romer samsonite seiko sony tesla timex tissot toblerone tolix tomtom toyota venini vitra
    volvo zara zenith
    """.split()
)


def every_word() -> list[str]:
    return ["".join(parts) for parts in product(catalog.STARTS, catalog.MIDDLES, catalog.ENDS)]


@pytest.mark.parametrize("starts_at", [0, SALE, SALE + 3600, SALE + 7200, 4_102_444_800])
def test_ten_thousand_items_of_a_sale_have_ten_thousand_names(starts_at: int) -> None:
    assert len(set(item_names(starts_at, 10_000))) == 10_000


def test_no_two_triples_of_syllables_make_the_same_word_nor_two_kinds_the_same_goods() -> None:
    """With the permutation, this is all that uniqueness rests on."""
    assert len(set(every_word())) == catalog.WORDS
    assert len(set(catalog.GOODS)) == len(catalog.GOODS) == 12 * (1 + 9) * 10


@given(st.integers(), st.sets(st.integers(1, SPACE), min_size=2, max_size=50))
def test_any_ids_of_any_sale_have_different_names(starts_at: int, ids: set[int]) -> None:
    assert len({item_name(starts_at, item_id) for item_id in ids}) == len(ids)


def test_a_name_is_an_invented_word_a_qualifier_or_none_and_a_noun() -> None:
    for name in item_names(SALE, 10_000):
        assert SHAPE.fullmatch(name), name
    longest = max(map(len, every_word())) + max(map(len, catalog.GOODS))
    assert longest <= 40


def test_names_do_not_change() -> None:
    """A sale under way would be rebuilt with other items than it opened with."""
    assert item_names(SALE, 5) == [
        "Tammelen Onyx Coupe",
        "Ulfivale Ash Armchair",
        "Jolinel Birch Ottoman",
        "Emlenia Cedar Casket",
        "Aulonel Terracotta Decanter",
    ]
    assert item_name(SALE, 10_000) == "Yaluthel Tan Holdall"
    assert item_name(SALE + 3600, 1) == "Lanmenia Bronze Lampstand"


def test_one_name_is_the_one_in_the_list() -> None:
    assert [item_name(SALE, item_id) for item_id in range(1, 301)] == item_names(SALE, 300)
    assert item_names(SALE, 300) == item_names(SALE, 10_000)[:300]
    assert item_names(SALE, 0) == []


def test_neighbours_look_unrelated() -> None:
    """Few ids share a word with the next one, as few as if they were drawn from a hat."""
    names = item_names(SALE, 10_000)
    alike = sum(bool({*a.split()} & {*b.split()}) for a, b in pairwise(names))
    assert alike < 400
    assert len({name.split()[0] for name in names}) > 8_000
    nouns = [name.split()[-1] for name in names]
    assert all(40 < nouns.count(noun) < 140 for noun in set(nouns))
    assert len(set(nouns)) == 120


def test_the_next_sale_sells_other_things() -> None:
    assert len({*item_names(SALE, 10_000)} & {*item_names(SALE + 3600, 10_000)}) < 20


def test_no_word_offends_or_is_somebody_elses_brand() -> None:
    """All 38,400 words that can come out are read, not a sample."""
    for word in every_word():
        assert not [stem for stem in OFFENSIVE if stem in word.lower()], word
        assert word.lower() not in MARKS


@pytest.mark.parametrize("item_id", [0, -1, SPACE + 1])
def test_an_id_out_of_range_is_refused(item_id: int) -> None:
    with pytest.raises(ValueError, match="item_id must be 1 to"):
        item_name(SALE, item_id)


def test_a_sale_larger_than_the_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="total must be 0 to"):
        item_names(SALE, SPACE + 1)
