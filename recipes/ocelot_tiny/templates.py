"""The sentences in which people ask, with slots for what they ask for.

`{kind}` a noun, `{a kind}` with its article, `{kinds}` in the plural, `{this kind}` after `this`
or `these`; `{colour}`, `{a colour}`, `{a colour kind}`; `{pattern}`.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ADJECTIVES", "CLOSERS", "OPENERS", "TEMPLATES"]


def _alternatives(text: str) -> tuple[str, ...]:
    parts = (part.strip() for line in text.splitlines() for part in line.split("|"))
    return tuple(dict.fromkeys(part for part in parts if part))


# A picture of a texture, an animal or another product: that product with that print.
_THEME = _alternatives("""
    {kind} with this image theme | {kinds} with this image theme | {a kind} with this image theme
    {kind} with this theme | {kind} theme like this | {a kind} with this pattern
    {kind} with this print | {a kind} in this pattern | {kinds} in this print
    this pattern on {a kind} | this print on {a kind} | this on {a kind} | this as {a kind}
    the same pattern on {a kind} | same print, {kind} | same theme but {a kind}
    {kind} in the style of this | {kinds} in this style | {a kind} in this design
    {kind} like this | {kinds} like this | {a kind} looking like this
    {kinds} that look like this | {kinds} that match this picture | {a kind} matching this image
    {a kind} matching this print | put this on {a kind} | put this pattern on {a kind}
    can you put this on {a kind} | i want {a kind} with this design | i want this on {a kind}
    i'm looking for {a kind} with this pattern | looking for {kinds} with this print
    searching for {a kind} that would match this picture | {kind} with this texture
    {a kind} with a texture like this | {kind} with this surface
    find {a kind} decorated like this | find me {a kind} in this pattern
    find {kinds} with the look of this image | {kind} with the same print
    {kind} with the same pattern | {kinds} with the same design | show me {kinds} with this look
    show me {a kind} with this motif | show {kinds} in this pattern
    {kind} inspired by this image | {a kind} inspired by this | {a kind} based on this picture
    {kind} based on this photo | {a kind} decorated with this | {kind} covered in this pattern
    {kinds} covered in this | do you have {a kind} with this print
    do you sell {kinds} with this pattern? | is there {a kind} in this design?
    can i get {a kind} with this pattern? | could i have {a kind} in this print please
    any {kinds} with this theme? | got any {kinds} like this? | give me {a kind} with this theme
    {kind}, this pattern | {kind}, same design | {kind} this theme | this theme, {kind}
    this image theme, {kind} | {a kind} with the pattern in the picture
    {a kind} with the pattern shown here | the pattern of this image on {a kind}
    the design of this picture as {a kind} | use this as the print of {a kind}
    turn this into {a kind} | what about {a kind} with this pattern
    {kinds} themed like this image | {kind} with a design like in the photo
    i need {a kind} that goes with this pattern
""")

# The same article in another colour.
_COLOUR = _alternatives("""
    same item in {colour} | the same item in {colour} | the same {kind} in {colour}
    same {kind} in {colour} | same {kind}, {colour} | the same in {colour} | same in {colour}
    the same one in {colour} | same one but {colour} | same but {colour} | same thing in {colour}
    the very same thing, {colour} | in {colour} | in {colour} please | {colour} | {colour} please
    {colour} one | {colour}, please | make it {colour} | make this {colour} | turn it {colour}
    paint it {colour} | {this kind} in {colour} | {this kind} but {colour}
    {this kind}, only in {colour} | this in {colour} | this but {colour} | this, only {colour}
    but {colour} | but in {colour} | just like this but {colour} | exactly this one, {colour}
    exactly this in {colour} | exactly the same {kind} but in {colour}
    identical {kind} in {colour} please | identical but {colour} | {colour} version
    {colour} version of this | the {colour} version of {this kind} | {colour} variant
    the {colour} variant of this item | this model in {colour} | same model, {colour}
    this style in {colour} | change the colour to {colour} | change the color to {colour}
    change colour: {colour} | switch to {colour} | swap the color for {colour} | {colour} instead
    i want {colour} instead | {colour} rather than this colour | is there {a colour} one
    is there {a colour} one? | do you have {a colour} one? | do you have this in {colour}?
    do you have {this kind} in {colour} | does this come in {colour}?
    is this available in {colour}? | can i get this in {colour}? | can i have this in {colour}
    could you show me this in {colour}? | have you got it in {colour}? | got this in {colour}?
    any of these in {colour}? | i want this in {colour} | i want it {colour}
    i would like this in {colour} | i'd like the same {kind} in {colour}
    i like this but i want it in {colour} | i need this one in {colour}
    i'm looking for this in {colour} | looking for the same {kind} in {colour}
    show me this in {colour} | show me {this kind} but in {colour} | show me the {colour} one
    find this in {colour} | find the same product in {colour} | find me {this kind} in {colour}
    give me the {colour} one | the {colour} one | same product, {colour}
    same product in the colour {colour} | same article in {colour} | same design in {colour}
    same shape, {colour} | with {colour} as the colour | in the colour {colour}
    in {a colour} colour | colour {colour} | color: {colour}
    what does this look like in {colour} | how about {colour}? | what about this in {colour}
    prefer {colour} | {kind} like this in {colour} | {a colour kind} like this one
""")

# The same article with another pattern.
_PATTERN = _alternatives("""
    the same {kind} with {pattern} | same {kind}, {pattern} | same {kind} but {pattern}
    same but {pattern} | same item with {pattern} | same item, {pattern}
    same product with {pattern} | same shape with {pattern} | same model, {pattern}
    the same in {pattern} | the same one with {pattern} | exactly this one with {pattern}
    identical {kind}, {pattern} | make it {pattern} | make this {pattern}
    {this kind} with {pattern} | {this kind} in {pattern} | {this kind} but with {pattern}
    this with {pattern} | this in {pattern} | this but {pattern} | {pattern} version
    {pattern} version of this | the {pattern} version of {this kind}
    change the pattern to {pattern} | change the print to {pattern}
    switch the design to {pattern} | {pattern} instead | {pattern} please | {pattern}
    with {pattern} | with {pattern} please | but with {pattern} | i want this with {pattern}
    i want it with {pattern} instead | i'd like this in {pattern}
    i'm looking for the same {kind} with {pattern} | do you have this with {pattern}?
    do you have {this kind} in {pattern} | does it come with {pattern}?
    is there one with {pattern}? | can i get this with {pattern}? | show me this in {pattern}
    show me {this kind} with {pattern} | find the same {kind} with {pattern}
    how about {pattern}? | the one with {pattern} | decorated with {pattern} | pattern: {pattern}
""")

# Another article in the picture's colour.
_CATEGORY = _alternatives("""
    {kinds} in this colour | {kinds} in this color | {kind} in this color
    {a kind} in this colour | {kinds} of this colour | {a kind} of the same colour
    {kind} in the same color | {kinds} in the same colour | {kind} with the same colour
    {kind} in this shade | {a kind} in the same shade | {a kind} in a matching colour
    {a kind} in exactly this colour | {a kind} that would match this | {a kind} matching this
    {kinds} that match this | {kinds} to match | matching {kind} | matching {kinds}
    same colour, but {a kind} | same color, {kind} | same colour {kind} | this colour, {kind}
    this color but {a kind} | this colour on {a kind} | the colour of this on {a kind}
    find {a kind} with this colour | find me {kinds} in this color
    find a matching colour {kind} | {a kind} to go with this
    something to go with this: {a kind} | plain {kind} in this colour
    i want {a kind} in this colour | i need {a kind} in the same color
    i'm looking for {kinds} in this colour | do you have {kinds} in this colour?
    do you have {a kind} to go with it? | is there {a kind} in this colour?
    can i get {a kind} in this color? | show me {kinds} in this colour
    show {kinds} of the same colour | any {kinds} in this shade? | what {kinds} go with this
    {a kind} coloured like this | {kind}, same colour | {kind}, this color
    {kinds} the colour of this | {a kind} the same colour as this | {a kind} as this one's colour
""")

# The picture's motif printed on an article, whatever the picture shows.
_PRINT = _alternatives("""
    print this photo on {a kind} | print this picture on {a kind} | print this on {a kind}
    {a kind} printed with this picture | {a kind} printed with this photo
    {kind} with this picture on it | {kind} with this photo on it
    {a kind} with this image printed on it | {a kind} showing this picture
    {kinds} with this photo | my photo on {a kind} | this photo on {a kind}
    this picture on {a kind} | put this picture on {a kind} | put my photo on {a kind}
    custom {kind} with this image | personalised {kind} with this photo
    personalized {kind} with my picture | make {a kind} out of this picture
    can you print this on {a kind}? | i want this picture printed on {a kind} | photo {kind}
""")

_WORDS = _alternatives("""
    {colour} {pattern} {kind} | {a colour kind} with {pattern} | {colour} {kind} with {pattern}
    {kind}, {pattern}, {colour} | {kind}, {colour}, {pattern} | {pattern} {kind} in {colour}
    {pattern} {kind}, {colour} | {pattern} {kinds} in {colour} | {kind} {colour} {pattern}
    {colour} {kinds} with {pattern} | {kind} with {pattern} in {colour}
    {a kind} with {pattern}, mainly {colour} | {a kind} in {colour} with {pattern}
    i'm looking for {a colour kind} with {pattern} | show me {colour} {kinds} with {pattern}
    do you have {kinds} in {colour} with {pattern}?
""")

_WORDS_OF_COLOUR = _alternatives("""
    {colour} {kind} | {a colour kind} | {kind} in {colour} | {kinds} in {colour}
    {a kind} in {colour} | {colour} {kinds} | {kind}, {colour} | {kind} {colour}
    {kind} colour {colour} | plain {colour} {kind} | {kind} in plain {colour}
    a photo of {a colour kind} | a picture of {a colour kind} | photo of {colour} {kinds}
    {a kind}, {colour} in colour | i want {a colour kind} | i'm looking for {a colour kind}
    show me {colour} {kinds} | do you have {kinds} in {colour}? | {colour} coloured {kind}
""")

_WORDS_OF_PATTERN = _alternatives("""
    {pattern} {kind} | {pattern} {kinds} | {kind} with {pattern} | {kinds} with {pattern}
    {kind}, {pattern} | {kind} {pattern} | {a kind} with {pattern} | {a kind} in {pattern}
    {kinds} in {pattern} | a photo of {a kind} with {pattern}
    a picture of {kinds} with {pattern} | i want {a kind} with {pattern}
    i'm looking for {kinds} with {pattern} | show me {kinds} with {pattern}
    do you have {kinds} with {pattern}?
""")

_WORDS_OF_KIND = _alternatives("""
    {kind} | {a kind} | {kinds} | a photo of {a kind} | a picture of {a kind}
    an image of {a kind} | photo of {kinds} | picture of {kinds} | pictures of {kinds}
    some {kinds} | {kinds} in a shop | {kinds} in a store | {kind} for sale | buy {kinds}
    show me {kinds} | find {a kind} | find me {kinds} | i need {a kind} | i want {a kind}
    i'm looking for {a kind} | do you have {kinds}? | do you sell {kinds} | where are the {kinds}
    all {kinds} | different {kinds} | a close look at {a kind} | {a kind} on a table
    a product photo of {a kind} | {kind} section | a snapshot of {kinds}
""")

TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "theme": _THEME,
    "colour": _COLOUR,
    "pattern": _PATTERN,
    "category": _CATEGORY,
    "print": (*_THEME, *_PRINT * 2),  # print's own are fewer, and should come as often
    "words": _WORDS,
    "words of colour": _WORDS_OF_COLOUR,
    "words of pattern": _WORDS_OF_PATTERN,
    "words of kind": _WORDS_OF_KIND,
}

# Fillers change nothing in what is asked.
OPENERS = _alternatives("""
    please | hello, | hi, | hi there, | hey | good morning, | good evening, | um | well, | okay,
    ok, | so | excuse me, | sorry, | quick question: | dear shop, | thanks, | maybe | perhaps
    my daughter wants: | as a birthday gift: | for christmas:
""")
CLOSERS = _alternatives("""
    please | , please | , thanks | , thank you | thx | for my sister | for my brother
    for my mum | for my dad | for my wife | for my husband | for my friend | for my new flat
    for the weekend | for christmas | as a gift | as a present | for a birthday | if you have it
    if possible | if that is possible | in stock | available today | delivered free | on sale
    today | asap | , best price | at a fair price | online | and when can it be delivered?
    , what does it cost? | :) | !
""")
ADJECTIVES = _alternatives("""
    nice | cheap | lovely | beautiful | good | great | pretty | cute | cool | new | stylish
    elegant | decent | affordable | quality | fancy | modern | amazing | perfect | well made
    inexpensive | trendy | popular | favourite
""")
