"""What people call things: synonyms of kinds, colours and patterns, the grammar of nouns, and
common English words.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, KINDS, PATTERNS
from recipes.ocelot_tiny.colours import SHADES

__all__ = [
    "COLOUR_WORDS", "GARMENTS", "GROCERIES", "KIND_WORDS", "MEANINGFUL", "PATTERN_WORDS",
    "article", "english_words", "is_mass", "is_plural", "plural", "spoken", "with_article",
]  # fmt: skip

Synonyms = Mapping[str, tuple[str, ...]]

_MASS = """
milk buttermilk juice yoghurt yogurt cream soyghurt oatghurt garlic ginger asparagus outwear
outerwear footwear headwear drink paprika bread cheese delicious fruit kiwifruit rice butter water
clothing
"""
_PAIRS = """
pants trousers jeans slacks leggings chinos joggers shoes sneakers trainers boots sandals heels
shorts bermudas headphones
"""
_IRREGULAR = {
    "tomato": "tomatoes",
    "potato": "potatoes",
    "mango": "mangoes",
    "loaf": "loaves",
    "scarf": "scarves",
    "leaf": "leaves",
    "knife": "knives",
}


def _synonyms(table: str) -> Synonyms:
    """Lines of `name: synonym, synonym`; the name is its own first synonym."""
    rows = (line.split(":") for line in table.strip().splitlines())
    return {
        name.strip(): tuple(dict.fromkeys([name.strip(), *rest.strip().split(", ")]))
        for name, rest in rows
    }


_ARTICLES = _synonyms("""
phone case: phone cover, mobile phone case, case for a phone, smartphone case, mobile cover
tablet sleeve: tablet case, tablet cover, sleeve for a tablet, tablet pouch
earbuds case: case for earbuds, earphone case, earbud case
power bank: portable charger, battery pack, powerbank, portable battery
phone stand: phone holder, stand for a phone, mobile stand, smartphone stand
smart watch: smartwatch, fitness watch, digital watch
kettle: tea kettle, water kettle, electric kettle
mug: cup, coffee mug, coffee cup, tea mug
toaster: bread toaster
coffee maker: coffee machine, coffee brewer
blender: smoothie maker, smoothie blender, kitchen blender
fridge: refrigerator
washing machine: washer, clothes washer, laundry machine
microwave: microwave oven
vacuum cleaner: vacuum, hoover, vac
desk fan: fan, electric fan, table fan
iron: clothes iron, steam iron
headphones: headset, over ear headphones
laptop: notebook computer, laptop computer, portable computer
speaker: loudspeaker, bluetooth speaker, wireless speaker
camera: photo camera, digital camera
game controller: gamepad, controller, game pad, joypad
keyboard: computer keyboard, pc keyboard
television: tv, tv set, telly, television set
""")

GARMENTS = _synonyms("""
t-shirt: tee, tshirt, t shirt, tee shirt, short sleeved shirt, short sleeve top
longsleeve: long sleeve, long sleeved top, long sleeved shirt
pants: slacks, chinos, long pants
shoes: sneakers, trainers, footwear, pair of shoes
shirt: button down shirt, dress shirt, button up shirt, collared shirt, long sleeved button shirt
dress: gown, frock, sundress, women's dress, summer dress
outwear: outerwear, jacket, coat, parka, anorak, overcoat, raincoat
shorts: short pants, short trousers, bermudas, bermuda shorts
hat: cap, beanie, baseball cap, sun hat, headwear, bucket hat
skirt: women's skirt, ladies skirt, mini skirt
polo: polo shirt, golf shirt, collared t-shirt
undershirt: tank top, vest, singlet, sleeveless shirt, tank
blazer: suit jacket, sports jacket, dinner jacket
hoodie: hooded sweatshirt, hooded top, hooded jumper, hoody
body: bodysuit, onesie, baby body, baby bodysuit, romper
top: women's top, crop top, sleeveless top, camisole
blouse: women's blouse, ladies blouse, dressy shirt
""")

GROCERIES = _synonyms("""
apple: eating apple
juice: fruit juice, carton of juice, juice carton
yoghurt: yogurt, tub of yogurt, carton of yoghurt
milk: carton of milk, milk carton, dairy milk
melon: whole melon
pepper: bell pepper, sweet pepper, capsicum, paprika
tomato: fresh tomato
pear: fresh pear
potato: spud
satsumas: mandarins, tangerines, clementines
orange: orange fruit, citrus orange
soy milk: soya milk, soy drink, carton of soy milk
soyghurt: soy yogurt, soy yoghurt, soya yogurt
kiwi: kiwi fruit, kiwifruit
banana: ripe banana
sour cream: soured cream, tub of sour cream
carrots: fresh carrots
lemon: fresh lemon
avocado: avocado pear
mushroom: button mushroom
onion: cooking onion
peach: fresh peach
red grapefruit: grapefruit, pink grapefruit
nectarine: fresh nectarine
oat milk: oat drink, carton of oat milk
oatghurt: oat yogurt, oat yoghurt
lime: lime fruit, fresh lime
mango: ripe mango
zucchini: courgette
passion fruit: passionfruit
cucumber: fresh cucumber
pineapple: whole pineapple
pomegranate: fresh pomegranate
garlic: bulb of garlic, garlic bulb
sour milk: soured milk, buttermilk, cultured milk
aubergine: eggplant
leek: fresh leek
plum: fresh plum
cabbage: white cabbage, head of cabbage
papaya: pawpaw
red beet: beetroot, beet
ginger: ginger root, fresh ginger
asparagus: green asparagus, asparagus spears
grapes: bunch of grapes
strawberry: fresh strawberry
cheese: block of cheese
bread: loaf of bread, bread loaf
eggs: box of eggs
""")

KIND_WORDS: Synonyms = {**_ARTICLES, **GARMENTS, **GROCERIES}

COLOUR_WORDS: Synonyms = {
    "grey": ("grey", "gray"),
    "teal": ("teal", "turquoise"),
    "tan": ("tan", "beige"),
    "purple": ("purple", "violet"),
}

PATTERN_WORDS = _synonyms("""
plain: one colour, no pattern, unpatterned, solid colour, one color, no print
leopard: leopard print, leopard spots, leopard pattern, leopard skin
zebra: zebra print, zebra stripes, zebra pattern, zebra skin
tiger: tiger print, tiger stripes, tiger pattern
giraffe: giraffe print, giraffe pattern, giraffe spots
snakeskin: snake print, snake skin pattern, snakeskin print, python print
stripes: striped, stripe pattern, stripy, striped pattern
dots: polka dots, dotted, polka dot pattern, spotty
checks: checked, check pattern, chequered, plaid, checkered, tartan
floral: flowers, flower print, floral pattern, floral print, flowery
marble: marble look, marbled, marble pattern
camouflage: camo, camouflage pattern, camo print, army print
wood: wood grain, wooden look, wood effect
galaxy: starry sky, galaxy print, stars, outer space
waves: wave print, wavy pattern, wavy
""")

# Words beside the synonyms that would change what a text asks for.
_SHADES = """
amber apricot aqua auburn azure beige bronze burgundy caramel cerise charcoal cherry chestnut
chocolate cinnamon cobalt copper coral cream crimson cyan denim ebony emerald fuchsia gold golden
indigo ivory jade khaki lavender lilac magenta maroon mauve mint moss mustard navy ochre olive
peach pearl plum rose ruby rust salmon sand sapphire scarlet sepia sienna silver sky taupe
turquoise umber vanilla violet wine reddish bluish greenish yellowish dark light pale bright deep
pastel neon colourful colorful coloured colored rainbow multicoloured shade tint hue blonde
aquamarine canary champagne claret fawn graphite iris jet mahogany midnight nude orchid periwinkle
platinum raspberry royal slate tangerine terracotta topaz vermilion viridian walnut darker darkest
lighter lightest paler brighter deeper vivid vibrant muted dull faded tone colouring multicolor
monochrome iridescent fluorescent translucent opaque matte matt gloss glossy shimmering sparkly
sparkling creamy blackish browns pinks pinkish greyish brownish whitish yellows emeralds
blacks whites reds greens blues
"""
_SURFACES = """
animal bear bird butterfly cat check cheetah chevron cloth cotton cow crocodile deer dog
fabric feather fish floral flower fur geometric glitter grain houndstooth jaguar knit knitted lace
leaf leather linen lion logo metal metallic mosaic nylon paisley panther paper patchwork patterned
plastic polka polyester python quilt satin silk snake spot spotted star stone stripe suede
texture theme tropical tweed velvet wooden wool woollen clear glass transparent embroidered printed
abstract art artwork camo space planet moon ocean sea cloud lightning fire flame
argyle batik blotchy border cartoon chevrons circle cowhide crosshatch diagonal diamond emblem
gingham gradient graffiti grid harlequin hatched heart herringbone hexagon honeycomb horizontal
ikat lettering line lined mandala mottled monogram ombre ornament ornate palm paneled pinstripe
pinstriped pixel psychedelic scales skull speckled spiral splatter square swirl symmetrical tiled
triangle vertical weave woven woodgrain zigzag ribbed pleated leaves lizard reptile fern rose roses
cashmere corduroy denim flannel fleece glass granite marbles steel iron wicker bamboo rattan
"""
_GOODS = """
accessory anorak apron appliance bag boot bra cardigan clothes clothing cloak costume dungarees
fashion garment glove jean jogger jumpsuit kimono knitwear lingerie mitten nightdress overall
pajamas poncho pyjamas robe sandal sari scarf shawl shoe short slipper sneaker sock stocking suit
sweatpants swimsuit swimwear tie tights tracksuit trainer trouser tunic tuxedo underwear uniform
waistcoat wear women woman men man girl boy male female ladies lady electronics gadget device
computer charger earphones charging
cooker dishwasher freezer heater monitor phones printer radio tablet stereo food fruits grocery
vegetable drinks berry cherries citrus dairy yeast herb salad spinach celery lettuce broccoli
pumpkin radish squash grape coconut watermelon clementine mandarin satsuma carrot egg
"""
_LOGIC = """
no not never none nothing nobody nor without except unless neither different another other
same similar like less more than opposite instead but only one two three unlike rather change
changed replace remove removed add match matching with colour color pattern print style design
don't cannot hate minus bare both any all
"""


def spoken(category: str) -> str:
    """A category as people write it: "soy-milk" is "soy milk", but "t-shirt" stays."""
    return category if category in GARMENTS else category.replace("-", " ")


def plural(noun: str) -> str:
    """The plural of a noun, `mugs`, `dresses`, `cases for a phone`; mass nouns stay.

    >>> plural("tomato"), plural("carton of milk"), plural("jeans"), plural("oat milk")
    ('tomatoes', 'cartons of milk', 'jeans', 'oat milk')
    """
    head, link, rest = _head(noun)
    if is_plural(noun) or is_mass(noun):
        return noun
    last = head.split()[-1]
    if last in _IRREGULAR:
        return head.removesuffix(last) + _IRREGULAR[last] + link + rest
    if last.endswith(("s", "x", "z", "ch", "sh")):
        return head + "es" + link + rest
    if last.endswith("y") and last[-2:-1] not in "aeiou":
        return head[:-1] + "ies" + link + rest
    return head + "s" + link + rest


def is_plural(noun: str) -> bool:
    """Whether a noun is in the plural already: `jeans`, `carrots`."""
    last = _head(noun)[0].split()[-1]
    return last.endswith("s") and not last.endswith(("ss", "us", "is"))


def is_mass(noun: str) -> bool:
    """Whether a noun has no plural: `milk`, `outerwear`."""
    return _head(noun)[0].split()[-1] in _MASS.split()


def with_article(rng: random.Random, noun: str) -> str:
    """`a mug`, `an iron`; `a pair of shoes` or `shoes`; `milk` or `some milk`."""
    if is_plural(noun):
        pair = noun.split()[-1] in _PAIRS.split() and rng.random() < 0.6
        return f"a pair of {noun}" if pair else noun
    if is_mass(noun):
        return f"some {noun}" if rng.random() < 0.3 else noun
    return article(noun)


def article(words: str) -> str:
    """`a mug`, `an iron`, by the sound that the words begin with."""
    sounds_like_you = words.startswith(("uni", "use", "eu", "one"))
    return ("an " if words[0] in "aeiou" and not sounds_like_you else "a ") + words


def _head(noun: str) -> tuple[str, str, str]:
    """`case for a phone` as (`case`, ` for `, `a phone`)."""
    for link in (" for ", " of "):
        if link in noun:
            return noun.partition(link)
    return noun, "", ""


def _meaningful() -> frozenset[str]:
    texts = [_SHADES, _SURFACES, _GOODS, _LOGIC, *COLOURS, *KINDS, *PATTERNS]
    texts += [shade for shades in SHADES.values() for shade in shades]
    for table in (KIND_WORDS, COLOUR_WORDS, PATTERN_WORDS):
        texts += [synonym for synonyms in table.values() for synonym in synonyms]
    words = {word for text in texts for word in text.replace("-", " ").split()}
    nouns = {word for word in words if len(word) > 3}
    return frozenset(words | {plural(noun) for noun in nouns} | {noun + "s" for noun in nouns})


MEANINGFUL: frozenset[str] = _meaningful()
"""Words that say what is wanted, which no filler may bring into a text."""


@lru_cache(maxsize=1)
def english_words() -> tuple[str, ...]:
    """Return common English words, lower-case and sorted."""
    return tuple((Path(__file__).parent / "english.txt").read_text(encoding="ascii").split())
