"""Masks the values that are given to a name that is, or ends with, the name of a secret.

    DB_PASS: x   "clientSecret": "x"   api_key => 'x'   --token x   X-Auth-Token: x   Pwd=x;Server=y
    <secret>x</secret>   <token value="x"/>   "name": "API_TOKEN", "value": "x"
    {default_pass, <<"x">>}   requirepass x   RequestHeader set X-Api-Key "x"

A value goes to its closing quote, or to the end of its word; at the start of a line to the end of
the line, for a passphrase has several words, unless another setting follows in the line.

What stays, besides the values of kept.py: the value of `passwd:` in nsswitch.conf, words after a
colon in the midst of a sentence (`invalid token: connection refused`), names of files
(`/etc/pki/private.key: OK`). Words that begin with `password` are the business of passwords.py.
"""
import re
from typing import List, Match, NamedTuple, Optional, Tuple

from insights_mini.core.redact.kept import is_kept
from insights_mini.core.redact.masking import Masked, mask_spans

Span = Tuple[int, int]

KEYS = ("api", "access", "secret", "private", "account", "auth", "encryption", "encrypt", "crypt",
        "signing", "master", "shared", "hmac", "storage", "consumer", "app", "application",
        "service", "deploy", "security", "wep")
# The word is looked at from its end: an expression that begins with any of KEYS is slow.
KEY = (b"key(?:" + b"|".join(b"(?<=" + kind.encode() + joint + b"key)"
                             for kind in KEYS for joint in (b"", b"[_.-]"))
       + b"".join(b"|(?<=%s key)" % kind for kind in (b"api", b"access", b"secret", b"private"))
       + b"|-data)")
NAME = re.compile(
    rb"(?P<name>(?:secret|token|authtok|masterauth|c(?:ommunity|redentials?)"
    rb"|p(?:ass(?:phrase|wd|code)|wd)|(?P<short>p(?:ass|sk|w))|(?<![a-z0-9])_auth|" + KEY
    + rb")\d{0,2})"
    rb"(?:(?P<assign>(?:\\{0,8}[\"']\]?)?[ \t]{0,80}"
    rb"(?:=>|:=|::(?=[ \t])|:(?!:)|={1,3}|,[ \t]{0,8}<<)[ \t]*)"
    rb"|(?P<pair>(?:\\{0,8}[\"'],?)?[ \t]{1,80}\\{0,8}[\"']?value\\{0,8}[\"']?[ \t]{0,8}[:=][ \t]*)"
    rb"|(?P<element>(?:[ \t][^<>]{0,200})?>)"
    rb"|(?P<space>\\{0,8}[\"']?[ \t]+))")

OF_PASSWORD = re.compile(rb"pass|pwd|psk|pw|community")
BEFORE = 96  # bytes of a line before a name that can say what it is
NAME_BYTES = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
JOINED = re.compile(rb"(?:db|user|bind|root|admin|smtp|ldap|mail|ftp|proxy|http|svn|login|ipmi|key"
                    rb"|store|require|rpc|my|vnc|rabbit|amqp|redis|cert|ca)\Z")

QUOTE = re.compile(rb"(?:[bBuUrR]{1,2}(?=[\"']))?(?P<quote>\\{0,8}[\"'])")
DOUBLE = re.compile(rb'[^"\\\n]*(?:\\.[^"\\\n]*)*(?=")')
SINGLE = re.compile(rb"[^'\n]*(?:''[^'\n]*)*(?=')")
PLACEHOLDER = re.compile(rb"<[^<>\s]{1,80}>(?=[\s\"',;)]|\Z)")
BARE = re.compile(rb"""(?: [^\s\0"'<,;&\\]
    | ["'] (?! [\s,)}\];>:] | \Z ) | < (?! [/\w] )
    | [,;&] (?! \s | \Z | ["'] | [\w. -]{1,40}[=:] ) | \\ (?! \\{0,8}["'] ) )+""", re.VERBOSE)
OPENED = re.compile(rb"(?:\\{0,8}[\"']|\0)\Z")  # as in /proc/1/environ
NAMING = re.compile(rb"(?i:load|import|condition|assert)\Z")  # of systemd, followed by a name
ELEMENT = re.compile(rb"<(?:[\w.-]{1,60}:)?\Z")
ANOTHER = re.compile(rb"[ \t,;&|{][\"']?[\w.-]{1,60}[\"']?[ \t]?[=:]")
COMMENT = re.compile(rb"[ \t]*(?:[,;}\])]*[ \t]*(?:[#;\r\n]|//|\Z))")
WORDS = re.compile(rb"[A-Za-z][a-z'-]*|[A-Z]+")
SWITCH = re.compile(rb"(?:(?:files|sss|compat|nis|nisplus|ldap|db|dns|systemd|winbind|altfiles"
                    rb"|extrausers|hesiod|myhostname|wins|lsass|\[[^\]\n]{1,80}\])"
                    rb"(?:[ \t]+|(?=[#\r\n]|\Z)))+(?:[#\r\n]|\Z)")

# Words of a sentence about an option: `--token is required`, `Token= setting`.
SENTENCE = frozenset(
    b"a an and are as be but by can command field file flag for from has have if in into is isn't"
    b" it may maybe must not now of on only option options or parameter section setting settings"
    b" should so support switch than that the to used uses using value was when which will with"
    b"".split())

# Programs whose settings are words: the name is the first word of the line. Where the name is a
# plain word, the value must be one that no sentence has.
FIRST_WORDS = frozenset((
    b"requirepass", b"masterauth", b"auth_pass", b"psk", b"wpa-psk", b"wpa-passphrase", b"wep-key",
    b"authtoken", b"token", b"bindpw", b"rootbindpw", b"secret", b"passphrase", b"passwd"))
DOUBTFUL = frozenset((b"secret", b"passphrase", b"passwd", b"token", b"psk"))
GIVEN = re.compile(rb"(?:^[ \t]*(?:ENV|ARG)|(?:^|[\s;{])(?i:setenv|proxy_set_header|add_header"
                   rb"|set-header|(?:request|response)?header[ \t]+(?:always[ \t]+)?"
                   rb"(?:set|add|append)))[ \t]+[\"']?\Z")


class Place(NamedTuple):
    """What stands before a name in its line."""

    stem: bytes     # up to the word that the name ends
    word: bytes     # the beginning of that word
    first: bool     # it is the first word of the line


def mask_assignments(line: bytes) -> Masked:
    spans: List[Span] = []
    lowered = line.lower()
    at = 0
    while True:
        match = NAME.search(lowered, at)
        if not match:
            return mask_spans(line, spans)
        at = match.end("name")
        place = look_before(line, match.start())
        if match.group("short") and not stands_alone(line, match, place):
            continue
        found = find_value(line, match, place)
        if found:
            at = max(at, found[1])
            if not is_kept(line[found[0]:found[1]], bool(OF_PASSWORD.search(match.group("name")))):
                spans.append(found)


def look_before(line: bytes, start: int) -> Place:
    before = line[max(0, start - BEFORE):start]
    stem = before.rstrip(NAME_BYTES)
    first = start <= BEFORE and not stem.strip(b" \t#;/-")
    return Place(stem, before[len(stem):], first)


def stands_alone(line: bytes, match: Match[bytes], place: Place) -> bool:
    """Tell DB_PASS, dbPass and pass from bypass and compass."""
    start = match.start("short")
    before, letter = line[start - 1:start], line[start:start + 1]
    if before.isalpha() and not (before.islower() and letter.isupper()) \
            and not JOINED.search(place.word.lower()):
        return False
    option = place.word.startswith(b"-") and match.group("space") is not None
    if option and match.group("short") == b"pw" and place.word + letter != b"-p":
        return False  # grep -Pw
    if not has_colon(match) or place.word.rstrip(b"-"):
        return True
    return place.first and letter.islower()  # `PASS: 12` counts tests


def has_colon(match: Match[bytes]) -> bool:
    return (match.group("assign") or b"").lstrip(b" \t\\\"']").startswith(b":")


def find_value(line: bytes, match: Match[bytes], place: Place) -> Optional[Span]:
    """Return where the value of a name is; None when it has none."""
    at = match.end()
    if match.group("assign") is not None:
        return find_assigned(line, match, place)
    pair = match.group("pair")
    if pair is not None:
        named = pair.lstrip(b"\\").startswith((b'"', b"'")) or ELEMENT.search(place.stem)
        return read_value(line, at) if named else None
    if match.group("element") is not None:
        end = line.find(b"<", at)
        closed = end >= 0 and line.startswith(b"</", end) and ELEMENT.search(place.stem)
        return (at, end) if closed else None
    return find_after_space(line, match, place)


def find_assigned(line: bytes, match: Match[bytes], place: Place) -> Optional[Span]:
    at = match.end()
    if is_other(line, match, place):
        return None
    quote = OPENED.search(place.stem)
    if quote and not match.group("assign").startswith((quote.group(), b"]")):  # "TOKEN=a b"
        end = line.find(quote.group(), at)
        if end >= 0:
            return at, end
    found = read_value(line, at)
    if not found or QUOTE.match(line, at):
        return found
    if place.first:
        return read_rest(line, found)
    before = place.stem.rstrip(b" \t")
    in_text = (place.stem.endswith(b"(")  # pam_unix(passwd:session)
               or not (place.word or before.endswith((b"{", b",", b"[", b"("))))
    prose = has_colon(match) and in_text and WORDS.fullmatch(line[slice(*found)].rstrip(b".,:;)"))
    return None if prose else found


def is_other(line: bytes, match: Match[bytes], place: Place) -> bool:
    """Tell what only looks like an assignment of a secret."""
    name, sign, at = match.group("name"), match.group("assign"), match.end()
    if has_colon(match) and place.stem.endswith(b"/"):  # a file, and what is said of it
        return True
    if name == b"passwd" and has_colon(match) and SWITCH.match(line, at):
        return True
    if name == b"credential" and NAMING.search(place.word):
        return True
    if name == b"token" and b"pkcs11:" in place.stem:  # where it is a label
        return True
    return sign.endswith(b"= ") and sign[:1] == b"=" and in_sentence(line, at)


def find_after_space(line: bytes, match: Match[bytes], place: Place) -> Optional[Span]:
    at = match.end()
    word = place.word + line[match.start():match.end("name")]
    option = word.startswith(b"-") and (not place.stem or place.stem[-1:] in b" \t\0\"'=,[(")
    quoted = match.group("space").strip(b" \t")
    if option and line[at:at + 1] != b"-":
        return read_value(line, at) if not in_sentence(line, at) else None
    if GIVEN.search(place.stem):
        return read_value(line, at)
    name = word.lower()
    if quoted or not place.first or name.rstrip(b"0123") not in FIRST_WORDS:
        return None
    found = read_value(line, at)
    if not found or name not in DOUBTFUL:
        return found
    alone = COMMENT.match(line, found[1] + bool(QUOTE.match(line, at)))
    return found if alone and not WORDS.fullmatch(line[slice(*found)].rstrip(b".,:;)")) else None


def in_sentence(line: bytes, at: int) -> bool:
    word = line[at:at + 40].split(None, 1)
    return bool(word) and word[0].rstrip(b".,;:").lower() in SENTENCE


def read_value(line: bytes, at: int) -> Optional[Span]:
    """Return the span of the value that begins at a place: in its quotes, or one word."""
    quote = QUOTE.match(line, at)
    if quote:
        return quote.end(), find_closing(line, quote.end(), quote.group("quote"))
    word = PLACEHOLDER.match(line, at) or BARE.match(line, at)
    if not word:
        return None
    value = word.group()
    return (at, at + len(value.rstrip(b")}],;>") or value)) if value.strip(b",;&") else None


def find_closing(line: bytes, at: int, quote: bytes) -> int:
    """Return where the closing quote is; where there is none, the end of the line."""
    if len(quote) == 1:
        match = (DOUBLE if quote == b'"' else SINGLE).match(line, at)
        end = match.end() if match else -1
    else:
        end = line.find(quote, at)
    return end if end >= 0 else len(line.rstrip(b"\r\n"))


def read_rest(line: bytes, word: Span) -> Span:
    """Return the span of a value that may have several words."""
    start, end = word
    value = line[start:end]
    before_comment = value.partition(b"#")[0]
    if before_comment != value and is_kept(before_comment, False):
        return start, start + len(before_comment)
    if COMMENT.match(line, end) and is_kept(value, False):
        return word
    if ANOTHER.search(line, end):
        return word
    return start, max(end, len(line.rstrip(b" \t\r\n,;")))
