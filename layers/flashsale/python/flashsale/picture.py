"""An item's picture: a still life in SVG, drawn from the item's name and number alone.

The noun chooses the form, the qualifier its colour; scene, proportions and company come from draws
seeded by both name and number. There are no ids, styles, fonts or links in it, so any number of
pictures can share a page, and a strict content security policy has nothing to refuse.
"""

from collections.abc import Callable

Draw = Callable[[int, int], int]  # an integer from the first to the second, both included

TITLE_CHARACTERS_MAX = 80

# Ground, halo, table, company, trim. A dark form stands in a light scene, and a pale one in a deep.
LIGHT_SCENES = """
    f3e4d3 e9c9a9 d3a882 8c4a32 3f7d7a  dfe7e3 b9cfc6 94b0a4 2f5d55 e2a355
    f4dcd6 e8b4a8 cc8c80 7c3b4a 5c8a8a  dde6ef b3c8dc 8fa8c2 2d4a6b e38b5b
    f5ebc8 ecd18a d1b064 7a5a1e c65f3f  e6e0ee c9bbdc a698c0 54407a e59a7a
    e6ebd5 c4d1a2 a3b37e 4f5f26 d9733f  e9e5df cfc6ba b0a493 4a4540 c9693f
    d8ebea a6d0ce 7fb0b0 b4533c f2c45f  fbe6d4 f6c19a dd9b70 2f5061 7fa89e
""".split()
DEEP_SCENES = """
    23395b 365683 1a2b46 f2c14e d9664a  2f4a3f 456b5a 223830 e9b872 c65d3c
    5b2a3c 7e4156 441d2c f0b7a4 d98a3d  3a3550 564f75 2a263c d9c2f0 e07a6a
    74392a 96553d 562a1e f3d3a4 2f7f7a  1f4e56 2f6f78 163a40 f4c095 d96b45
    403c3a 5e5854 2e2b29 e7c8a0 b5573c  4a4c2a 686b3e 36381d efd9a0 c9653a
""".split()
COLOURS = dict(
    pair.split(":")
    for pair in """
    Copper:b5673c Glass:a9d3d1 Porcelain:eef1f4 Stoneware:8d8577 Enamel:2f6d8c Terracotta:b9583a
    Pewter:7c8389 Celadon:a9c8a6 Cobalt:2749a0 Ceramic:e9dcc6 Marble:e4e2e0 Earthenware:9c5f3f
    Ivory:f3ead2 Indigo:35387a Olive:6f7332 Onyx:2c2b30 Coral:e5806a Maple:c98f55 Brass:c49a3c
    Chrome:c3ccd2 Opal:d5e3ea Iron:4b4d52 Nickel:b4b5ad Amber:d98e1f Alabaster:efe6da Bronze:8c6239
    Oak:a5773f Walnut:5f4230 Ash:cdb892 Birch:dfc9a0 Cherry:8e4530 Teak:8f5e34 Rattan:c79b5b
    Ebony:322b28 Bamboo:b7a254 Leather:7b4a2b Canvas:d6c6a2 Suede:96704f Tan:a8743f Chestnut:6e3b27
    Denim:3d5a80 Felt:6c6f78 Burgundy:6b2237 Tweed:726a52 Linen:dccfb6 Wool:e9e0d0 Cotton:f1ece4
    Cashmere:b59d88 Silk:c58fa5 Saffron:e2a02c Madder:a83a3c Merino:5d6b7a Mohair:8d6f96
    Steel:6f7d8a Titanium:77767a Gold:d4a83a Silver:c9ced3 Midnight:1f2a4d Rosewood:65302f
    Platinum:dcdfe0 Graphite:3f444b Cream:f2e6c9 Scarlet:b92b2b Teal:1f7a7a Slate:56646f
    Pearl:ece6e1 Mustard:cf9a2b Sage:9dbb98 Crimson:9b1f36 Navy:223a63 Emerald:1f7a55 Plum:63325f
    Kraft:b48f62 Moss:65733a Velvet:55306b Ruby:a81f3d Jade:3f9a73 Garnet:7f1f2f Sapphire:2350a8
    Topaz:e8b23f Turquoise:1f8f94 Mahogany:6a2f22 Cedar:a0583a Pine:d3a868 Elm:a07c52
    Lacquer:9a1f22 Beech:d9b48a Larch:b8794a Willow:7d8452 Dawn:e58f80 Coastal:3f7f9f Alpine:5f7a94
    Autumn:b5562a Twilight:51437e Meadow:6b8f3f Desert:c88a4e Harbour:2f5673 Lagoon:2b8c8c
""".split()
)

# Nouns, then the strokes of their form, which stands on (0, 0): a pen and an SVG path. "main:6" is
# a line six wide, plain "main" a filling, and "turn" a right half that is mirrored and in shade.
# A line to nowhere ("h0") is a dot. The form is about 100 wide and high.
FORMS_TEXT = """
Teapot Kettle = main:5 M-28-46C-34-104 34-104 28-46 | main M-26-12L-58-54H-47L-20-38z
    | turn M-1 0H22C50-14 44-50 14-56V-60H-1z | trim:12 M0-65h0 | shine:5 M-26-24q0-14 8-22
Jug Pitcher Ewer = main:6 M10-84C52-92 54-44 26-34 | main M-13-88L-30-98H-8z
    | turn M-1 0H20C42-20 34-58 13-70V-90L18-98H-1z | trim:5 M-12-70H12 | shine:5 M-22-26q-4-16 4-26
Carafe Decanter Flask = turn M-1 0H26C40-4 38-36 10-54V-88L15-94H-1z | trim:17 M0-103h0
    | shine M-26-8C-33-20-22-36-13-44C-20-32-20-20-18-8z | trim:4 M-9-60H9
Vase = leaf:2 M0-80Q-4-104-14-116M2-80Q8-98 20-108M0-80Q0-100 3-122 | trim:11 M-14-116h0M20-108h0
    | company:10 M3-124h0 | turn M-1 0H16C44-22 36-58 12-68Q10-76 20-84H-1z
    | shine:5 M-23-30q-2-14 6-22
Amphora = main:5 M-11-84C-40-88-44-56-26-52M11-84C40-88 44-56 26-52
    | turn M-1 0H14L12-6C40-30 38-58 12-68V-90L17-96H-1z | trim:6 M-14-44h0M0-44h0M14-44h0
Mug Teacup Tankard = main:7 M32-46h6q14 0 12 16t-22 14
    | pale:3 M-9-68q-7-8 0-16t0-16M9-68q-7-8 0-16t0-16 | turn M-1 0H22Q34 0 34-14V-58H-1z
    | trim M-34-46H34v9H-34z | shine:4 M-26-30v14
Goblet Chalice Coupe = turn M-1 0H24Q22-5 5-9L4-42C40-44 42-72 34-96H-1z
    | trim M-34-96H34L36-86H-36z | shine:5 M-24-74q2 14 8 20
Bowl Basin Dish Tureen = leaf:3 M2-66q2-8 8-10 | trim:30 M-22-45h0M23-45h0 | company:30 M1-54h0
    | shine:6 M-27-52h0M-4-61h0M18-52h0 | turn M-1 0H18V-6C42-8 52-24 54-42H-1z
Lamp Nightlight Lampstand Luminaire = glow:112 M0-82h0 | turn M-1 0H22C22-8 4-14 10-34T3-66H-1z
    | pale M-38-62L-20-106H20L38-62z | shade M0-62V-106H20L38-62z | trim:3 M-36-65H36
Lantern Beacon = main:4 M-14-92Q0-122 14-92 | glow:108 M0-42h0 | pale M-27-70H27V-8H-27z
    | flame M0-14C-18-14-10-34 0-54C10-34 18-14 0-14z | main:4 M-27-70V-8M27-70V-8
    | turn M-1 0H32V-9H-1zM-1-70H34L12-94H-1z
Candlestick Candleholder Taper Votive = glow:76 M0-100h0
    | flame M0-92c-12 0-6-14 0-26c6 12 12 26 0 26z | pale M-6-90H6V-54H-6z
    | turn M-1 0H26Q24-7 5-10Q16-30 5-46H16V-54H-1z | trim:5 M-6-26H6
Chair Armchair Rocker Carver =
    main:6 M-26-48L-31-3M26-48L31-3 M-28-50V-98q0-10 10-10H18q10 0 10 10V-50
    | main:4 M-14-52V-106M0-52V-106M14-52V-106 | trim M-30-50q0-9 9-9H21q9 0 9 9z
    | main:8 M-30-48H30
Stool Bench Ottoman = main:6 M-30-48L-36-3M30-48L36-3 | main:4 M-32-22H32
    | trim M-38-50q0-14 12-14H26q12 0 12 14z | shade M-38-50h76l-1-5h-74z | main:8 M-38-48H38
Table Desk Console = trim M-30-62q-16-14-3-30h10q13 16-3 30z | company M8-62v-6h32v6z
    | trim M12-68v-6h24v6z | main:6 M-44-58L-48-3M44-58L48-3
    | main M-56-62H56v9H-56zM-46-53H46v12H-46z | shade M-46-53H46v12H-46z | gold:4 M-8-47H8
Satchel Briefcase Handbag Purse = main:6 M-18-62C-18-92 18-92 18-62
    | main M-46-62q0-6 6-6H40q6 0 6 6L50-6q0 6-6 6H-44q-6 0-6-6z
    | shade M-46-62H46L42-36Q0-18-42-36z | trim M-28-68h8v42h-8zM20-68h8v42h-8z
    | gold M-7-34H7v14H-7z
Tote Holdall Shopper = main:5 M-20-64C-20-108 20-108 20-64 | main M-40-66H40L34 0H-34z
    | trim M-38-40H38L36-22H-36z | shade M0-66H40L34 0H0z
Backpack Rucksack Knapsack = main:6 M-9-88q0-16 9-16t9 16
    | main M-36-8V-60C-36-104 36-104 36-60V-8q0 8-8 8H-28q-8 0-8-8z
    | shade M-36-56C-36-104 36-104 36-56Q0-40-36-56z | trim M-26-4V-34H26V-4z | gold:4 M-10-26H10
    | gold:6 M0-50v6
Blanket Throw Quilt Towel Coverlet = main:23 M-38-11H38 | shade:2 M-30-11H48 | trim:18 M-34-32H34
    | shade:2 M-26-32H42 | main:22 M-36-52H36 | shade:2 M-28-52H46 | pale:14 M-30-70H28
    | shade:2 M-22-70H34
Rug Tapestry Runner = gold:4 M-46-106H46M-46-106V-2M46-106V-2 | main M-36-106H36V-16H-36z
    | main:2 M-33-16v8M-22-16v8M-11-16v8M0-16v8M11-16v8M22-16v8M33-16v8
    | trim M0-98L26-62L0-26L-26-62zM-36-102H36v4H-36zM-36-26h72v4h-72z
    | main M0-80L13-62L0-44L-13-62z | pale:7 M0-62h0
Scarf Shawl = gold:4 M-40-104H40M-40-104V-2M40-104V-2 | main M-26-108H2V-16H-26zM2-108H28V-36H2z
    | main:2 M-23-16v9M-16-16v9M-9-16v9M-2-16v9M6-36v9M13-36v9M20-36v9M26-36v9
    | trim M-26-48H2v7H-26zM-26-34H2v7H-26zM2-66H28v7H2zM2-52H28v7H2z | shade M2-108H28V-36H2z
Watch Wristwatch Chronograph = trim M-15-114H15L18-84V-28L15 2H-15L-18-28V-84z
    | main M36-62h9v12h-9z | main:78 M0-56h0 | pale:62 M0-56h0
    | dark:2 M0-80v-2M0-32v2M-24-56h-2M24-56h2 | dark:4 M0-56L-10-70 | dark:3 M0-56L16-64
    | gold:5 M0-56h0
Stopwatch Timer Compass = main:7 M0-88V-104M-8-106H8 | main:90 M0-46h0 | pale:72 M0-46h0
    | dark:2 M0-76v-2M0-16v2M-30-46h-2M30-46h2 | trim M18-70L6-40L-6-52z | dark M-18-22L6-40L-6-52z
Clock Barometer Regulator Timepiece = main M-40 0V-60C-40-116 40-116 40-60V0z
    | main M-50-11H50V0H-50z | shade M-50-11H50V0H-50z | pale:62 M0-60h0
    | dark:2 M0-84v-2M0-36v2M-24-60h-2M24-60h2 | dark:4 M0-60V-76 | dark:3 M0-60L18-52
    | trim:6 M0-60h0 | gold:3 M-14-20H14
Radio Receiver Tuner Stereo Amplifier = main:3 M32-66L46-106 | dark M-44-4h12v4h-12zM32-4h12v4h-12z
    | main M-54-60q0-8 8-8H46q8 0 8 8V-4H-54z | trim:44 M-25-36h0
    | shade:4 M-37-44H-13M-41-36H-9M-37-28H-13 | pale M8-56H44v16H8z | trim:3 M30-53v10
    | pale:11 M15-22h0M37-22h0
Speaker Monitor Subwoofer = main M-32-102q0-6 6-6H26q6 0 6 6V0H-32z | dark:48 M0-35h0
    | shine:40 M0-35h0 | trim:22 M0-35h0 | dark:27 M0-82h0 | trim:12 M0-82h0
    | shade M24-108h2q6 0 6 6V0h-8z
Gramophone Phonograph = gold:5 M24-30C36-64 14-52 4-66 | main M-42-26H42V0H-42z
    | shade M-42-8H42V0H-42z | dark M-32-26H32v-4H-32z
    | trim M8-58C-10-70-32-70-50-64C-48-96-22-116 6-118C0-100 6-80 14-66z
    | shade M-50-64C-48-96-22-116 6-118C-10-108-30-86-50-64z
Notebook Journal Diary Planner Logbook = pale M-30-94H37V-3H-30z | main M-34-98H30q3 0 3 3V0H-34z
    | shade M-34-98h11V0h-11z | trim M19-98h5V0h-5z | pale M-14-80H9v16H-14z
    | shade:2 M-9-74H4M-9-69H0
Album Sketchbook Almanac Atlas Folio = trim M-50-20H46V0H-50z | pale M-44-16H46v12H-44z
    | main M-40-46H50V-20H-40z | pale M-34-41H50v16H-34z | company M-44-62H36V-46H-44z
    | pale M-40-59H36v10H-40z | trim:22 M-6-73h0 | leaf:2 M-6-84q1-6 6-8
Ring Signet Solitaire = trim M-38-26H38V0H-38z | shade M-38-26H38v8H-38z
    | gold:7 M-24-49a24 24 0 1 1 48 0a24 24 0 1 1-48 0 | main M-20-88L-11-101H11L20-88L0-68z
    | shine M-20-88H20L11-101H-11z | shade M0-68L20-88H6z
Bracelet Bangle Armlet = trim M-46-24H46V0H-46z | shade M-46-24H46v8H-46z
    | gold:8 M-38-54a38 28 0 1 1 76 0a38 28 0 1 1-76 0 | main:17 M-32-40h0M-12-28h0M12-28h0M32-40h0
    | shine:5 M-34-43h0M-14-31h0M10-31h0M30-43h0
Pendant Locket Necklace Amulet = pale M-44 0C-44-42-15-44-13-60V-98H13V-60C15-44 44-42 44 0z
    | shade M-13-74Q0-58 13-68V-60C14-54 16-50 20-48Q0-48-13-66z
    | gold:3 M-20-47C-18-44-6-44 0-40C6-44 18-44 20-47 | gold M0-48l17 20L0-4l-17-24z
    | main M0-43l12 15L0-10l-12-18z | shine M0-43l-12 15H0z
Cabinet Dresser Bureau Sideboard Credenza = trim M18-74q-15-11-4-28h12q11 17-4 28z
    | company M-40-74v-7h34v7zM-36-81v-6h28v6z | main:6 M-44-12L-48-3M44-12L48-3
    | main M-54-74H54V-10H-54z | shade M-49-69H-3V-44H-49zM-49-40H-3V-15H-49zM3-69H49V-15H3z
    | gold:5 M-26-56h0M-26-27h0M10-42h0
Bookcase Shelf = main M-42-110H42V0H-42z
    | shade M-36-104H36V-74H-36zM-36-69H36V-39H-36zM-36-34H36V-5H-36z
    | trim M-32-99h8v25h-8zM4-64h9v25h-9zM-28-27h8v22h-8z
    | pale M-22-96h7v22h-7zM15-60h8v21h-8zM-18-24h9v19h-9z
    | company M-13-99h9v25h-9zM-30-50h24v11h-24zM18-24q14 8 5 19h-10q-9-11 5-19z
Chest Trunk Casket = main M-50-44H50V0H-50zM-50-44C-50-82 50-82 50-44z
    | shade M-50-44C-50-82 50-82 50-44z | trim M-36-68h9V0h-9zM27-68h9V0h-9z | shade:2 M-50-44H50
    | gold M-9-52H9v18H-9z | dark:5 M0-44v3
Print Etching Linocut Lithograph Watercolour Panorama = trim M-56-96H56V0H-56z
    | pale M-51-91H51V-5H-51z | main M-42-82H42V-14H-42z | sky M-42-82H42V-14H-42z
    | pale:20 M18-60h0 | main M-42-14V-40L-16-64L8-38L24-50L42-34V-14z
    | shade M-42-14V-28Q-10-42 42-22V-14z
Painting Mosaic Woodcut Poster = trim M-42-112H42V0H-42z | pale M-37-107H37V-5H-37z
    | company:30 M10-74h0 | main M-28-14V-46a28 28 0 0 1 56 0V-14z
    | shade M0-14V-74a28 28 0 0 1 28 28V-14z | trim M-28-14Q-10-40 28-30V-14z
"""
PENS = {
    "main": ("currentColor", ""),
    "trim": ("#trim", ""),
    "company": ("#company", ""),
    "pale": ("#fff3dc", ""),
    "gold": ("#d9ad45", ""),
    "dark": ("#2a2730", ""),
    "leaf": ("#6b8a5c", ""),
    "flame": ("#f0a03a", ""),
    "shade": ("#000", ' opacity=".18"'),
    "shine": ("#fff", ' opacity=".35"'),
    "sky": ("#fff", ' opacity=".6"'),
    "glow": ("#fff3dc", ' opacity=".25"'),
}
# Markup is escaped; what XML forbids is dropped (lone surrogates go when the title is encoded).
ESCAPES: dict[int, str | None] = dict.fromkeys([*range(32), *range(127, 160), 0xFFFE, 0xFFFF])
ESCAPES |= {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}
ESCAPES |= {ord('"'): "&quot;", ord("'"): "&#39;"}

SPRIG = (
    '<g fill="#6b8a5c"><path d="M-1-8L2-54H4L1-8zM0-20q-16-2-17-15q14 1 17 15zM0-30q16-2 17-16'
    'q-15 2-17 16zM2-42q-11-4-11-15q11 3 11 15z"/></g>'
)


def picture(name: str, item_id: int) -> str:
    """Return the SVG document, under 2.5 kB, of that name and number.

    Any name will do: it is escaped, characters that XML forbids are dropped, a very long one is cut
    in the title, and an unknown noun or qualifier leaves form and colour to the draws.
    """
    draw = _draws(f"{item_id:d} {name}")
    qualifier, noun = ["", "", *name.split()][-2:]
    own = COLOURS.get(qualifier)
    scenes = DEEP_SCENES if (_is_pale(own) if own else draw(0, 1)) else LIGHT_SCENES
    first = 5 * draw(0, len(scenes) // 5 - 1)
    ground, halo, table, company, trim = scenes[first : first + 5]
    form = FORMS.get(noun) or list(FORMS.values())[draw(0, len(FORMS) - 1)]
    form = form.replace("#trim", f"#{trim}").replace("#company", f"#{company}")
    title = name[:TITLE_CHARACTERS_MAX].encode(errors="ignore").decode().translate(ESCAPES)
    wide = draw(104, 118) / 100
    high = wide + draw(-3, 5) / 100  # hardly taller than wide, lest a clock be an egg
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" role="img">'
        f'<title>{title}</title><path fill="#{ground}" d="M0 0h200v200H0z"/>'
        f'<g fill="#{halo}">{_halo(draw)}</g><path fill="#{table}" d="M0 {draw(144, 154)}'
        f'Q{draw(60, 140)} {draw(138, 158)} 200 {draw(144, 154)}V200H0z"/>'
        f'<g fill="#{company}" transform="translate({draw(0, 1) * 146 + draw(20, 34)} '
        f'{draw(158, 164)})">{_company(draw)}</g>'
        '<ellipse cx="100" cy="169" rx="62" ry="6" opacity=".18"/>'
        f'<g transform="translate({draw(95, 105)} 169) scale({wide - draw(0, 1) * 2 * wide:.2f} '
        f'{high:.2f})" fill="currentColor" color="#{own or company}">{form}</g></svg>'
    )


def _draws(seed: str) -> Draw:
    """Return a source of draws that the seed alone determines, on every machine and Python."""
    state = int.from_bytes(seed.encode(errors="surrogatepass")) % (2**61 - 1)

    def draw(least: int, most: int) -> int:
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return least + (state >> 33) % (most - least + 1)

    return draw


def _is_pale(colour: str) -> bool:
    """Whether the eye takes the colour for a light one, six hex digits."""
    red, green, blue = bytes.fromhex(colour)
    return 2 * red + 5 * green + blue > 8 * 138


def _halo(draw: Draw) -> str:
    """A sun, a window, a rising disc, two rings or two hills: what stands behind everything."""
    x, y, r = draw(80, 120), draw(74, 92), draw(52, 68)
    return (
        f'<circle cx="{x}" cy="{y}" r="{r}"/>',
        f'<path d="M{x - r} 160V{y}a{r} {r} 0 0 1 {2 * r} 0V160z"/>',
        f'<circle cx="{x}" cy="150" r="{r + 22}"/>',
        f'<circle cx="{x}" cy="{y}" r="{r}"/><circle cx="{x}" cy="{y}" r="{r + 16}" opacity=".4"/>',
        (
            f'<ellipse cx="{x - 70}" cy="165" rx="{r + 30}" ry="{y}" opacity=".6"/>'
            f'<ellipse cx="{x + 70}" cy="165" rx="{r + 20}" ry="{y + 16}"/>'
        ),
    )[draw(0, 4)]


def _company(draw: Draw) -> str:
    """A ball, pebbles, a sprig, a pear or a cone, to keep the form company; or nothing."""
    r = draw(8, 12)
    return (
        "",
        f'<circle cy="-{r}" r="{r}"/>',
        f'<ellipse cy="-5" rx="{r + 5}" ry="5"/><ellipse cx="-1" cy="-13" rx="{r}" ry="4"/>',
        f'{SPRIG}<path d="M-{r}-16H{r}L{r - 3} 0H{3 - r}z"/>',
        f'<path d="M0 0c-{r + 7} 0-{r + 6}-16-5-22q1-9 5-9t5 9c9 6 {r - 2} 22-5 22z"/>',
        f'<path d="M-{r + 2} 0L0-{2 * r + 8}L{r + 2} 0z"/>',
    )[draw(0, 5)]


def _stroke(pen: str, path: str) -> str:
    """Return the SVG of one stroke of `FORMS_TEXT`."""
    if pen == "turn":
        return (
            f'<path d="{path}" transform="scale(-1 1)"/><path d="{path}"/>{_stroke("shade", path)}'
        )
    pen, _, width = pen.partition(":")
    paint, opacity = PENS[pen]
    if width:
        opacity += f' fill="none" stroke-width="{width}" stroke-linecap="round"'
    return f'<path {"stroke" if width else "fill"}="{paint}"{opacity} d="{path}"/>'


def _forms() -> dict[str, str]:
    """Return the inner SVG of each noun's form."""
    forms = {}
    for entry in FORMS_TEXT.replace("\n    ", " ").strip().splitlines():
        nouns, strokes = entry.split(" = ")
        form = "".join(_stroke(*stroke.split(" ", 1)) for stroke in strokes.split(" | "))
        forms.update(dict.fromkeys(nouns.split(), form))
    return forms


FORMS = _forms()
