"""The many ways in which people ask: templates and synonyms, as data.

A template's `{kind}`, `{a kind}`, `{kinds}`, `{colour}`, `{pattern}` are filled with one of
the synonyms each. Words here are what the bundled tokenizer is trained on, too.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from ocelot.catalogue.vocabulary import COLOURS, KINDS, PATTERNS

__all__ = ["TEMPLATES", "every_text", "phrase"]

KIND_WORDS: Mapping[str, tuple[str, ...]] = {
    "phone case": ("phone case", "phone cover", "mobile phone case", "case for a phone",
                   "smartphone case", "cell phone case"),
    "tablet sleeve": ("tablet sleeve", "tablet case", "tablet cover"),
    "earbuds case": ("earbuds case", "case for earbuds", "earphone case"),
    "power bank": ("power bank", "portable charger", "battery pack"),
    "phone stand": ("phone stand", "phone holder", "stand for a phone"),
    "smart watch": ("smart watch", "smartwatch", "watch"),
    "kettle": ("kettle", "tea kettle", "water kettle"),
    "mug": ("mug", "cup", "coffee mug"),
    "coffee maker": ("coffee maker", "coffee machine"),
    "fridge": ("fridge", "refrigerator"),
    "washing machine": ("washing machine", "washer"),
    "microwave": ("microwave", "microwave oven"),
    "vacuum cleaner": ("vacuum cleaner", "vacuum", "hoover"),
    "desk fan": ("desk fan", "fan", "electric fan"),
    "iron": ("iron", "clothes iron", "steam iron"),
    "headphones": ("headphones", "headset", "pair of headphones"),
    "laptop": ("laptop", "notebook computer", "laptop computer"),
    "speaker": ("speaker", "loudspeaker", "bluetooth speaker"),
    "camera": ("camera", "photo camera"),
    "game controller": ("game controller", "gamepad", "controller"),
    "keyboard": ("keyboard", "computer keyboard"),
    "television": ("television", "tv", "tv set"),
}  # fmt: skip

COLOUR_WORDS: Mapping[str, tuple[str, ...]] = {
    "grey": ("grey", "gray"),
    "teal": ("teal", "turquoise"),
    "tan": ("tan", "beige"),
    "purple": ("purple", "violet"),
}

PATTERN_WORDS: Mapping[str, tuple[str, ...]] = {
    "plain": ("plain", "one colour", "no pattern", "unpatterned"),
    "leopard": ("leopard print", "leopard", "leopard spots", "leopard pattern"),
    "zebra": ("zebra print", "zebra", "zebra stripes", "zebra pattern"),
    "tiger": ("tiger print", "tiger", "tiger stripes", "tiger pattern"),
    "giraffe": ("giraffe print", "giraffe", "giraffe pattern", "giraffe spots"),
    "snakeskin": ("snakeskin", "snake print", "snake skin pattern"),
    "stripes": ("stripes", "striped", "stripe pattern"),
    "dots": ("dots", "polka dots", "dotted", "polka dot pattern"),
    "checks": ("checks", "checked", "check pattern", "chequered", "plaid"),
    "floral": ("floral", "flowers", "flower print", "floral pattern"),
    "marble": ("marble", "marble look", "marbled"),
    "camouflage": ("camouflage", "camo", "camouflage pattern"),
    "wood": ("wood", "wood grain", "wooden look"),
    "galaxy": ("galaxy", "starry sky", "galaxy print", "stars"),
    "waves": ("waves", "wave print", "wavy pattern"),
}

TEMPLATES: Mapping[str, tuple[str, ...]] = {
    # picture of a texture, an animal or another product -> that product with that print
    "theme": (
        "{kind} with this image theme", "{kind} with this theme", "{a kind} with this pattern",
        "{kind} with this print", "{a kind} in this pattern", "this pattern on {a kind}",
        "this print on {a kind}", "{kinds} with this image theme", "{kind} in the style of this",
        "{a kind} that looks like this", "{kinds} that match this picture", "{kind} like this",
        "put this on {a kind}", "i want {a kind} with this design", "{kind} with this texture",
        "find {a kind} decorated like this", "{a kind} matching this image",
        "the same pattern on {a kind}", "this as {a kind}", "{kind} with the same print",
        "show me {kinds} with this look", "{kind} inspired by this image", "{kind} theme like this",
    ),
    # the same article in another colour
    "colour": (
        "the same {kind} in {colour}", "same {kind} in {colour}", "same item in {colour}",
        "the same in {colour}", "same but {colour}", "in {colour}", "make it {colour}",
        "this {kind} in {colour}", "this {kind} but {colour}", "{colour} version of this",
        "change the colour to {colour}", "change the color to {colour}", "{colour} instead",
        "the same one in {colour}", "is there {a colour} one", "i want this in {colour}",
        "do you have this {kind} in {colour}", "same product, {colour}", "but {colour}",
        "this, only {colour}", "identical {kind} in {colour} please", "the {colour} one",
    ),
    # the same article with another pattern
    "pattern": (
        "the same {kind} with {pattern}", "same {kind}, {pattern}", "same but {pattern}",
        "the same in {pattern}", "make it {pattern}", "this {kind} with {pattern}",
        "{pattern} version of this", "this {kind} in {pattern}", "same item with {pattern}",
        "change the pattern to {pattern}", "{pattern} instead", "with {pattern}",
        "i want this with {pattern}", "the same one with {pattern}", "but with {pattern}",
    ),
    # another article in the picture's colour
    "category": (
        "{kinds} in this colour", "{kinds} in this color", "{a kind} in this colour",
        "{a kind} of the same colour", "{kind} in the same color", "{a kind} that matches this",
        "{kind} in this shade", "same colour, but {a kind}", "{kinds} of this colour",
        "find {a kind} with this colour", "a matching {kind}", "{a kind} to go with this",
        "plain {kind} in this colour", "the colour of this on {a kind}",
    ),
    "words": (
        "{colour} {pattern} {kind}", "{a colour} {kind} with {pattern}",
        "{kind}, {pattern}, {colour}", "{pattern} {kind} in {colour}",
        "{pattern} {kind}, {colour}", "{kind} {colour} {pattern}",
    ),
    "words of colour": (
        "{colour} {kind}", "{a colour} {kind}", "{kind} in {colour}", "{kinds} in {colour}",
        "{colour} {kinds}", "{a kind} that is {colour}", "{kind}, {colour}",
        "plain {colour} {kind}",
    ),
    "words of pattern": (
        "{pattern} {kind}", "{kind} with {pattern}", "{kinds} with {pattern}", "{kind}, {pattern}",
        "{a kind} with {pattern}", "{a kind} in {pattern}",
    ),
    "words of kind": ("{kind}", "{a kind}", "{kinds}", "a photo of {a kind}", "some {kinds}"),
}  # fmt: skip


def phrase(
    rng: random.Random,
    task: str,
    *,
    kind: str = "kettle",
    colour: str = "blue",
    pattern: str = "plain",
) -> str:
    """One wording of a task. Capitals and a full stop come and go, as people write.

    Args:
        task: A key of `TEMPLATES`.
        kind, colour, pattern: Names of the catalogue.
    """
    a_kind = rng.choice(KIND_WORDS.get(kind, (kind,)))
    a_colour = rng.choice(COLOUR_WORDS.get(colour, (colour,)))
    words = {
        "{a kind}": a_kind if a_kind.endswith("phones") else _article(a_kind),
        "{kinds}": KINDS[kind].plural if rng.random() < 0.6 else _plural(a_kind),
        "{kind}": a_kind,
        "{a colour}": _article(a_colour),
        "{colour}": a_colour,
        "{pattern}": rng.choice(PATTERN_WORDS.get(pattern, (pattern,))),
    }
    text = rng.choice(TEMPLATES[task])
    for slot, value in words.items():
        text = text.replace(slot, value)
    if rng.random() < 0.15:
        text = text[0].upper() + text[1:]
    return text + "." if rng.random() < 0.08 else text


def every_text(rng: random.Random, repeats: int = 30) -> Iterator[str]:
    """Texts that cover all wordings and words, for training a tokenizer."""
    for _ in range(repeats):
        for task in TEMPLATES:
            for kind in KINDS:
                colour, pattern = rng.choice(list(COLOURS)), rng.choice(list(PATTERNS))
                yield phrase(rng, task, kind=kind, colour=colour, pattern=pattern)


def _article(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


def _plural(words: str) -> str:
    if words.endswith("s") or words.startswith("case for"):
        return words
    return words + "s"
