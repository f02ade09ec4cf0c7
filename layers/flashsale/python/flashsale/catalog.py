"""What a sale sells: 10,000 names, each a pure function of the sale's start and the item's number.

A name is a number below `SPACE` read in mixed radix: the three parts of an invented word, then a
kind of product, its qualifier and its noun. The sale's start seeds a permutation of those numbers,
so names are unique within a sale by construction, and a sale rebuilt after a crash is the same.

The vocabulary is append-nothing: one word added, moved or removed changes the names of a sale
under way (the ledger keeps the names already recorded).
"""

# Middles and ends begin with a consonant and starts hold one vowel group, so no invented word can
# be read as two different triples. The test reads all of them, for that and for bad language.
STARTS = """
    Ael Al Ash Au Bel Bren Bri Cal Cel Dal Del Don Eir Em Fal Fen Flo Gal Ha Hol Il Jo Ka Kel Lan
    Lin Lun Mae Mil Mon Nor Or Pel Qui Rom Sel Sol Tal Tam Tor Tre Ul Va Ve Vi Wil Ya Zen
""".split()
MIDDLES = ["", *"la le li lo lu fi me mi mo ne ni no ra re ri ro sa ta to".split()]
ENDS = """
    bell bria dale dell den dor dra drin len lia lind lis lune mar mere mont na nel nia nor
    quin ra ren ria ris rune sel sen stra thel thia vale ven via vin wen wick wyn zel zen
""".split()

# kind: (qualifiers that suit it, nouns); one name in ten goes without a qualifier. picture.py has
# a colour for every qualifier and a form for every noun.
KINDS = {
    "vessel": (
        "Copper Glass Porcelain Stoneware Enamel Terracotta Pewter Celadon Cobalt",
        "Teapot Kettle Jug Pitcher Ewer Carafe Decanter Vase Flask Amphora",
    ),
    "cup": (
        "Ceramic Marble Earthenware Ivory Indigo Olive Onyx Coral Maple",
        "Mug Teacup Tankard Goblet Chalice Coupe Bowl Basin Dish Tureen",
    ),
    "light": (
        "Brass Copper Chrome Opal Iron Nickel Amber Alabaster Bronze",
        "Lamp Nightlight Lampstand Luminaire Lantern Beacon Candlestick Candleholder Taper Votive",
    ),
    "seat": (
        "Oak Walnut Ash Birch Cherry Teak Rattan Ebony Bamboo",
        "Chair Armchair Rocker Carver Stool Bench Ottoman Table Desk Console",
    ),
    "bag": (
        "Leather Canvas Suede Tan Chestnut Denim Felt Burgundy Tweed",
        "Satchel Briefcase Handbag Purse Tote Holdall Shopper Backpack Rucksack Knapsack",
    ),
    "textile": (
        "Linen Wool Cotton Cashmere Silk Saffron Madder Merino Mohair",
        "Blanket Throw Quilt Towel Coverlet Rug Tapestry Runner Scarf Shawl",
    ),
    "dial": (
        "Brass Steel Titanium Gold Silver Bronze Midnight Rosewood Platinum",
        "Watch Wristwatch Chronograph Stopwatch Timer Compass Clock Barometer Regulator Timepiece",
    ),
    "sound": (
        "Graphite Walnut Cream Scarlet Teal Slate Pearl Mustard Sage",
        "Radio Receiver Tuner Stereo Amplifier Speaker Monitor Subwoofer Gramophone Phonograph",
    ),
    "book": (
        "Leather Linen Crimson Navy Emerald Plum Kraft Moss Velvet",
        "Notebook Journal Album Sketchbook Diary Planner Almanac Atlas Folio Logbook",
    ),
    "jewel": (
        "Ruby Pearl Opal Amber Jade Garnet Sapphire Topaz Turquoise",
        "Ring Signet Solitaire Bracelet Bangle Armlet Pendant Locket Necklace Amulet",
    ),
    "case": (
        "Mahogany Cedar Pine Rosewood Elm Lacquer Beech Larch Willow",
        "Cabinet Dresser Bureau Sideboard Credenza Bookcase Shelf Chest Trunk Casket",
    ),
    "art": (
        "Dawn Coastal Alpine Autumn Twilight Meadow Desert Harbour Lagoon",
        "Print Etching Painting Mosaic Woodcut Linocut Lithograph Poster Watercolour Panorama",
    ),
}
GOODS = [
    f" {qualifier} {noun}".replace("  ", " ")
    for qualifiers, nouns in KINDS.values()
    for qualifier in ["", *qualifiers.split()]
    for noun in nouns.split()
]
WORDS = len(STARTS) * len(MIDDLES) * len(ENDS)
SPACE = WORDS * len(GOODS)

_MASK = 2**64 - 1


def item_name(starts_at: int, item_id: int) -> str:
    """Return the name of item `item_id` (1 to `SPACE`) of the sale that starts at that second.

    Raises ValueError for an id out of range.
    """
    if not 1 <= item_id <= SPACE:
        raise ValueError(f"item_id must be 1 to {SPACE}, not {item_id}")
    return _name(item_id - 1, *_keys(starts_at))


def item_names(starts_at: int, total: int) -> list[str]:
    """Return the names of items 1 to `total` in order; ValueError if `total` exceeds `SPACE`."""
    if not 0 <= total <= SPACE:
        raise ValueError(f"total must be 0 to {SPACE}, not {total}")
    keys = _keys(starts_at)
    return [_name(number, *keys) for number in range(total)]


def _name(number: int, key1: int, key2: int, key3: int, key4: int) -> str:
    """Permute the number by four Feistel rounds between its two digits, and read out the name.

    A round adds to one digit what depends only on the other, so it can be undone, whatever
    `_scatter` does: that is all that uniqueness rests on.
    """
    word, goods = divmod(number, len(GOODS))
    word = (word + _scatter(goods ^ key1)) % WORDS
    goods = (goods + _scatter(word ^ key2)) % len(GOODS)
    word = (word + _scatter(goods ^ key3)) % WORDS
    goods = (goods + _scatter(word ^ key4)) % len(GOODS)
    word, end = divmod(word, len(ENDS))
    start, middle = divmod(word, len(MIDDLES))
    return STARTS[start] + MIDDLES[middle] + ENDS[end] + GOODS[goods]


def _keys(starts_at: int) -> list[int]:
    """Return the four 64-bit round keys of a sale."""
    keys = []
    state = starts_at
    for _ in range(4):
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        keys.append(_scatter(state) << 32 | _scatter(~state & _MASK))
    return keys


def _scatter(bits: int) -> int:
    """Return 32 bits that look unrelated to those of the neighbouring 64-bit numbers."""
    bits = (bits ^ bits >> 32) * 0xBF58476D1CE4E5B9 & _MASK
    bits = (bits ^ bits >> 29) * 0x94D049BB133111EB & _MASK
    return bits >> 32
