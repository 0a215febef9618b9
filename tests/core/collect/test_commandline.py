"""Command lines: what is never run, how they split, what they are called."""
import unittest

from insights_mini.core.collect.commandline import FORBIDDEN, find_forbidden, mangle, split_words


class Forbidden(unittest.TestCase):
    def test_a_forbidden_word_is_found_wherever_it_hides(self) -> None:
        self.assertEqual(FORBIDDEN, {b"rm", b"kill", b"reboot", b"shutdown"})
        for line in (
            b"rm", b"rm -rf /", b"/bin/rm x", b"/usr/bin/../bin/rm x", b"./rm", b"kill 1",
            b"/sbin/reboot", b"/sbin/shutdown -h now", b"ls -l rm", b"ls;rm x", b"ls&&rm x",
            b"ls|rm", b"ls||rm", b"ls\nrm x", b"ls\trm", b"(rm x)", b"{ rm x; }", b"!rm x",
            b"echo $(rm x)", b"echo `rm x`", b"sh -c 'rm x'", b'sh -c "rm x"',
            b"sh -c 'sh -c \"rm x\"'", b"sh -c 'sh -c \"sh -c \\\"rm x\\\"\"'", b"'rm' x",
            b'"rm" x', b"r\\m x", b"\\rm x", b"r''m x", b'r""m x', b"'r'm x", b"r'm' x",
            b"$'rm' x", b"sh -c \"r\\\\m x\"", b"sh -c 'r\\m x'", b'sh -c "r\'\'m x"',
            b"env A=b rm x", b"A=rm", b"xargs rm<x", b"rm>x", b"find / -exec rm {} +",
            b"sh -c 'ki''ll 1'", b"re\\boot", b"shut\"\"down",
        ):
            with self.subTest(line=line):
                self.assertIn(find_forbidden(line), FORBIDDEN)

    def test_a_word_that_a_shell_joins_over_lines_or_translations_is_found(self) -> None:
        for line in (b"r\\\nm x", b"sh -c 'r\\\nm x'", b'r$""m x', b"$\"rm\" x"):
            with self.subTest(line=line):
                self.assertEqual(find_forbidden(line), b"rm")

    def test_only_whole_words_are_forbidden(self) -> None:
        for line in (b"", b"rpm -qa", b"killall5", b"pkill", b"/bin/ls /etc/rm.d", b"alarm", b"RM",
                     b"rm_old", b"rm.txt", b"docker run --rm", b"ls farm", b"ls /var/log/shutdowns",
                     b"last reboots", b"cat rm-list", b"cat kill2"):
            with self.subTest(line=line):
                self.assertEqual(find_forbidden(line), b"")


class Words(unittest.TestCase):
    def test_a_quote_that_is_not_closed_is_an_error(self) -> None:
        for line in (b"ls 'x", b'ls "x', b"ls x\\", b'ls "a\'', b"ls 'a\\''"):
            with self.subTest(line=line), self.assertRaises(ValueError):
                split_words(line)

    def test_lines_split_as_a_shell_splits_words_and_nothing_is_expanded(self) -> None:
        for line, words in (
            (b"/bin/df -alP", [b"/bin/df", b"-alP"]),
            (b"  a \t b\n c ", [b"a", b"b", b"c"]),
            (b"a 'b c' \"d e\" f\\ g", [b"a", b"b c", b"d e", b"f g"]),
            (b"a ''", [b"a", b""]),
            (b"a --q='\\{\"x\"\\}\n'", [b"a", b"--q=\\{\"x\"\\}\n"]),
            (b"a \"b\\\"c\" 'd\\e'", [b"a", b"b\"c", b"d\\e"]),
            (b"a $(touch x) `touch y` $HOME ~ *", [b"a", b"$(touch", b"x)", b"`touch", b"y`",
                                                 b"$HOME", b"~", b"*"]),
            (b"a ;touch x|b&c>d # e", [b"a", b";touch", b"x|b&c>d", b"#", b"e"]),
            (b"a caf\xc3\xa9 \xff\xfe", [b"a", b"caf\xc3\xa9", b"\xff\xfe"]),
        ):
            with self.subTest(line=line):
                self.assertEqual(split_words(line), words)


class Mangle(unittest.TestCase):
    def test_a_command_line_has_the_name_that_the_contract_gives(self) -> None:
        for line, name in (
            (b"/bin/df -alP", b"df_-alP"),
            (b"/bin/ls -lanR /boot", b"ls_-lanR_.boot"),
            (b"/sbin/ip addr", b"ip_addr"),
            (b"/usr/bin/lscpu", b"lscpu"),
            (b"/usr/sbin/dmidecode", b"dmidecode"),
            (b"/usr/local/bin/x", b"usr.local.bin.x"),
            (b"/opt/bin/x", b"opt.bin.x"),
            (b"/bin//bin/x", b"bin.x"),
            (b"echo /bin/x", b"echo_.bin.x"),
            (b"bin/x", b"bin.x"),
            (b"/usr/bin/find / -name '*.jar'  |sort", b"find_._-name_.jar_sort"),
            (b"a  &&\n\tb", b"a_b"),
            (b"a_b.c-d/e", b"a_b.c-d.e"),
            (b"a caf\xc3\xa9 \xff b", b"a_caf_b"),
            (b"/bin/a -", b"a"),
            (b"../../etc/passwd", b"etc.passwd"),
            (b"._-a-_.", b"a"),
            (b"/bin/rpm -qa --qf='%{NAME}\\n'", b"rpm_-qa_--qf_NAME_n"),
        ):
            with self.subTest(line=line):
                self.assertEqual(mangle(line), name)

    def test_255_characters_are_kept_after_the_ends_are_stripped(self) -> None:
        self.assertEqual(mangle(b"a" * 300), b"a" * 255)
        self.assertEqual(mangle(b"-" * 50 + b"a" * 255 + b"-" * 50), b"a" * 255)
        self.assertEqual(mangle(b"a" * 254 + b" b"), b"a" * 254 + b"_")

    def test_nothing_hostile_is_left_in_a_name(self) -> None:
        for line in (b"$(touch x)", b"`x`;y", b"a/../../b", b"a\0b", b"a\nb", b"a\x1b[2J", b"-e"):
            with self.subTest(line=line):
                self.assertRegex(mangle(line), rb"\A[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
