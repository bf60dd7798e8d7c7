"""A certificate as the value of a variable, and what `${certextract` finds in it (Exim 11.5, RFC 5280).

As text it is `<cert>`; the bytes travel behind the text.
"""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING

from pillarbox.language.expand.errors import ExpansionFailed
from pillarbox.mail.certificates import distinguished

if TYPE_CHECKING:
    from cryptography import x509

_KINDS = {"dns": "DNS", "uri": "URI", "mail": "MAIL"}


class Certificate(str):
    """`der`: the bytes."""

    __slots__ = ("der",)

    der: bytes


def certificate(der: bytes) -> str:
    """The value of a variable; empty when there is none."""
    if not der:
        return ""
    made = Certificate("<cert>")
    made.der = der
    return made


def extract(der: bytes, wanted: str) -> str | None:
    """The field, as `${certextract` has it: `subject`, `subj_altname,mail,>:` … None: it is not there. Raises ExpansionFailed."""
    from cryptography import x509

    name, *modifiers = wanted.split(",")
    try:
        found = x509.load_der_x509_certificate(der)
        return _field(found, name.strip(), [each.strip() for each in modifiers])
    except ValueError:
        return None


def _field(found: x509.Certificate, name: str, modifiers: list[str]) -> str | None:
    match name:
        case "version":
            return str(found.version.value + 1)
        case "serial_number":
            return f"{found.serial_number:x}"
        case "subject":
            return _distinguished(found.subject, modifiers)
        case "issuer":
            return _distinguished(found.issuer, modifiers)
        case "notbefore":
            return _moment(found.not_valid_before_utc, modifiers)
        case "notafter":
            return _moment(found.not_valid_after_utc, modifiers)
        case "sig_algorithm":
            return _signature_algorithm(found)
        case "signature":
            return " ".join(f"{byte:02x}" for byte in found.signature)
        case "subj_altname":
            return _listed(_other_names(found, modifiers), modifiers)
        case "ocsp_uri":
            return _listed(_responders(found), modifiers) or ""  # it is there with nothing in it, as in Exim
        case "crl_uri":
            return _listed(_revocation_lists(found), modifiers)
    raise ExpansionFailed(f'bad field selector "{name}" for certextract')


def _separator(modifiers: list[str]) -> str:
    return next((each[1] for each in modifiers if len(each) > 1 and each[0] == ">"), "\n")


def _distinguished(name: x509.Name, modifiers: list[str]) -> str | None:
    """RFC 4514, or the values of one type."""
    wanted = next((each.upper() for each in modifiers if each[:1] not in (">", "")), "")
    if not wanted:
        return distinguished(name)
    values = [str(part.value) for rdn in name.rdns for part in rdn if part.rfc4514_attribute_name == wanted]
    return _listed(values, modifiers)


def _listed(values: list[str], modifiers: list[str]) -> str | None:
    separator = _separator(modifiers)
    return separator.join(value.replace(separator, separator * 2) for value in values) or None


def _moment(moment: datetime.datetime, modifiers: list[str]) -> str:
    seconds = int(moment.timestamp())
    if "int" in modifiers:
        return str(seconds)
    moved = time.localtime(seconds)
    zone = "GMT" if moved.tm_zone == "UTC" else moved.tm_zone
    return time.strftime(f"%b %e %T %Y {zone}", moved)


def _signature_algorithm(found: x509.Certificate) -> str | None:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

    hashed = found.signature_hash_algorithm
    parameters = found.signature_algorithm_parameters
    kind = "ECDSA" if isinstance(parameters, ECDSA) else "RSA" if parameters is not None else ""
    return f"{kind}-{hashed.name.upper()}" if hashed is not None and kind else None


def _other_names(found: x509.Certificate, modifiers: list[str]) -> list[str]:
    from cryptography import x509

    kinds = {"DNS": x509.DNSName, "URI": x509.UniformResourceIdentifier, "MAIL": x509.RFC822Name}
    wanted = next((_KINDS[each] for each in modifiers if each in _KINDS), "")
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    listed: list[str] = []
    for name in names:
        tag = next((tag for tag, kind in kinds.items() if isinstance(name, kind)), "")
        if tag and wanted in ("", tag):
            listed.append(str(name.value) if wanted else f"{tag}={name.value}")
    return listed


def _responders(found: x509.Certificate) -> list[str]:
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID as Access

    try:
        places = found.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return []
    return [str(each.access_location.value) for each in places if each.access_method == Access.OCSP]


def _revocation_lists(found: x509.Certificate) -> list[str]:
    from cryptography import x509

    try:
        points = found.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for point in points for name in point.full_name or ()]
