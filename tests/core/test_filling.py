"""Filling the archive: names and contents in their final form, and the proof sees all of it."""
import json
import threading
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from insights_mini import process
from insights_mini.core.archive import Archive, make_compressor
from insights_mini.core.collect import plan, work
from insights_mini.core.exclusions.load import Exclusions
from insights_mini.core.filling import Filling
from insights_mini.core.proof import Hit, Proof
from insights_mini.core.redact.addresses import is_version
from insights_mini.core.redact.cleaner import Policy
from insights_mini.core.redact.droplines import PatternDropper
from insights_mini.core.redact.keywords import KeywordMasker
from insights_mini.core.redact.names import HostNames
from insights_mini.core.redact.obfuscate import KINDS, Obfuscator
from insights_mini.core.redact.replacements import Replacements
from insights_mini.core.report import Report
from insights_mini.core.roots.running import HOST
from insights_mini.core.specs import COMMAND, FILE, Spec
from insights_mini.core.spool import Spool, Store
from insights_mini.core.summary import Summary
from insights_mini.settings import Settings
from tests.support import Scratch, read_archive_bytes

NAMES = HostNames(["db"], ["corp.net"])


class Owner:
    """Stands where a Redaction does: what Filling needs of one."""

    def __init__(self, keywords: Sequence[str], patterns: Sequence[str], obfuscate: bool) -> None:
        words = [word.encode() for word in keywords]
        strings = [pattern.encode() for pattern in patterns]
        obfuscator = Obfuscator(frozenset(KINDS), NAMES, Replacements(b"k", NAMES.domains))
        self.exclusions = Exclusions(patterns=tuple(strings), keywords=tuple(words))
        self.policy = Policy(PatternDropper(strings), lambda block: (block, {}),
                             KeywordMasker(words), True, obfuscator if obfuscate else None)
        self.proof = Proof(
            [("keyword%d" % i, word) for i, word in enumerate(words)] +
            [("pattern %d" % i, pattern) for i, pattern in enumerate(strings)],
            [b"corp.net", b"db"] if obfuscate else [], is_version if obfuscate else None)
        self.obfuscator = obfuscator

    def verdict(self) -> Optional[Hit]:
        return self.proof.verdict(self.obfuscator.seen(), [
            new.encode() for _, _, new in self.obfuscator.replacements.pairs()])


class Fillings(Scratch):
    def start(self, keywords: Sequence[str] = (), patterns: Sequence[str] = (),
              obfuscate: bool = False, settings: Settings = Settings()) -> None:  # noqa: B008
        self.owner = Owner(keywords, patterns, obfuscate)
        self.store = Store(self.folder.encode())
        self.written: List[bytes] = []
        self.report = Report()
        self.summary = Summary([Spec("s%d" % i, FILE, b"/x%d" % i, ()) for i in range(9)])
        policy = self.owner.policy
        means = work.Means(
            make_cleaner=lambda: (policy.make_cleaner(), {}), forbidden=frozenset(),
            store=self.store, stop=process.Stop(), environ={}, host="", forbids=lambda path: "",
            root=HOST, cmd_timeout=1.0,
            deadline=0.0, max_member=1 << 30, max_read=1 << 30, find_grep=lambda: None)
        archive = Archive(self.written.append, make_compressor("none"), b"top")
        self.filling = Filling(archive, self.owner, settings,  # type: ignore[arg-type]
                               self.summary, self.report, means)

    def task(self, member: bytes, kind: str = FILE, place: int = 0) -> plan.Task:
        return plan.Task(kind, b"/" + member, member, (), (place,))

    def collected(self, content: bytes) -> work.Result:
        """Return the result of a content that went through the cleaner."""
        cleaner = self.owner.policy.make_cleaner()
        spool = Spool(self.store, 1 << 30)
        spool.write(cleaner(content))
        spool.finish()
        return work.Result(work.COLLECTED, spool=spool, counts=cleaner.counts)

    def planted(self, content: bytes) -> work.Result:
        """Return the result of a content that did not go through it."""
        spool = Spool(self.store, 1 << 30)
        spool.write(content)
        spool.finish()
        return work.Result(work.COLLECTED, spool=spool)

    def finish(self, tags: Sequence[Mapping[str, str]] = ()) -> Dict[str, bytes]:
        self.filling.finish(tags, {"core_version": "0"}, {"remote_branch": -1})
        return read_archive_bytes(b"".join(self.written))

    def test_a_keyword_in_the_name_of_a_member_never_reaches_the_archive(self) -> None:
        """FAULTS 6."""
        self.start(keywords=["zebra"])
        self.filling.add(self.task(b"home/zebra/x"), self.collected(b"a zebra\n"))
        members = self.finish()
        self.assertEqual(members["home/keyword0/x"], b"a keyword0\n")
        self.assertNotIn(b"zebra", b"".join(self.written))
        self.assertIsNone(self.owner.verdict())

    def test_names_of_the_host_and_addresses_never_reach_the_archive_in_a_name(self) -> None:
        """FAULTS 6."""
        self.start(obfuscate=True)
        for place, name in enumerate((b"var/log/DB.corp.net.log", b"etc/10.1.2.3/x",
                                      b"etc/ifcfg-00:11:22:33:44:55")):
            self.filling.add(self.task(name, place=place), self.collected(b"x\n"))
        self.finish()
        written = b"".join(self.written).lower()
        for original in (b"corp.net", b"db.", b"10.1.2.3", b"00:11:22"):
            self.assertNotIn(original, written)
        self.assertIsNone(self.owner.verdict())

    def test_a_member_whose_name_has_a_pattern_is_left_out_and_told(self) -> None:
        self.start(patterns=["secret"])
        for place, name in enumerate((b"etc/secret/x", b"etc/a\nsecret", b"secret\na")):
            self.filling.add(self.task(name, place=place), self.collected(b"x\n"))
        members = self.finish()
        self.assertEqual([name for name in members if name.startswith(("etc", "secret"))], [])
        self.assertEqual(len(self.report.left_out), 3)
        self.assertEqual(self.summary.missed[0][0], work.UNCLEANED)

    def test_two_names_that_are_the_same_once_cleaned_are_stored_once(self) -> None:
        self.start(keywords=["zebra"])
        self.filling.add(self.task(b"etc/zebra"), self.collected(b"one\n"))
        self.filling.add(self.task(b"etc/keyword0", place=1), self.collected(b"two\n"))
        self.assertEqual(self.finish()["etc/keyword0"], b"one\n")
        self.assertEqual(self.summary.missed[1][0], plan.NAME_TAKEN)

    def test_addresses_are_numbered_in_the_order_of_the_archive(self) -> None:
        self.start(obfuscate=True)
        late, early = self.collected(b"10.1.1.1\n10.2.2.2\n"), self.collected(b"10.2.2.2\n")
        self.filling.add(self.task(b"a"), early)
        self.filling.add(self.task(b"b", place=1), late)
        members = self.finish()
        self.assertEqual((members["a"], members["b"]),
                         (b"10.230.230.1\n", b"10.230.230.2\n10.230.230.1\n"))

    def test_the_columns_of_netstat_stay_and_other_members_have_no_blank_changed(self) -> None:
        """FAULTS 17."""
        self.start(obfuscate=True)
        line = b"tcp 10.1.2.3:22          x 10.1.2.3\n"
        for place, (name, kind) in enumerate(((b"insights_commands/netstat_-neopa", COMMAND),
                                              (b"var/log/x", FILE))):
            self.filling.add(self.task(name, kind, place), self.collected(line))
        members = self.finish()
        self.assertEqual(members["insights_commands/netstat_-neopa"],
                         b"tcp 10.230.230.1:22      x 10.230.230.1\n")
        self.assertEqual(members["var/log/x"], b"tcp 10.230.230.1:22          x 10.230.230.1\n")

    def test_a_large_member_comes_out_whole_across_the_pieces_of_its_spool(self) -> None:
        self.start(keywords=["zebra"], obfuscate=True)
        text = b"".join(b"%d from 10.1.2.%d zebra\n" % (i, i % 250 + 1) for i in range(60000))
        self.filling.add(self.task(b"x"), self.collected(text))
        content = self.finish()["x"]
        self.assertEqual(content.count(b"\n"), 60000)
        self.assertEqual(content.count(b" from 10.230.230."), 60000)
        self.assertEqual(content.count(b"keyword0"), 60000)
        self.assertIsNone(self.owner.verdict())

    def test_the_members_of_our_own_hold_nothing_of_what_is_hidden(self) -> None:
        """FAULTS 6, 7."""
        self.start(keywords=["zebra"], obfuscate=True,
                   settings=Settings(display_name="zebra on DB.corp.net at 10.1.2.3"))
        members = self.finish([{"key": "owner", "value": "zebra@corp.net", "namespace": "n"}])
        for name in ("display_name", "tags.json"):
            for original in (b"zebra", b"corp.net", b"DB", b"10.1.2.3"):
                self.assertNotIn(original, members[name])
        self.assertEqual(json.loads(members["tags.json"].decode())[0]["key"], "owner")
        self.assertIsNone(self.owner.verdict())

    def test_a_keyword_that_json_writes_in_another_way_is_replaced_in_the_tags_too(self) -> None:
        for keyword in ("Müller", 'the "boss"', "a\\b", "日本"):
            with self.subTest(keyword=keyword):
                self.start(keywords=[keyword])
                members = self.finish([{"key": "owner", "value": "x %s y" % keyword,
                                        "namespace": "n"}])
                tags = json.loads(members["tags.json"].decode())
                self.assertEqual(tags[0]["value"], "x keyword0 y")

    def test_the_blacklist_report_has_counts_only(self) -> None:
        self.start(keywords=["zebra"], patterns=["drop"], obfuscate=True)
        self.filling.add(self.task(b"a"), self.collected(
            b"drop it\nzebra zebra\npassword=x 10.1.2.3\nhttp://bob:s3cret9@h/\n"))
        self.filling.add(self.task(b"drop", place=1), self.collected(b"x\n"))
        totals = json.loads(self.finish()["blacklist_report"].decode())
        self.assertEqual(totals, {"excluded": 1, "patterns": 1, "regex": 0, "keywords": 2,
                                  "passwords": 1, "secrets": 1, "obfuscated": 1})

    def test_what_went_past_the_cleaner_is_found_in_contents_and_names(self) -> None:
        for name, content, rule in (
            (b"etc/x", b"a zebra\n", "keyword0"), (b"etc/x", b"a dropped line\n", "pattern 0"),
            (b"etc/x", b"a\n" * 200000 + b"zebra", "keyword0"),
            (b"etc/x", b"on DB\n", "hostname"), (b"etc/x", b"from 10.9.9.9\n", "obfuscation"),
            (b"etc/x", b"x" * 262140 + b"zebra\n", "keyword0"),
        ):
            with self.subTest(rule=rule, size=len(content)):
                self.start(keywords=["zebra"], patterns=["drop"], obfuscate=True)
                self.filling.add(self.task(name), self.planted(content))
                self.filling.add(self.task(b"other", place=1), self.collected(b"10.9.9.9\n"))
                self.finish()
                self.assertEqual(self.owner.verdict(), Hit(name, rule))

    def test_members_that_were_marked_by_threads_at_once_make_the_same_archive(self) -> None:
        """FAULTS 12."""
        archives = set()
        texts = [b"".join(b"10.%d.%d.1 db\n" % (n, i) for i in range(200)) for n in range(6)]
        for turn in range(4):
            self.start(obfuscate=True)
            results: List[Tuple[int, work.Result]] = []

            def collect(number: int, into: List[Tuple[int, work.Result]] = results) -> None:
                into.append((number, self.collected(texts[number])))

            order = range(6) if turn % 2 else reversed(range(6))
            threads = [threading.Thread(target=collect, args=(number,)) for number in order]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for number, result in sorted(results, key=lambda item: item[0]):
                self.filling.add(self.task(b"m%d" % number, place=number), result)
            self.finish()
            archives.add(b"".join(self.written))
        self.assertEqual(len(archives), 1)
