"""Places in a text that look like somebody's personal data: a sign to look at, no proof.

Cards and bank accounts have check digits, which are tested; addresses and numbers that a company gives
to everybody (support@, 0800) are nobody's.
"""

from __future__ import annotations

from typing import Final

EMAIL: Final = "[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)*[.][A-Za-z]{2,}"
ROLES: Final = (
    "^(support|help|helpdesk|info|service|customer[._-]?(service|care|support)|contact|hello|sales|billing|team|"
    "office|mail|admin|privacy|legal|press|jobs|careers|noreply|no-reply|do-not-reply|feedback|returns|orders|"
    "kontakt|soporte|ayuda|your[._-]?(name|email)|user|username|example|name|email)@|@(example|test|domain)[.]"
)
PHONE: Final = (
    "(?:^|[^0-9A-Za-z#_./-])((?:[+]|00)[1-9][0-9]{0,2}[ .-]?(?:[(]0?[0-9]{1,4}[)])?(?:[ .-]?[0-9]{2,5}){2,5}|"
    "[(][0-9]{3}[)] ?[0-9]{3}[ .-][0-9]{4}|[0-9]{3}[ .-][0-9]{3}[ .-][0-9]{4})(?:$|[^0-9A-Za-z])"
)
FREE_CALL: Final = "^([+]?1[ .-]?)?[(]?(800|888|877|866|855|844|833|900|555)[)]?[ .-]|^0?0?800|^[+]800"
CARD: Final = (
    "(?:^|[^0-9.-])([3-6][0-9]{3}(?:[ -]?[0-9]{4}){2}[ -]?[0-9]{1,4}|"
    "3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5})(?:$|[^0-9-])"
)
ACCOUNT: Final = (
    "(?:^|[^A-Z0-9])([A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)(?:$|[^A-Za-z0-9])"
)
SUSPECT: Final = ("[a-zA-Z0-9]@[a-zA-Z0-9]", "[0-9][0-9 ().-]{5}", "[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}")
"""What a text must have to be looked at more closely."""


def count_personal(column: str) -> str:
    """How many places of the text look so; each different one counts once."""
    suspect = f"multiMatchAny({column}, {list(SUSPECT)})"
    found = " + ".join((_emails(), _phones(), _cards(), _accounts()))
    each = f"arrayMap(t -> toUInt32({found}), if({suspect}, [{column}], []))"
    return f"arraySum({each})"


def _extract(pattern: str) -> str:
    return f"arrayDistinct(extractAll(t, '{pattern}'))"


def _emails() -> str:
    # extractAll gives the first group where there is one: the whole address is put into it.
    return f"arrayCount(x -> NOT match(lower(x), '{ROLES}'), {_extract(f'({EMAIL})')})"


def _phones() -> str:
    digits = "length(replaceRegexpAll(x, '[^0-9]+', ''))"
    return f"arrayCount(x -> NOT match(x, '{FREE_CALL}') AND {digits} BETWEEN 9 AND 15, {_extract(PHONE)})"


def _cards() -> str:
    """Luhn's check digit: from the right every second digit counts twice."""
    digits = "arrayReverse(arrayMap(c -> toUInt8(c), extractAll(x, '[0-9]')))"
    doubled = "intDiv(d * 2, 10) + modulo(d * 2, 10)"
    luhn = f"modulo(arraySum((d, i) -> if(modulo(i, 2) = 0, {doubled}, d), ds, arrayEnumerate(ds)), 10) = 0"
    plain = "length(ds) >= 13 AND length(arrayDistinct(ds)) > 1"
    return f"arrayCount(x -> arrayExists(ds -> {plain} AND {luhn}, [{digits}]), {_extract(CARD)})"


def _accounts() -> str:
    """An IBAN's check: its first four signs put at the end, letters as 10 to 35, it leaves 1 by 97."""
    bare = "replaceAll(x, ' ', '')"
    turned = f"concat(substring({bare}, 5), substring({bare}, 1, 4))"
    value = "if(c >= 65, c - 55, c - 48)"
    signs = f"arrayMap(s -> toInt64(reinterpretAsUInt8(s)), splitByString('', {turned}))"
    step = f"toInt64(modulo(r * if(c >= 65, 100, 10) + {value}, 97))"
    rest = f"arrayFold((r, c) -> {step}, {signs}, toInt64(0))"
    return f"arrayCount(x -> length({bare}) BETWEEN 15 AND 34 AND {rest} = 1, {_extract(ACCOUNT)})"
