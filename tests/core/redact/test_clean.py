"""What every block goes through: in which order, and what is left of it."""
import random
import unittest

from insights_mini.core.redact.clean import clean, drop_undecodable


class Cleaning(unittest.TestCase):
    def test_a_byte_that_is_no_utf_8_cannot_hide_a_password(self) -> None:
        """FAULTS 2."""
        for text in (b"pass\xffword=hunter2\n", b"password\xff=hunter2\n",
                     b"password=\xffhunter2\n",
                     b"p\x80a\xc3s\xe2\x82sword: hunter2\n", b"pass\xed\xa0\x80word hunter2\n",
                     b"password\xfe \xfe--md5\xfe hunter2\n", b"password=\xc3\"hunter2 more\"\n",
                     b"\xffpassword=hunter2\xff\n", b"pass\xf4\x90\x80\x80word=hunter2\n"):
            with self.subTest(text=text):
                cleaned = clean(text)
                self.assertNotIn(b"hunter2", cleaned)
                self.assertIn(b"********", cleaned)
                cleaned.decode("utf-8")

    def test_no_secret_survives_whatever_bytes_are_strewn_into_the_line(self) -> None:
        chance = random.Random(2)
        odd = (b"\xff", b"\xfe", b"\xc0", b"\xf5", b"\xed\xa0\x80")  # never part of a character
        for _ in range(2000):
            separator = chance.choice((b"=", b": ", b" ", b" --md5 "))
            line = bytearray(b"x password" + separator + b"hunter2")
            for _ in range(chance.randint(0, 6)):
                place = chance.randint(0, len(line))
                line[place:place] = chance.choice(odd)
            self.assertNotIn(b"hunter2", clean(bytes(line) + b"\n"), bytes(line))

    def test_only_the_bytes_that_are_no_utf_8_are_dropped(self) -> None:
        """FAULTS 46."""
        for text, left in (
            (b"", b""), (b"plain\n", b"plain\n"), (b"\0\x01\x7f\x1b\r\n", b"\0\x01\x7f\x1b\r\n"),
            ("é€😀\n".encode(), "é€😀\n".encode()), (b"caf\xe9\n", b"caf\n"),
            (b"\xed\xa0\x80x", b"x"), (b"\xc0\xafx", b"x"), (b"\xf4\x90\x80\x80x", b"x"),
            (b"a\xe2\x82\nb", b"a\nb"), (b"\xef\xbb\xbfx", b"\xef\xbb\xbfx"),
            (b"\xff" * 1000, b""), (b"\xc3\xc3\xa9", b"\xc3\xa9"),
        ):
            with self.subTest(text=text[:20]):
                self.assertEqual(drop_undecodable(text), left)
                self.assertEqual(clean(text), left)

    def test_any_bytes_come_out_as_utf_8_with_all_their_newlines(self) -> None:
        chance = random.Random(46)
        for _ in range(1000):
            text = bytes(chance.choice(b"\n\rap=: \x80\xc3\xa9\xe2\x82\xac\xf0\x9f\xed\xff")
                         for _ in range(chance.randint(0, 60)))
            cleaned = clean(text)
            cleaned.decode("utf-8")
            self.assertEqual(cleaned.count(b"\n"), text.count(b"\n"))
