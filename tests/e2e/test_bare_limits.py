"""Hosts with hardly any memory, and users with hardly any open files or processes."""
from tests.bare import BareCase


def limit(name: str, most: int) -> str:
    """Return the shell line that limits the run and all that it starts (prlimit(1))."""
    return 'set -- prlimit --%s=%d "$@"\n' % (name, most)


class Memory(BareCase):
    """RLIMIT_DATA stands in for the memory that is there: it counts what each process reserves for
    itself, touched or not, so it is the stricter of the two. What 64 MB leave beside the text of
    Python and its libraries is 48 MB."""

    LIMIT = limit("data", 48 * 1024 * 1024)

    def test_the_bundled_catalogue_runs_in_64_mb(self) -> None:
        done = self.run_bare(self.LIMIT)
        self.assertEqual(done.err, b"")
        self.assertIn("insights_commands/uname_-a", self.assert_saved(done, "/var/tmp"))

    def test_large_contents_are_cleaned_and_packed_in_64_mb(self) -> None:
        line = b"an error of user %d at 192.0.2.7, password=secret\n"
        content = b"".join(line % number for number in range(1000)) * 200
        rules = self.rules(files=[self.at_mnt(self.write("log", content))],
                           commands=["/bin/cat " + self.at_mnt(self.path("log"))])
        done = self.run_bare(self.LIMIT, "--from-file", self.at_mnt(rules),
                             INSIGHTS_OBFUSCATE="yes")
        self.assertEqual(done.err, b"")
        members = self.assert_saved(done, "/var/tmp")
        self.assertEqual([members[name].count(b"password=********\n") for name in
                          ("mnt/log", "insights_commands/cat_.mnt.log")], [200000, 200000])

    def test_too_little_memory_is_an_error_in_one_line_and_leaves_nothing(self) -> None:
        """xz alone needs as much as there is."""
        done = self.run_bare(limit("data", 24 * 1000 * 1000), "--compressor", "xz")
        self.assert_lines(done, ("ERROR: out of memory", "; ", "raise the limits"))
        self.assertEqual((done.status, self.left()), (1, []))


class Numbers(BareCase):
    def test_the_bundled_catalogue_runs_with_64_open_files(self) -> None:
        done = self.run_bare(limit("nofile", 64), "--verbose", INSIGHTS_OBFUSCATE="yes")
        self.assertNotIn("Too many open files", done.text)
        self.assertIn("insights_commands/uname_-a", self.assert_saved(done, "/var/tmp"))

    def test_too_few_open_files_are_told_in_one_line_and_what_to_do(self) -> None:
        done = self.run_bare(limit("nofile", 8))
        self.assert_lines(done, ("ERROR: ", "Too many open files; ", "ulimit -n"))
        self.assertEqual((done.status, self.left()), (1, []))

    def test_too_few_processes_are_told_in_one_line_and_what_to_do(self) -> None:
        """Root is not limited; so this is another user, who may write everywhere all the same."""
        for most in (1, 2, 3, 4):
            script = limit("nproc", most) + (
                'set -- setpriv --reuid 64321 --inh-caps +dac_override --ambient-caps '
                '+dac_override "$@"\n')
            with self.subTest(most):
                done = self.run_bare(script, "--unprivileged")
                self.assert_lines(done, ("ERROR: ", "; ", "limits"))
                self.assertEqual((done.status, self.left()), (1, []))
