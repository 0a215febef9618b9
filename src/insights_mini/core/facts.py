"""What identifies this host to the service, read from its files (CONTRACT.md section 7).

No program is run. What the owner excludes is not opened, and every value is cleaned like a content.
"""
import base64
import binascii
import contextlib
import glob
import re
import socket
from typing import Any, Callable, Dict, Iterator, List, Mapping, Tuple

from insights_mini import hostfiles
from insights_mini.core.exclusions.load import load_exclusions
from insights_mini.core.exclusions.match import Excluder
from insights_mini.core.host import choose_name, find_names
from insights_mini.core.machineid import read_machine_id
from insights_mini.core.redact import HOSTNAME
from insights_mini.core.redact.cleaner import Policy
from insights_mini.core.redaction import (
    Redaction,
    choose_kinds,
    clean_value,
    find_hit,
    make_redaction,
)
from insights_mini.exits import Failure, Uncleaned
from insights_mini.log import Log
from insights_mini.paths import Paths
from insights_mini.settings import Settings

LARGEST = 1024 * 1024
COMMON_NAME = b"\x06\x03\x55\x04\x03"  # its object identifier in DER: X.520, 6.2.2
UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
SYSTEM_ID = re.compile(r"<name>system_id</name>\s*<value>\s*<string>([^<]+)</string>")
LOCAL_IPV4 = re.compile(r"\|-- ([0-9.]+)\s+/32 host LOCAL")
SYSTEM_ID_FILE = b"/etc/sysconfig/rhn/systemid"
CONSUMER = b"/etc/pki/consumer/cert.pem"


@contextlib.contextmanager
def open_redaction(settings: Settings, paths: Paths, log: Log
                   ) -> Iterator[Tuple[Redaction, List[str]]]:
    """Give the owner's redaction and the names of this host where nothing is collected besides;
    raise Failure."""
    loaded = load_exclusions(settings, paths)
    for warning in loaded.warnings:
        log.warning(warning)
    own = find_names(False)
    redaction = make_redaction(settings, paths, loaded, own)
    try:
        yield redaction, own
    finally:
        redaction.guard.end()


def collect_facts(settings: Settings, paths: Paths, log: Log) -> Dict[str, Any]:
    """Return the clean facts of this host; raise Failure."""
    with open_redaction(settings, paths, log) as (redaction, own):
        facts = clean_facts(gather_facts(settings, paths, redaction.excluder, choose_name(own)),
                            redaction.policy)
        redaction.proof.read(b"the facts", "\n".join(list_values(facts)).encode("utf-8"))
        hit = find_hit(redaction)
    if hit is not None:
        raise Failure("the facts about this host are not sent", hit, "please report this")
    return facts


def clean_names(settings: Settings, paths: Paths, log: Log) -> Tuple[Settings, str]:
    """Return the settings with the names that go to the service as they may be shown there, and the
    host's own name, which is empty where it is hidden; raise Failure."""
    with open_redaction(settings, paths, log) as (redaction, own):
        names = {name: clean_or_nothing(getattr(settings, name), redaction.policy)
                 for name in ("display_name", "ansible_host", "group") if getattr(settings, name)}
        host = ("" if HOSTNAME in choose_kinds(settings) else
                clean_or_nothing(choose_name(own), redaction.policy))
    return settings._replace(**names), host  # type: ignore[arg-type]  # all are texts


def gather_facts(settings: Settings, paths: Paths, excluder: Excluder,
                 fqdn: str) -> Dict[str, Any]:
    """Return the facts of this host as they are; those that are not known are left out."""
    read = make_reader(excluder)
    values: Dict[str, Any] = {
        "insights_id": "" if excluder.path(paths.machine_id) else read_machine_id(paths),
        "machine_id": read("machine_id", b"/etc/machine-id").strip(),
        "bios_uuid": read("bios_uuid", b"/sys/class/dmi/id/product_uuid").strip().lower(),
        "subscription_manager_id": find_consumer_id(read("subscription_manager_id", CONSUMER)),
        "satellite_id": find_system_id(read("satellite_id", SYSTEM_ID_FILE)),
        "ip_addresses": (list_ipv4(read("ip_addresses", b"/proc/net/fib_trie")) +
                         list_ipv6(read("ip_addresses", b"/proc/net/if_inet6"))),
        "mac_addresses": list_macs([read("mac_addresses", path) for path in
                                    sorted(glob.glob(b"/sys/class/net/*/address"))]),
        "fqdn": "" if excluder.spec("fqdn", b"fqdn") else fqdn,
        "display_name": settings.display_name,
        "ansible_host": settings.ansible_host,
    }
    return {name: value for name, value in values.items() if value}


def make_reader(excluder: Excluder) -> Callable[[str, bytes], str]:
    """Return what reads the file of a fact; excluded or unreadable, it is empty."""
    def read(name: str, path: bytes) -> str:
        if excluder.spec(name, path) or excluder.path(path):
            return ""
        try:
            return hostfiles.read_small(path, LARGEST).decode("latin-1")
        except hostfiles.Unreadable:
            return ""
    return read


def clean_facts(facts: Mapping[str, Any], policy: Policy) -> Dict[str, Any]:
    """Return the facts as they may leave the host; what must not leave it is left out."""
    cleaned: Dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, str):
            cleaned[name] = clean_or_nothing(value, policy)
        elif isinstance(value, list):
            cleaned[name] = [item for item in (clean_or_nothing(item, policy) for item in value)
                             if item]
        else:
            cleaned[name] = value
    return {name: value for name, value in cleaned.items() if value}


def clean_or_nothing(text: str, policy: Policy) -> str:
    try:
        return clean_value(text + "\n", policy).decode("utf-8").rstrip("\n")
    except Uncleaned:
        return ""


def list_values(facts: Mapping[str, Any]) -> List[str]:
    """Return every text that would be sent, for the proof."""
    return [item for value in facts.values() for item in (
        value if isinstance(value, list) else [value]) if isinstance(item, str)]


def find_consumer_id(pem: str) -> str:
    """Return the UUID that a certificate of RHSM has as its subject's common name."""
    body = pem.partition("-----BEGIN CERTIFICATE-----")[2].partition("-----END")[0]
    try:
        certificate = base64.b64decode(body)
    except binascii.Error:
        return ""
    for part in certificate.split(COMMON_NAME)[1:]:  # tag, length below 128, text
        text = part[2:2 + part[1]] if len(part) > 1 else b""
        if UUID.fullmatch(text):
            return text.decode("ascii").lower()
    return ""


def find_system_id(xml: str) -> str:
    """Return the number that Satellite 5 gave this host."""
    found = SYSTEM_ID.search(xml)
    return found.group(1).strip() if found else ""


def list_ipv4(fib_trie: str) -> List[str]:
    """Return our own addresses in the kernel's routing table, without loopback."""
    return sorted({text for text in LOCAL_IPV4.findall(fib_trie) if not text.startswith("127.")})


def list_ipv6(if_inet6: str) -> List[str]:
    """Return the addresses of global scope (proc(5), if_inet6: address, index, prefix, scope)."""
    rows = [line.split() for line in if_inet6.splitlines()]
    return sorted(socket.inet_ntop(socket.AF_INET6, binascii.unhexlify(row[0]))
                  for row in rows if len(row) > 3 and row[3] == "00" and len(row[0]) == 32)


def list_macs(texts: List[str]) -> List[str]:
    """Return the hardware addresses, without those that are all zeros."""
    found = {text.strip() for text in texts}
    return sorted(text for text in found if text.strip("0:"))
