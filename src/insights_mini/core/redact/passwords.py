"""Masks the value after a word that begins with `password` (CONTRACT.md section 6).

    password=secret   Password: "two words"   --password secret   password --md5 $1$x
    db_password => 'x'   {"password": "x"}   password_pbkdf2 root grub.pbkdf2...   password 7 0822

Kept as they are: PAM lines (`password requisite pam_pwquality.so`), PasswordAuthentication and
PermitEmptyPasswords, whose value is never a secret and is what an analysis of sshd is about.
"""
import re
from typing import List, Optional, Tuple

from insights_mini.core.redact.masking import MASK

WORD_END = re.compile(rb"\w*")
SEPARATOR = re.compile(rb"""
    \\*["']? [ \t]* (?: => | [:=] )+ [ \t]*     # password = x, "password": x
  | [ \t]+ (?: --?[a-z][\w-]* [ \t=]+ )*        # password x, password --md5 x
    (?: \d [ \t]+ (?=\S) )?                     # the kind of encryption, on a router
    """, re.VERBOSE | re.IGNORECASE)
VALUE = re.compile(rb"""
    (?P<quote> \\*" ) (?: \\. | [^"\\\n] )*
  | (?P<single> \\*' ) (?: [^'\n] | '' )*
  | \S+
    """, re.VERBOSE)
QUOTES = re.compile(rb"\\*[\"']?")
REST = re.compile(rb"[^\r\n]+")
LONGEST_PATH = 4096
OF_SSHD = (b"passwordauthentication", b"permitemptypasswords")
PAM = re.compile(rb"(?:[^\s:]+:)?[ \t]*-?password[ \t]+(?:required|requisite|sufficient|optional|"
                 rb"include|substack|\[[^\]\n]*=[^\]\n]*\])[ \t]", re.IGNORECASE)


def mask_passwords(block: bytes) -> Tuple[bytes, int]:
    """Return a block of whole lines with the values of passwords masked, and how many."""
    lowered = block.lower()
    at = lowered.find(b"password")
    if at < 0:
        return block, 0
    pieces: List[bytes] = []
    done = masked = 0
    while at >= 0:
        start = block.rfind(b"\n", done, at) + 1 or done
        end = block.find(b"\n", at) + 1 or len(block)
        line, count = mask_line(block[start:end])
        pieces += [block[done:start], line]
        masked += count
        done = end
        at = lowered.find(b"password", done)
    pieces.append(block[done:])
    return b"".join(pieces), masked


def mask_line(line: bytes) -> Tuple[bytes, int]:
    """Mask one line, from left to right, in a time that is linear in its length."""
    lowered = line.lower()
    pieces: List[bytes] = []
    pam = PAM.match(line)
    done, place = 0, pam.end() if pam else 0
    while True:
        place = lowered.find(b"password", place)
        if place < 0:
            break
        found = find_value(line, lowered, place)
        if found is None:
            place = word_end(line, place)
        elif found[1] < 0:
            place = found[0]
        else:
            pieces += [line[done:found[0]], MASK]
            done = place = found[1]
    return b"".join([*pieces, line[done:]]), len(pieces) // 2


def find_value(line: bytes, lowered: bytes, place: int) -> Optional[Tuple[int, int]]:
    """Return where the value after the word at a place begins and ends, if it has one.

    Where another such word stands in the value's place, the end is -1: the value is behind that.
    """
    end = word_end(line, place)
    word = lowered[place:end]
    separator = SEPARATOR.match(line, end)
    if separator is None or lowered.endswith(OF_SSHD, 0, end):
        return None
    start = separator.end()
    if separator.group()[:1].isspace() and is_path(line, place):
        return None
    if word == b"password_pbkdf2":  # of GRUB: the user, then the hash
        rest = REST.match(line, start)
        return rest.span() if rest else None
    inner = QUOTES.match(line, start)
    after = inner.end() if inner else start
    if lowered.startswith(b"password", after) and SEPARATOR.match(line, word_end(line, after)):
        return after, -1
    value = VALUE.match(line, start)
    if value is None:
        return None
    return max(value.end("quote"), value.end("single"), start), value.end()


def is_path(line: bytes, place: int) -> bool:
    """Tell whether the word is the end of a path, as in `/run/systemd/ask-password 0755 root`."""
    first = max(0, place - LONGEST_PATH)
    begins = max(line.rfind(b" ", first, place), line.rfind(b"\t", first, place), first - 1) + 1
    return line.startswith((b"/", b"./"), begins)


def word_end(line: bytes, place: int) -> int:
    match = WORD_END.match(line, place)
    return match.end() if match else place
