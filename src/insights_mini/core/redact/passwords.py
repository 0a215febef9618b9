"""Masks the value after a word that begins with `password` (CONTRACT.md section 6).

    password=secret   Password: "two words"   --password secret   password --md5 $1$x
    db_password => 'x'   {"password": "x"}   password_pbkdf2 root grub.pbkdf2...   password 7 0822

Kept as they are: PAM lines (`password requisite pam_pwquality.so`) and PasswordAuthentication,
whose value is never a secret and is what an analysis of sshd is about.
"""
import re
from typing import List, Match

MASK = b"********"

SECRET = re.compile(rb"""
    (?P<before>
        password (?!authentication\b) \w*
        (?:
            \\*["']? [ \t]* (?: => | [:=] )+ [ \t]*        # password = x, "password": x
          | [ \t]+ (?! (?:required|requisite|sufficient|optional|include|substack)\b | \[ )
            (?: --?[a-z][\w-]* [ \t=]+ )*                  # --md5, --encrypted
            (?: \d [ \t]+ (?=\S) )?                        # the kind of encryption, on a router
        )
    )
    (?:
        (?P<open> \\*" ) (?: \\. | [^"\\\n] )*             # to the closing quote
      | (?P<single> \\*' ) [^'\n]*
      | [^\s"'] [^\s]*
    )
    """, re.VERBOSE | re.IGNORECASE)

GRUB = re.compile(rb"(password_pbkdf2[ \t]+)\S[^\n\r]*", re.IGNORECASE)


def mask_passwords(block: bytes) -> bytes:
    """Return a block of whole lines with the values of passwords masked."""
    lowered = block.lower()
    at = lowered.find(b"password")
    if at < 0:
        return block
    pieces: List[bytes] = []
    done = 0
    while at >= 0:
        start = block.rfind(b"\n", done, at) + 1 or done
        end = block.find(b"\n", at) + 1 or len(block)
        pieces += [block[done:start], mask_line(block[start:end])]
        done = end
        at = lowered.find(b"password", done)
    pieces.append(block[done:])
    return b"".join(pieces)


def mask_line(line: bytes) -> bytes:
    return SECRET.sub(mask_value, GRUB.sub(rb"\1" + MASK, line))


def mask_value(match: Match[bytes]) -> bytes:
    return match.group("before") + (match.group("open") or match.group("single") or b"") + MASK
