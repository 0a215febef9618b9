"""Through grep come the bytes that our own filter gives, or grep is not used."""
import os
import random
from typing import List, Optional, Sequence, Tuple

from insights_mini import process
from insights_mini.core.collect import grep, work
from insights_mini.core.collect.keep import make_filter
from insights_mini.core.collect.lines import LONGEST
from insights_mini.core.roots.running import HOST
from insights_mini.core.spool import MEMORY
from tests.core.collect.test_work import (
    ENVIRON,
    MIB,
    content,
    file_task,
    kinds,
    make_means,
    nothing,
)
from tests.support import Scratch

Outcome = Tuple[str, Optional[bytes], List[str]]


def outcome(result: work.Result) -> Outcome:
    return result.outcome, content(result), kinds(result)


class Grep(Scratch):
    def find(self) -> Optional[bytes]:
        return grep.Finder(ENVIRON, process.Stop())()

    def ours(self, path: str, patterns: Sequence[bytes], most: int = 1 << 40) -> Outcome:
        means = make_means(self.folder, max_read=most)
        return outcome(work.collect(file_task(path, patterns), means, nothing))

    def through(self, program: bytes, path: str, patterns: Sequence[bytes],
                most: int = 1 << 40) -> Optional[Outcome]:
        """Return what comes through grep; None when it could not be used."""
        means = make_means(self.folder)
        opened = HOST.open(os.fsencode(path))
        with opened.file:
            result = work.read_through_grep(program, file_task(path, patterns), means,
                                            work.Reader(opened, most, means, nothing),
                                            make_filter(patterns))
        return None if result is None else outcome(result)

    def test_a_pattern_is_never_an_option_nor_an_expression(self) -> None:
        """FAULTS 28."""
        program = self.find()
        if program is None:
            return
        text = b"a -e b\n--help\n-f/etc/passwd\n$(touch x)\n[a\n.\nroot\nplain\n"
        path = self.write("file", text)
        for pattern in (b"-e", b"--help", b"-f/etc/passwd", b"$(touch x)", b"[a", b".", b"-", b"--",
                        b"-v", b"\\."):
            with self.subTest(pattern=pattern):
                kept = b"".join(line for line in text.splitlines(True) if pattern in line)
                found = self.through(program, path, [pattern])
                self.assertEqual(found, self.ours(path, [pattern]))
                self.assertEqual(found and found[1], kept or None)
        self.assertEqual(grep.arguments([b"-e"]), [b"grep", b"-a", b"-F", b"-e", b"-e"])

    def test_a_shortened_line_is_kept_only_for_what_is_left_of_it(self) -> None:
        program = self.find()
        if program is None:
            return
        for place, kept in ((0, True), (LONGEST - 6, True), (LONGEST - 5, False),
                            (LONGEST, False), (LONGEST + 200000, False)):
            line = b"x" * place + b"needle" + b"y" * (LONGEST + 300000 - place)
            for text in (line + b"\n", b"a\n" + line + b"\nb\n", line + b"\nneedle\n",
                         b"needle\n" + line + b"\n" + line + b"\nneedle"):
                with self.subTest(place=place, size=len(text)):
                    path = self.write("file", text)
                    found = self.through(program, path, [b"needle"])
                    self.assertEqual(summary(found), summary(self.ours(path, [b"needle"])))
                    text_kept = (found and found[1]) or b""
                    self.assertEqual(b"y" * 99999 in text_kept or b"x" * 99999 in text_kept, kept)

    def test_200_random_files_come_out_as_from_our_own_filter(self) -> None:
        program = self.find()
        if program is None:
            return
        chance = random.Random(28)
        used = kept = 0
        for number in range(200):
            letters = chance.choice((b"ab\n", b"a\r\0\n", b"\xff\xc3\xa9x\n", b"-e.[*\n"))
            text = bytes(chance.choice(letters) for _ in range(chance.randint(1, 300)))
            patterns = [bytes(chance.choice(letters) for _ in range(chance.randint(1, 3)))
                        for _ in range(chance.randint(1, 4))]
            path = self.write("file", text)
            most = chance.choice((1 << 40, max(1, len(text) // 2)))
            ours = self.ours(path, patterns, most)
            found = self.through(program, path, patterns, most)
            used += found is not None
            kept += ours[1] is not None
            self.assertIn(found, (ours, None), (number, patterns, text))
        self.assertGreater(used, 50)
        self.assertGreater(kept, 80)

    def test_a_large_log_is_given_to_grep_and_comes_out_the_same(self) -> None:
        filler = b"Nov 24 12:00:00 host app[1]: nothing of interest in this line\n"
        filler *= work.LARGE // len(filler) + 1
        called: List[bool] = []
        finder = grep.Finder(ENVIRON, process.Stop())

        def find() -> Optional[bytes]:
            called.append(True)
            return finder()

        for text, patterns in (
            (filler + b"needle at the end without newline", [b"needle"]),
            (b"needle\n" + filler + b"Needle\nneedle\r\n\xffneedle\0\n", [b"needle", b"-e"]),
            (filler + b"x" * (2 * MIB), [b"needle"]),
            (filler + b"needle" * 200000 + b"\n" + filler[:10], [b"needle", b"Nov 24"]),
            (filler, [b"interest\nneedle"]),
        ):
            with self.subTest(patterns=patterns, end=text[-20:]):
                path = self.write("log", text)
                called.clear()
                means = make_means(self.folder, find_grep=find)
                found = outcome(work.collect(file_task(path, patterns), means, nothing))
                self.assertEqual(summary(found), summary(self.ours(path, patterns)))
                self.assertEqual(called, [True])

    def test_a_small_or_unfiltered_file_is_not_given_to_grep(self) -> None:
        def fail() -> Optional[bytes]:
            raise AssertionError("grep was wanted")

        means = make_means(self.folder, find_grep=fail)
        small = self.write("small", b"needle\n")
        self.assertEqual(content(work.collect(file_task(small, [b"n"]), means, nothing)),
                         b"needle\n")
        large = self.write("large", b"needle\n" * (work.LARGE // 7 + 1))
        result = work.collect(file_task(large), means, nothing)
        self.assertEqual(len(content(result) or b""), os.path.getsize(large))

    def test_with_many_strings_grep_is_wanted_for_smaller_files(self) -> None:
        asked: List[int] = []
        path = self.write("log", b"needle\n" * (work.LARGE // 28))
        for count, times in ((work.FEW, 0), (work.FEW * 5, 1)):
            strings = [b"needle", *(b"%d hay" % number for number in range(count - 1))]
            means = make_means(self.folder, find_grep=lambda: asked.append(1))
            result = work.collect(file_task(path, strings), means, nothing)
            self.assertEqual(len(content(result) or b""), os.path.getsize(path))
            self.assertEqual(len(asked), times)

    def test_a_grep_that_fails_leaves_the_work_to_our_own_filter_and_nothing_behind(self) -> None:
        text = (b"needle\n" + b"hay\n" * 1000) * 3000
        path = self.write("log", text)
        self.assertGreater(len(text), work.LARGE)
        for script in ("cat | head -c 100000; exit 2", "head -c 3000000; kill -9 $$", "exit 2",
                       "cat >/dev/null; exit 127"):
            with self.subTest(script):
                program = os.fsencode(self.write("grep", "#!/bin/sh\n%s\n" % script, 0o755))
                means = make_means(self.folder, find_grep=lambda program=program: program)
                result = work.collect(file_task(path, [b"needle"]), means, nothing)
                self.assertEqual(outcome(result), (work.COLLECTED, b"needle\n" * 3000, []))
                self.assertEqual(means.store.memory, MEMORY)

    def test_a_pattern_with_a_nul_is_not_given_to_grep_and_costs_nothing(self) -> None:
        program = self.find()
        if program is None:
            return
        path = self.write("file", b"a\0b\na\nc\0\n")
        self.assertIsNone(self.through(program, path, [b"\0b", b"c"]))
        self.assertEqual(self.ours(path, [b"\0b", b"c"])[1], b"a\0b\nc\0\n")

    def test_patterns_too_many_for_a_command_line_are_not_given_to_grep(self) -> None:
        self.assertEqual(grep.arguments([b"%0400d" % i for i in range(200)]), [])
        self.assertEqual(grep.arguments([]), [])
        self.assertEqual(grep.arguments([b"a", b""]), [])

    def test_only_a_gnu_grep_is_used(self) -> None:
        finder = grep.Finder(ENVIRON, process.Stop())
        for script, good in (("echo 'grep (GNU grep) 3.8'", True),
                             ("echo BusyBox v1.36; exit 1", False), ("exit 0", False),
                             ("yes grep", False)):
            with self.subTest(script):
                program = self.write("grep", "#!/bin/sh\n%s\n" % script, 0o755)
                self.assertEqual(finder.is_gnu(os.fsencode(program)), good)
        self.assertFalse(finder.is_gnu(os.fsencode(self.path("none"))))
        self.assertFalse(finder.is_gnu(os.fsencode(self.write("junk", b"\0", 0o755))))


def summary(found: Optional[Outcome]) -> object:
    """Return an outcome in a form that makes a short message when it differs."""
    if found is None or found[1] is None:
        return found
    lines = found[1].split(b"\n")
    return found[0], len(found[1]), [(len(line), line[:40], line[-40:]) for line in lines[:3]], \
        hash(found[1]), found[2]
