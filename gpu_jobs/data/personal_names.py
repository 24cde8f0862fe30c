"""Which kind of personal data the name of a column speaks of, in English, German, French and Spanish.

Standard library only: doors use it too. It sees no cell; what the cells say is found in `personal`.
"""

from __future__ import annotations

import re

_SEPARATE = re.compile(r"([a-z0-9])([A-Z])")
_WORDS: tuple[tuple[str, str], ...] = (
    ("mail", r"(e_?)?mails?(_addr(ess)?)?|mailadresse|correo|courriel"),
    ("phone", r"(tele?)?phones?|tel(efon(nummer)?)?|mobile|handy|cell(phone)?|fax|(phone|mobile)_(no|nr|number)"),
    ("iban", r"ibans?|bank_account|account_(no|nr|number)|kontonummer|konto"),
    ("ip", r"ip(v[46])?(_addr(ess)?)?|remote_addr|client_ip"),
    ("postal_code", r"zip(_?code)?|post(al)?_?code|plz|postleitzahl|code_postal"),
    ("address", r"address|addr|street(_name)?|strasse|straße|anschrift|adresse|direccion"),
    ("birth_date", r"dob|birth_?(date|day)|date_of_birth|geburts(datum|tag)|born_on"),
    (
        "name",
        r"names?|(first|last|full|sur|fore|given|family|middle|maiden|user|customer|client|patient|employee|person"
        r"|passenger|member|contact|author|owner|holder|player|student)_?names?|vorname|nachname|familienname|nom"
        r"|prenom|prénom|nombre|apellidos?",
    ),
    (
        "id",
        r"ssn|social_security(_(no|nr|number))?|passport(_(no|nr|number))?|tax_?id|national_id|nino|svnr|personalnummer"
        r"|(customer|client|user|patient|person|employee|member|passenger|account|license|licence)_?(id|no|nr|number)",
    ),
)
_PATTERNS = tuple((kind, re.compile(rf"(^|.*_)({words})")) for kind, words in _WORDS)


def kind_of_name(column: str) -> str | None:
    """The kind of personal data (`mail`, `phone`, `name`, `id`, …) that a column of that name most likely holds.

    Example:
        >>> kind_of_name("CustomerEmail"), kind_of_name("age"), kind_of_name("Last Name")
        ('mail', None, 'name')
    """
    name = re.sub(r"[^\w]+", "_", _SEPARATE.sub(r"\1_\2", column)).strip("_").lower()[:200]
    return next((kind for kind, pattern in _PATTERNS if pattern.fullmatch(name)), None)
