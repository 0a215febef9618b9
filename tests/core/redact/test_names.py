"""Which names are this host's own and its domains', and where they stand in a text."""
import os
import subprocess
import sys
import unittest

from insights_mini.core.redact.names import HostNames, NameFinder, gather
from tests.support import TOP

NAMES = HostNames(["db", "error", "web1"], ["eu.example.org", "example.org"])
CASES = (  # each name that is found stands in <>
    "dbus", "mydb", "db1", "db-1", "db_1", "x-db", "_db", "1db", "errors", "terror",
    "notexample.org",
    "example.organic", "example.orgs", "my-example.org", "example_org", "web10",
    "examplexorg",
    "<example.org>_x", "<www.example.org>-2026.log",
    "<db>", "<DB>", "<Db>", "<db> up", "up <db>", "root@<db>", "<DB>:5432", "<db>:", "(<db>)",
    "<db>.", "<db>,<db>", "http://<db>:80/", "/var/<db>/x", "<db>\t<web1>", "<db>\r", "\0<db>\0",
    "<db>=<db>", '"<db>"', "[<db>]", "an <error> occurred", "<ERROR>: 2 errors", "<db>/<web1>",
    "<db>.other.net", "ü<db>ü", "<db> dbus <db>",
    "<db.example.org>", "<DB.Example.ORG>", "<db.example.org>.", "<web1.example.org>:443",
    "<other.example.org>", "<a.b.c.example.org>", "<a_b.example.org>", "<example.org>",
    "bob@<example.org>", "bob@<mail.example.org>", "*.<example.org>", ".<example.org>",
    "https://<www.example.org>/x", "<x.eu.example.org>", "<eu.example.org>", "<EU.EXAMPLE.ORG>",
    "<example.org>.evil.com", "search <eu.example.org> <example.org>", "<dbus.example.org>",
    "dc=example,dc=org", "<db.example.org>,<db>", "127.0.0.1 <db.example.org> <db>",
)
HOSTS = """\
127.0.0.1   localhost localhost.localdomain localhost4 localhost4.localdomain4
::1         localhost localhost.localdomain localhost6 localhost6.localdomain6
10.1.2.3    db.example.org db   # db2.example.org
10.1.2.4    Web1.Example.ORG www
10.1.2.5    mail.other.net mail
10.1.2.6
# 10.1.2.7  web7.example.org
"""
STALL = """
import sys
sys.path.insert(0, sys.argv[1])
from insights_mini.core.redact.names import HostNames, NameFinder
finder = NameFinder(HostNames(["db"], ["example.org"]))
for part in (b"example.org.", b"a.", b"db.", b"db", b"x", b"-", b".", b"aexample.org.b"):
    for place in finder.find(part * (1000000 // len(part)) + b"example.org"):
        pass
"""


def mark(text: bytes) -> bytes:
    places = sorted(NameFinder(NAMES).find(text.lower()),
                    key=lambda place: (place[0], -place[1]))
    marked, done = b"", 0
    for start, end, _ in places:
        if start >= done:
            marked += text[done:start] + b"<" + text[start:end] + b">"
            done = end
    return marked + text[done:]


class Finding(unittest.TestCase):
    def test_names_are_found_as_whole_labels_in_any_case_and_never_within_a_word(self) -> None:
        """FAULTS 13, 14."""
        for case in CASES:
            with self.subTest(text=case):
                text = case.replace("<", "").replace(">", "").encode()
                self.assertEqual(mark(text), case.encode())
                self.assertEqual(mark(b"x %s y\n" % text), b"x %s y\n" % case.encode())

    def test_without_names_nothing_is_found(self) -> None:
        self.assertEqual(list(NameFinder(HostNames((), ())).find(b"db.example.org localhost")), [])

    def test_a_line_full_of_names_takes_a_time_linear_in_its_length(self) -> None:
        subprocess.run([sys.executable, "-c", STALL, os.path.join(TOP, "src")], check=True,
                       timeout=20)


class Gathering(unittest.TestCase):
    def test_the_own_names_are_hidden_with_and_without_their_domain(self) -> None:
        for own in (["db.example.org"], ["db", "db.example.org"], ["DB.Example.org."]):
            with self.subTest(own=own):
                names = gather(own, "", "")
                self.assertEqual(list(names.short), ["db"])
                self.assertEqual(list(names.domains), ["example.org"])

    def test_peers_of_the_own_domain_are_hidden_and_no_others(self) -> None:
        """FAULTS 15."""
        names = gather(["db.example.org"], HOSTS, "")
        self.assertEqual(sorted(names.short), ["db", "web1", "www"])
        self.assertEqual(list(names.domains), ["example.org"])

    def test_the_domain_is_found_where_the_host_calls_itself_by_its_short_name(self) -> None:
        names = gather(["DB"], HOSTS, "")
        self.assertEqual(list(names.domains), ["example.org"])
        self.assertIn("web1", names.short)

    def test_search_domains_are_hidden_the_longest_first(self) -> None:
        names = gather(["db"], "", "# search no.net\nnameserver 10.1.2.3\n"
                       "search example.org EU.Example.org. example.net\ndomain x.y.org\n")
        self.assertEqual(set(names.domains),
                         {"eu.example.org", "example.org", "example.net", "x.y.org"})
        lengths = [len(domain) for domain in names.domains]
        self.assertEqual(lengths, sorted(lengths, reverse=True))

    def test_names_that_every_host_has_are_never_hidden(self) -> None:
        common = "127.0.0.1 localhost localhost.localdomain localhost4 localhost4.localdomain4"
        for own, hosts, resolv in (
            (["localhost"], HOSTS, ""), (["localhost.localdomain"], HOSTS, ""),
            (["db"], common + " db\n", "search localdomain .\n"),
            (["db"], "127.0.1.1 db localhost\n", "search local\n"), ([""], "", ""),
            (["db"], "::1 ip6-localhost ip6-loopback db localhost6.localdomain6\n", ""),
        ):
            with self.subTest(own=own, hosts=hosts):
                names = gather(own, hosts, resolv)
                self.assertEqual([name for name in [*names.short, *names.domains]
                                  if name.startswith(("local", "ip6-")) or not name], [])
