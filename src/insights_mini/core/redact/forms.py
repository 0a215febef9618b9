"""Masks secrets that are known by the form of their line: account files, SNMP, options of commands.

    root:$6$...:19000:0:99999:7:::   db:5432:app:app:PASS   rocommunity public   : PSK "x"
    rootpw --iscrypted x   mysql -px   curl -u user:x   machine h login u account x   secret "x";

Each function is a rule (masking.py). In the expressions, a group is a value; their time is linear.
Sources of the forms: shadow(5), smbpasswd(5), netrc(5), snmpd.conf(5), ipsec.secrets(5), slapd.conf
(5), named.conf(5), the documents of htpasswd, of .pgpass, and of kickstart files.
"""
import re

from insights_mini.core.redact.kept import is_kept
from insights_mini.core.redact.masking import Masked, mask_groups

NINE_FIELDS = re.compile(rb"[^:\s]{1,64}:!{0,2}(?!NP:)([^:\s!*]{2,400}):(?:\d*:){5}\d*:\d*\s*\Z")
DES = re.compile(rb"[\w.@$-]{1,64}:(?=[^a-z:]{0,12}[a-z])(?=[./0-9A-Za-z][^A-Z:]{0,11}[A-Z])"
                 rb"([./0-9A-Za-z]{12}[.26AEIMQUYcgkosw])(?=:|\s*\Z)")
DIGEST = re.compile(rb"[\w.@$-]{1,64}:[^:\n]{1,64}:([0-9a-f]{32})\s*\Z")
SAMBA = re.compile(rb"[\w.@$-]{1,64}:\d{1,10}:(?:X{32}|([0-9A-F]{32})):(?:X{32}|([0-9A-F]{32})):\[")
POSTGRES = re.compile(rb"(?:[\w.*-]{1,255}|\[[\da-fA-F\\:]{2,80}\]):(?:\d{2,5}|\*)"
                      rb":(?:[A-Za-z_][^:\s]{0,63}|\*):(?:[A-Za-z_][^:\s]{0,63}|\*)"
                      rb":((?:[^:\s\\]|\\.)+)\s*\Z")
ACCOUNTS = (NINE_FIELDS, DES, DIGEST, SAMBA, POSTGRES)

COMMENTED = rb"^[ \t]*(?:#[ \t]*)?"
SNMP = tuple(re.compile(COMMENTED + form) for form in (
    rb"(?i:(?:ro|rw|trap)community6?|snmp-server[ \t]+community)[ \t]+([^\s;{]+)",
    rb"community[ \t]+([^\s;{]+)[ \t]*(?=\Z|[\r\n;{]|(?:RO|RW|ro|rw|default|[\d.:/]+)\b)",
    rb"(?i:com2sec6?)(?:[ \t]+-Cn[ \t]+\S+)?[ \t]+\S+[ \t]+\S+[ \t]+(\S+)",
    rb"(?i:(?:trap2?|inform)sink)[ \t]+\S+[ \t]+([^\s\d]\S*)",
    rb"(?i:createuser)[ \t]+(?:-e[ \t]+\S+[ \t]+)?\S+[ \t]+(?i:md5|sha)\S*[ \t]+"
    rb"(?:\"([^\"\n]+)\"|([^\s\"]\S*))"
    rb"(?:[ \t]+(?i:des|aes)\S*[ \t]+(?:\"([^\"\n]+)\"|([^\s\"]\S*)))?",
))

ROOT = re.compile(COMMENTED + rb"rootpw(?:[ \t]+--[a-z]+)*[ \t]+(?!--)\"?([^\s\"]+)", re.IGNORECASE)
PRESHARED = re.compile(rb"(?:^|[\s:]):?[ \t]*:[ \t]{0,80}PSK[ \t]{1,80}"
                       rb"(?:\"([^\"\n]+)\"|'([^'\n]+)'|([^\s\"']\S*))")
NETRC = re.compile(rb"[ \t]*machine[ \t]+\S+[ \t][^\n]{0,400}?[ \t]account[ \t]+(\S+)")
NAMED = re.compile(rb"(?i)\bsecret[ \t]{1,80}\"([^\"\n]+)\"[ \t]{0,80};")
IDENTIFIED = re.compile(
    rb"(?i)\bidentified\s{1,8}(?:with\s{1,8}[\w\"'`]{1,80}\s{1,8})?(?:by|as)\s{1,8}"
    rb"(?:password\s{1,8})?\\{0,8}(?:'([^'\n]+)'|\"([^\"\n]+)\")")

STATEMENT = re.compile(rb"(?i)\b(?:create|alter|grant|set)\s")
MYSQL = re.compile(rb"\b(?:mysql\w{0,20}|mariadb[\w-]{0,20})(?=\s)")
MYSQL_OPTION = re.compile(rb"(?<=\s)-p(?:'([^'\n]+)'|\"([^\"\n]+)\"|([^\s'\"]\S*))")
CURL = re.compile(rb"\bcurl(?=\s)")
CURL_OPTION = re.compile(rb"(?<=\s)(?:-u|-U|--user|--proxy-user)[ =]?[\"']?[^\s:\"']{1,200}:"
                         rb"([^\s\"']+)")
PORTS = re.compile(rb"[\d.:]{0,40}:\d{1,5}")  # -p 8080:80 of a container
SSHPASS = re.compile(rb"\bsshpass[ \t]{1,8}-p[ \t]{0,8}"
                     rb"(?:'([^'\n]+)'|\"([^\"\n]+)\"|([^\s'\"]\S*))")
COMMANDS = (((b"mysql", b"mariadb"), MYSQL, MYSQL_OPTION), ((b"curl",), CURL, CURL_OPTION),
            ((b"sshpass",), SSHPASS, SSHPASS))


def mask_accounts(line: bytes) -> Masked:
    """Mask the hash or password in a line of an account file; the first form that fits decides."""
    for form in ACCOUNTS:
        if form.match(line):
            return mask_groups(form, line)
    return line, 0


def mask_snmp(line: bytes) -> Masked:
    for form in SNMP:
        if form.match(line):
            return mask_groups(form, line)
    return line, 0


def mask_root(line: bytes) -> Masked:
    return mask_groups(ROOT, line, wanted=is_secret)


def mask_preshared(line: bytes) -> Masked:
    return mask_groups(PRESHARED, line, wanted=is_secret) if b"PSK" in line else (line, 0)


def mask_netrc(line: bytes) -> Masked:
    return mask_groups(NETRC, line) if NETRC.match(line) else (line, 0)


def mask_named(line: bytes) -> Masked:
    return mask_groups(NAMED, line, wanted=is_secret)


def mask_identified(line: bytes) -> Masked:
    """Mask the password in a statement of SQL, not `a problem identified by "jo"`."""
    if b"IDENTIFIED" not in line and not STATEMENT.search(line):
        return line, 0
    return mask_groups(IDENTIFIED, line, wanted=is_secret)


def mask_options(line: bytes) -> Masked:
    """Mask passwords that are given to commands as one-letter options."""
    count = 0
    for words, command, option in COMMANDS:
        found = command.search(line) if any(word in line for word in words) else None
        if found:
            line, more = mask_groups(option, line, found.start(), is_secret)
            count += more
    return line, count


def is_secret(value: bytes) -> bool:
    return not is_kept(value, True) and not PORTS.fullmatch(value)
