"""The words of the demo catalogue: kinds, colours, patterns, and the product they describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

APPLIANCES = "Appliances"
PHONES = "Cell_Phones_and_Accessories"
ELECTRONICS = "Electronics"


@dataclass(frozen=True)
class Kind:
    """A kind of product; ``styles`` counts its designs, ``price`` is a (low, high) range."""

    name: str
    plural: str
    category: str
    styles: int
    price: tuple[float, float]


@dataclass(frozen=True)
class Pattern:
    """A surface pattern and the colour it has by nature (for a leopard, tan)."""

    name: str
    natural_colour: str


# kind, plural, category, price range, and one word per style for the shop title
_KINDS: tuple[tuple[str, str, str, tuple[float, float], tuple[str, ...]], ...] = (
    ("phone case", "phone cases", PHONES, (9, 35), ("Slim", "Classic", "Round-Lens", "Ring-Grip")),
    ("tablet sleeve", "tablet sleeves", PHONES, (15, 45), ("Zip", "Envelope", "Folio")),
    ("earbuds case", "earbuds cases", PHONES, (8, 25), ("Compact", "Round", "Open")),
    ("power bank", "power banks", PHONES, (18, 60), ("Slim", "Stick", "Rugged")),
    ("phone stand", "phone stands", PHONES, (10, 35), ("Easel", "Desk", "Grip")),
    ("smart watch", "smart watches", PHONES, (49, 320), ("Square", "Round", "Sport")),
    ("kettle", "kettles", APPLIANCES, (25, 95), ("Electric", "Gooseneck", "Whistling", "Retro")),
    ("mug", "mugs", APPLIANCES, (7, 22), ("Straight", "Barista", "Travel")),
    ("toaster", "toasters", APPLIANCES, (25, 99), ("Two-Slice", "Long-Slot", "Retro")),
    ("coffee maker", "coffee makers", APPLIANCES, (39, 240), ("Drip", "Capsule", "Moka")),
    ("blender", "blenders", APPLIANCES, (29, 160), ("Jug", "Personal", "Stick")),
    ("fridge", "fridges", APPLIANCES, (180, 1400), ("Retro", "Double-Door", "Mini")),
    ("washing machine", "washing machines", APPLIANCES, (250, 950), ("Front", "Compact", "Top")),
    ("microwave", "microwaves", APPLIANCES, (59, 260), ("Digital", "Retro", "Drawer")),
    ("vacuum cleaner", "vacuum cleaners", APPLIANCES, (69, 420), ("Canister", "Upright", "Robot")),
    ("desk fan", "desk fans", APPLIANCES, (19, 120), ("Classic", "Box", "Tower")),
    ("iron", "irons", APPLIANCES, (19, 110), ("Steam", "Retro", "Travel")),
    ("headphones", "headphones", ELECTRONICS, (25, 350), ("Over-Ear", "On-Ear", "Gaming")),
    ("laptop", "laptops", ELECTRONICS, (320, 1900), ("Slim", "Widescreen", "Studio")),
    ("speaker", "speakers", ELECTRONICS, (19, 290), ("Cylinder", "Bookshelf", "Ball", "Boombox")),
    ("camera", "cameras", ELECTRONICS, (79, 1200), ("Compact", "Reflex", "Instant")),
    ("game controller", "game controllers", ELECTRONICS, (25, 75), ("Wireless", "Retro", "Pro")),
    ("keyboard", "keyboards", ELECTRONICS, (19, 160), ("Full-Size", "Compact", "Ergonomic")),
    ("television", "televisions", ELECTRONICS, (140, 1800), ("Flat", "Retro", "Portable")),
)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        name: Kind(name, plural, category, len(styles), price)
        for name, plural, category, price, styles in _KINDS
    }
)

_STYLE_WORDS: Mapping[str, tuple[str, ...]] = {row[0]: row[4] for row in _KINDS}

COLOURS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "white": (244, 244, 242),
        "grey": (134, 137, 142),
        "black": (32, 32, 36),
        "red": (208, 32, 40),
        "orange": (243, 130, 28),
        "yellow": (250, 212, 48),
        "green": (46, 142, 66),
        "teal": (22, 166, 164),
        "blue": (34, 92, 208),
        "purple": (122, 62, 172),
        "pink": (246, 146, 184),
        "brown": (116, 70, 38),
        "tan": (216, 180, 130),
    }
)

# pattern, natural colour, wording in a shop title
_PATTERNS: tuple[tuple[str, str, str], ...] = (
    ("plain", "white", ""),
    ("leopard", "tan", "Leopard Print"),
    ("zebra", "white", "Zebra Print"),
    ("tiger", "orange", "Tiger Print"),
    ("giraffe", "brown", "Giraffe Print"),
    ("snakeskin", "green", "Snakeskin"),
    ("stripes", "blue", "Striped"),
    ("dots", "red", "Polka Dot"),
    ("checks", "red", "Checked"),
    ("floral", "pink", "Floral"),
    ("marble", "white", "Marble"),
    ("camouflage", "green", "Camouflage"),
    ("wood", "brown", "Wood Grain"),
    ("galaxy", "purple", "Galaxy"),
    ("waves", "teal", "Wave Print"),
)

PATTERNS: Mapping[str, Pattern] = MappingProxyType(
    {name: Pattern(name, colour) for name, colour, _ in _PATTERNS}
)

_PATTERN_WORDS: Mapping[str, str] = {row[0]: row[2] for row in _PATTERNS}


@dataclass(frozen=True)
class Product:
    """One article of the shop: what it is, which design, and what is printed on it."""

    kind: str
    style: int
    pattern: str
    colour: str

    @property
    def title(self) -> str:
        """A shop title such as ``"Leopard Print Slim Phone Case, Tan"``."""
        words = (_PATTERN_WORDS[self.pattern], _STYLE_WORDS[self.kind][self.style], self.kind)
        name = " ".join(word for word in words if word)
        return f"{name.removesuffix(self.kind)}{self.kind.title()}, {self.colour.title()}"
