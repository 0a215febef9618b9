"""The facts about a host: read from its files, without what the owner excludes, and cleaned."""
import json
import os
import subprocess
import sys
import unittest

from insights_mini.core.exclusions.load import Exclusions
from insights_mini.core.exclusions.match import Excluder
from insights_mini.core.facts import (
    find_consumer_id,
    find_system_id,
    gather_facts,
    list_ipv4,
    list_ipv6,
    list_macs,
)
from insights_mini.paths import find_paths
from insights_mini.settings import Settings
from tests.support import TOP, Scratch

FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 10.1.2.0
        /24 link UNICAST
     |-- 10.1.2.3
        /32 host LOCAL
     |-- 10.1.2.255
        /32 link BROADCAST
        |-- 127.0.0.1
           /32 host LOCAL
Local:
     |-- 10.1.2.3
        /32 host LOCAL
"""
IF_INET6 = """\
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
20010db8000000000000000000000055 04 40 00 82     eth0
00000000000000000000000000000001 01 80 10 80       lo
nonsense
"""
SYSTEM_ID = """<?xml version="1.0"?><params><param><value><struct><member>
<name>username</name><value><string>bob</string></value></member><member>
<name>system_id</name>
<value><string>ID-1000010001</string></value></member></struct></value></param></params>"""
ID = "dc194312-8cdd-4e75-8cf1-2094bf666f45"
COLLECT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from insights_mini.core.facts import collect_facts
from insights_mini.log import NOTHING, Console, Log
from insights_mini.paths import find_paths
from insights_mini.settings import Settings
print(json.dumps(collect_facts(Settings(**json.loads(sys.argv[3])), find_paths(
    {"INSIGHTS_CONF_DIR": sys.argv[2]}), Log(Console(NOTHING)))))
"""


class Parsers(unittest.TestCase):
    def test_addresses_are_those_of_this_host_without_loopback(self) -> None:
        self.assertEqual(list_ipv4(FIB_TRIE), ["10.1.2.3"])
        self.assertEqual(list_ipv6(IF_INET6), ["2001:db8::55"])
        self.assertEqual(list_macs(["52:54:00:ab:cd:ef\n", "00:00:00:00:00:00\n", "", "\n",
                                    "52:54:00:ab:cd:ef\n"]), ["52:54:00:ab:cd:ef"])
        for parse in (list_ipv4, list_ipv6):
            self.assertEqual(parse(""), [])

    def test_the_number_of_satellite_5(self) -> None:
        self.assertEqual(find_system_id(SYSTEM_ID), "ID-1000010001")
        self.assertEqual(find_system_id("<name>system_id</name>"), "")

    def test_what_is_no_certificate_has_no_number(self) -> None:
        begin, end = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"
        for pem in ("", "x", begin, begin + end, begin + "!" * 9 + end, begin + "VQQD" * 3 + end,
                    begin + "BgNVBAM=" + end):
            with self.subTest(pem):
                self.assertEqual(find_consumer_id(pem), "")


class Certificate(Scratch):
    def test_the_number_is_that_of_the_subject_and_not_of_who_signed(self) -> None:
        if subprocess.call(["openssl", "version"], stdout=subprocess.DEVNULL):
            self.skipTest("no openssl")
        for subject in ("/CN=" + ID, "/O=org/CN=" + ID.upper(), "/CN=%s/O=org" % ID):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                            self.path("key.pem"), "-subj", subject, "-out",
                            self.path("cert.pem")], check=True, stderr=subprocess.DEVNULL)
            with open(self.path("cert.pem")) as file:
                self.assertEqual(find_consumer_id(file.read()), ID)


class Gathered(Scratch):
    def gather(self, *files: str, **settings: str) -> "dict[str, object]":
        excluder = Excluder(Exclusions(files=files))
        paths = find_paths({"INSIGHTS_CONF_DIR": self.folder})
        return gather_facts(Settings()._replace(**settings),  # type: ignore[arg-type]
                            paths, excluder, "db1.corp.net")

    def test_names_and_numbers_are_those_of_the_files_and_the_settings(self) -> None:
        self.write("machine-id", ID)
        facts = self.gather(display_name="my db", ansible_host="db1")
        self.assertEqual((facts["insights_id"], facts["fqdn"], facts["display_name"],
                          facts["ansible_host"]), (ID, "db1.corp.net", "my db", "db1"))
        with open("/etc/machine-id") as file:
            self.assertEqual(facts.get("machine_id", ""), file.read().strip())
        self.assertNotIn("", facts.values())
        self.assertNotIn([], facts.values())

    def test_what_the_owner_excludes_is_no_fact(self) -> None:
        self.write("machine-id", ID)
        whole = set(self.gather())
        for entry, fact in (("/etc/machine-id", "machine_id"), ("/etc", "machine_id"),
                            (self.path("machine-id"), "insights_id"),
                            ("fqdn", "fqdn"), ("ip_addresses", "ip_addresses")):
            with self.subTest(entry):
                self.assertNotIn(fact, self.gather(entry))
        self.assertIn("insights_id", whole)


class Cleaned(Scratch):
    def collect(self, **settings: object) -> str:
        return subprocess.check_output(
            [sys.executable, "-c", COLLECT, os.path.join(TOP, "src"), self.folder,
             json.dumps(settings)]).decode()

    def test_nothing_that_is_forbidden_or_hidden_is_sent(self) -> None:
        """FAULTS 5."""
        self.write("machine-id", ID)
        plain = json.loads(self.collect(display_name="zebra one"))
        self.assertEqual(plain["display_name"], "zebra one")
        self.write("file-content-redaction.yaml", "keywords:\n- zebra\npatterns:\n- %s\n" % ID[:9])
        hidden = json.loads(self.collect(display_name="zebra one", obfuscate=True,
                                         obfuscate_hostname=True))
        self.assertEqual(hidden["display_name"], "keyword0 one")
        self.assertNotIn("insights_id", hidden)  # its line has a forbidden pattern
        for address in plain.get("ip_addresses", []) + plain.get("mac_addresses", []):
            self.assertNotIn(address, json.dumps(hidden))
        if "." in plain["fqdn"]:
            self.assertNotIn(plain["fqdn"], json.dumps(hidden))

    def test_an_exclusion_file_that_is_wrong_sends_nothing(self) -> None:
        self.write("file-redaction.yaml", "files: [")
        with self.assertRaises(subprocess.CalledProcessError), open(os.devnull, "w") as nothing:
            subprocess.run([sys.executable, "-c", COLLECT, os.path.join(TOP, "src"), self.folder,
                            "{}"], check=True, stderr=nothing)
