"""Masks secrets that are known by their own form wherever they stand: in URLs, headers, hashes.

Each function is a rule (masking.py). In the expressions, a group is a value. None has two ways to
match a text over more than a bounded length, so that their time is linear in the line's length.

Sources of the forms: RFC 3986 (URLs), RFC 7617, 6750 and 7616 (headers), RFC 7519 (JSON web
tokens), crypt(5), RFC 5803 and RFC 2307 (hashes), and the documents of each cloud.
"""
import re
from typing import List, Tuple

from insights_mini.core.redact.kept import is_kept
from insights_mini.core.redact.masking import Masked, mask_groups, mask_spans

URL = re.compile(rb"""://(?:
    ( (?= [A-Za-z_-]{0,80} \d ) [\w-]{20,200} ) (?: : (?:x-oauth-basic)? )? @   # a token
  | [^\s:/?\#@"'<>\\]{0,200} :                              # the user stays
    (?: ( [^\s/?\#"'<>\\]{1,512} ) @                        # a password may have an @ itself
      | (?! \d{1,5} [/?\#] ) ( [^\s"'<>]{1,256}? ) @ (?= [\w.\[-] ) )
  )""", re.VERBOSE)

# Without a scheme, as in the settings of proxies; mailto:user@host and image:tag@sha256: are not.
BARE = re.compile(rb"""(?<! [\w.%+/:@-] )
    (?! (?:mailto|sips?|e-?mail|mail|from|to|cc|by|acct|xmpp|jid|im|contact|author|maintainer|owner
        |https?|user|unit|ssh|git) : )
    [A-Za-z][\w.%+\\-]{0,63} : ( [^\s:/@"'<>,;()\[\]=][^\s:/@"'<>,;()\[\]]{0,127} ) @
    (?! sha\d{1,3}: )
    (?: (?: [A-Za-z0-9-]{1,63}\. ){1,8} (?: [A-Za-z]{2,24} | \d{1,3} ) (?! \w )
      | [A-Za-z0-9-]{1,63} (?= :\d ) )
    """, re.VERBOSE | re.IGNORECASE)

LIKELY = re.compile(rb":[^\s:/@]{1,128}@")

KNOWN = re.compile(rb"""(?<! [A-Za-z0-9] ) (
    (?:AKIA|ASIA)[0-9A-Z]{16} (?! [0-9A-Za-z] )
  | AIza[\w-]{35}
  | gh[pousr]_[A-Za-z0-9]{16,255} | github_pat_\w{22,255}
  | glpat-[\w-]{20,255}
  | xox[abeoprs]-[A-Za-z0-9-]{10,255}
  | [srp]k_(?:live|test)_[A-Za-z0-9]{10,255}
  | gAAAAA[\w-]{60,4000}={0,2}                              # Fernet, as OpenStack's tokens are
  | eyJ[\w-]{8,4000}\.eyJ[\w-]{4,8000}(?:\.[\w-]{0,4000})?
  | LS0tLS1CRUdJTi                                          # -----BEGIN ... PRIVATE KEY in base64
    (?:BSU0EgUFJJVkFURS|BQUklWQVRF|BFQyBQUklWQVRF|BPUEVOU1NIIFBSSVZBVEUg|BFTkNSWVBURU)
    [A-Za-z0-9+/=]{0,60000}
  )""", re.VERBOSE)

SIGNATURE = re.compile(rb"(?i)[?&]sig=([A-Za-z0-9%+/=_-]{16,512})")

HASH = re.compile(rb"""(
    \$ (?:1|apr1) \$ [^\s$:"']{0,16} \$ [./0-9A-Za-z]{22}
  | \$ 2[abxy]? \$ \d\d \$ [./0-9A-Za-z]{20,60}
  | \$ [56] \$ (?: rounds=\d{1,9} \$ )? [^\s$:"']{0,32} \$ [./0-9A-Za-z]{20,100}
  | \$ g?y \$ j[./0-9A-Za-z]{1,20} \$ [./0-9A-Za-z]{0,100} \$ [./0-9A-Za-z]{20,100}
  | \$ 7 \$ [./0-9A-Za-z]{11,150} \$ [./0-9A-Za-z]{20,100}
  | \$ [89] \$ [./0-9A-Za-z]{14} \$ [./0-9A-Za-z]{43}
  | \$ sha1 \$ \d{1,10} \$ [./0-9A-Za-z]{1,64} \$ [./0-9A-Za-z]{28}
  | \$ (?: argon2(?:id|i|d) \$ v= | scrypt \$ ln= | pbkdf2[\w-]{0,20} \$ \d | bcrypt-sha256 \$ )
      [\w=,./+$-]{16,400}
  | \$ [PH] \$ [./0-9A-Za-z]{31}
  | SCRAM-SHA-(?:1|256) \$ \d{1,9}: [\w+/=]{1,200} \$ [\w+/=]{1,200} : [\w+/=]{1,200}
  | grub\.pbkdf2\.sha512\. [0-9A-Za-z.]{16,4000}
  )""", re.VERBOSE)

SCHEME = re.compile(rb"""\{ (?:s?sha(?:256|384|512)?|s?md5|crypt|nt|argon2|pbkdf2[\w-]{0,20}) \}
    ( [\w+/=.$,-]{8,4000} )""", re.VERBOSE | re.IGNORECASE)

AUTHORIZATION = re.compile(rb"""authorization \\{0,8}["']? [ \t]{0,8}
    (?: [:=] [ \t]{0,8} | (?= [\t\ "'\\] ) ) \\{0,8}["']?
    (?: (?P<scheme> basic|bearer|token|negotiate|ntlm|apikey|digest) [ \t]{1,8} )?""",
                           re.VERBOSE | re.IGNORECASE)
WORD = re.compile(rb"[^\s\"'\\,]+")
TO_QUOTE = re.compile(rb"[^\"'\\\r\n]+")
PROSE = re.compile(rb"[A-Za-z'][a-z',.]*(?: [A-Za-z'(][a-z',.)]*)*")
BEARER = re.compile(rb"(?i)\bbearer[ \t]{1,8}(?=[a-z_.~+/-]{0,80}[0-9])([\w.~+/-]{8,60000}=*)")
RESPONSE = re.compile(rb"(?i)\bresponse\\{0,8}=\\{0,8}\"?([^\s\",\\]{1,512})")
DOCKER = re.compile(rb"(?i)[\"']_?auth\\{0,8}[\"'][ \t]{0,8}:[ \t]{0,8}\\{0,8}[\"']"
                    rb"((?:[A-Za-z0-9+/]{4}){2,4000}[A-Za-z0-9+/=]{0,4})(?=\\{0,8}[\"'])")


def mask_urls(line: bytes) -> Masked:
    return mask_groups(URL, line, wanted=is_secret)


def mask_bare_credentials(line: bytes) -> Masked:
    if not LIKELY.search(line):  # most lines with an @ are done with by this
        return line, 0
    return mask_groups(BARE, line, wanted=is_secret)


def is_secret(value: bytes) -> bool:
    return value != b"x-oauth-basic" and not is_kept(value, True)


def mask_known(line: bytes) -> Masked:
    return mask_groups(KNOWN, line)


def mask_signatures(line: bytes) -> Masked:
    return mask_groups(SIGNATURE, line)


def mask_hashes(line: bytes) -> Masked:
    return mask_groups(HASH, line)


def mask_schemes(line: bytes) -> Masked:
    return mask_groups(SCHEME, line)


def mask_bearers(line: bytes) -> Masked:
    return mask_groups(BEARER, line)


def mask_docker(line: bytes) -> Masked:
    return mask_groups(DOCKER, line)


def mask_authorization(line: bytes) -> Masked:
    """Mask the value of an Authorization header; of Digest only the response, as it is a hash."""
    spans: List[Tuple[int, int]] = []
    at = 0
    more = True  # responses of Digest
    while True:
        match = AUTHORIZATION.search(line, at)
        if not match:
            return mask_spans(line, spans)
        at = match.end()
        scheme = (match.group("scheme") or b"").lower()
        value = (WORD if scheme else TO_QUOTE).match(line, at)
        if scheme == b"digest":
            response = RESPONSE.search(line, at) if more else None
            more = response is not None
            if response:
                spans.append(response.span(1))
                at = response.end()
        elif value and (scheme or match.group().rstrip(b" \t\"'\\").endswith((b":", b"="))):
            at = value.end()
            opaque = scheme not in (b"", b"basic", b"token")
            if is_secret(value.group().rstrip()) and (opaque or not is_prose(value.group())):
                spans.append((value.start(), value.start() + len(value.group().rstrip())))


def is_prose(value: bytes) -> bool:
    """Tell `authorization: access was denied` from a header whose scheme is not known."""
    return len(value.split(None, 1)[0]) < 16 and bool(PROSE.fullmatch(value.rstrip()))
