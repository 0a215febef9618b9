"""Whole runs that succeed: from any place, in any environment, with any of the outputs."""
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
from typing import Any, Dict, List, Sequence, Tuple

from insights_mini.version import VERSION
from tests.support import Done, HostCase, Product, read_archive, read_archive_bytes

STAMP = re.compile(r"insights-(\S+)-(\d{14})\.tar\.gz")
NETWORK = re.compile(rb"^import '?(_?ssl|_?socket|http\S*?|urllib\.request|asyncio)'? #", re.M)
ECHO = "insights_commands/echo_x"


class WholeRun(HostCase):
    def run_argv(self, argv: Sequence[str], **environ: Any) -> Done:
        """Run a command line; an environment value of None takes a variable away."""
        merged = dict(self.environ, **environ)
        done = subprocess.run(
            list(argv), env={name: value for name, value in merged.items() if value is not None},
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=120, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def in_namespace(self, kind: str, script: str, argv: Sequence[str], **environ: Any) -> Done:
        """Run in a namespace of its own, prepared by a shell script."""
        probe = subprocess.run(["unshare", kind, "true"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, check=False)
        if probe.returncode:
            self.skipTest("no namespaces here")
        return self.run_argv(["unshare", kind, "sh", "-ec", script + '\nexec "$@"', "sh", *argv],
                             **environ)

    def offline(self, *arguments: str, product: str = "") -> List[str]:
        """Return the command line of an offline run of `echo x` and /etc/os-release."""
        return [sys.executable, product or Product.build(), "--offline", "--from-file",
                self.rules(["/bin/echo x"], ["/etc/os-release"]), *arguments]

    def assert_good(self, done: Done, path: str = "") -> Dict[str, bytes]:
        """Check that a run went without a complaint; return the members of its archive."""
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        if not path:
            path = done.out.decode("utf-8").splitlines()[-1][len("Archive saved at "):]
        members = read_archive(path)
        self.assertEqual(members[ECHO], b"x\n")
        self.assertIn("etc/os-release", members)
        return members


class Places(WholeRun):
    def test_it_runs_from_a_folder_that_cannot_be_written(self) -> None:
        product = self.write("usr/insights-mini.pyz", b"")
        shutil.copy2(Product.build(), product)
        done = self.in_namespace("-m", 'mount --bind usr usr; mount -o remount,bind,ro usr',
                                 self.offline(product=product))
        self.assert_good(done)
        self.assertEqual(os.listdir(self.path("usr")), ["insights-mini.pyz"])

    def test_it_runs_from_any_path_and_by_its_own_name(self) -> None:
        for name in ("with spaces/my insights.pyz", "müßig/κόσμος.pyz", "%s/$(x)'\".pyz"):
            product = self.write(name, b"")
            shutil.copy2(Product.build(), product)
            out = os.path.join(os.path.dirname(product), "päckchen 1.tar.gz")
            for argv in (self.offline("--output-file", out, product=product),
                         self.offline("--output-file", out, product=product)[1:]):
                with self.subTest(argv=argv):
                    done = self.run_argv(argv, LC_ALL="C", PYTHONCOERCECLOCALE="0",
                                         PYTHONUTF8="0",
                                         PATH=os.path.dirname(sys.executable) + ":/usr/bin:/bin")
                    self.assert_good(done, out)
                    os.unlink(out)

    def test_a_path_that_is_no_utf_8_takes_the_archive(self) -> None:
        folder = os.fsencode(self.folder) + b"/caf\xe9"
        done = self.run_argv(self.offline("--output-dir", os.fsdecode(folder)))
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        self.assertEqual(len(os.listdir(folder)), 1)

    def test_it_runs_in_a_folder_that_is_gone(self) -> None:
        argv = self.offline("--output-dir", self.path("out"))
        os.mkdir(self.path("gone"))
        done = self.run_argv(["sh", "-c", 'cd gone && rmdir ../gone && exec "$@"', "sh", *argv])
        self.assert_good(done, self.path("out", os.listdir(self.path("out"))[0]))

    def test_a_read_only_root_costs_warnings_only(self) -> None:
        script = r"""
            for folder in / /tmp /var/lib /var/log; do
                mount --bind $folder $folder 2>/dev/null || true
                mount -o remount,bind,ro $folder
            done
            mount -t tmpfs none /var/tmp
        """
        run = '"$@" >&2; cat /var/tmp/insights-*/insights-*.tar.gz'
        moved = dict.fromkeys(("INSIGHTS_STATE_DIR", "INSIGHTS_LOG_DIR", "TMPDIR"))
        argv = self.offline()
        done = self.in_namespace("-m", script, ["sh", "-ec", run, "sh", *argv], **moved)
        self.assertEqual(done.status, 0, done.text)
        self.assertEqual(read_archive_bytes(done.out)[ECHO], b"x\n")
        warnings = [line for line in done.err.decode().splitlines() if "WARNING" in line]
        self.assertEqual(len(warnings), 2, done.text)
        self.assertIn("/var/log/insights-client/insights-client.log", warnings[0])
        self.assertIn("/var/lib/insights", warnings[1])
        with self.subTest("and nowhere to put the archive"):
            done = self.in_namespace("-m", script.replace("mount -t tmpfs none /var/tmp", ""),
                                     argv, **moved)
            self.assertEqual((done.status, done.out), (1, b""), done.text)
            self.assertIn("ERROR: cannot write /var/tmp: Read-only file system",
                          done.err.decode().splitlines()[-1])

    def test_a_host_without_a_network_is_no_obstacle(self) -> None:
        self.assert_good(self.in_namespace("-n", "", self.offline()))


class Environments(WholeRun):
    def test_it_runs_in_any_environment_of_the_user(self) -> None:
        cases: Tuple[Tuple[str, Dict[str, Any]], ...] = (
            ("HOME unset", {"HOME": None}), ("HOME gone", {"HOME": "/nonexistent"}),
            ("PATH unset", {"PATH": None}), ("PATH empty", {"PATH": ""}),
            ("no UTF-8", {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}),
            ("a locale that is not there", {"LC_ALL": "xx_YY.UTF-8"}),
            ("an environment that is not UTF-8", {"X": os.fsdecode(b"\xff")}),
            ("a user's PYTHONPATH", {"PYTHONPATH": "/nonexistent"}),
            ("a language", {"LANGUAGE": "de", "LANG": "de_DE.UTF-8"}),
        )
        for what, environ in cases:
            with self.subTest(what):
                self.assert_good(self.run_argv(self.offline(), **environ))

    def test_it_runs_with_an_empty_environment(self) -> None:
        argv = self.offline("--output-dir", self.path("out"))
        done = self.run_argv(["env", "-i", "INSIGHTS_CONF_DIR=" + self.path("etc"),
                              "INSIGHTS_STATE_DIR=" + self.path("state"),
                              "INSIGHTS_LOG_DIR=" + self.path("log"), *argv])
        self.assert_good(done)

    def test_it_runs_under_every_way_to_start_python_and_without_its_warnings(self) -> None:
        for flags in (("-I",), ("-S", "-E"), ("-OO",), ("-B", "-s"), ("-W", "error", "-bb"),
                      ("-X", "dev", "-W", "error")):
            with self.subTest(flags):
                argv = self.offline()
                self.assert_good(self.run_argv([argv[0], *flags, *argv[1:]]))

    def test_modules_in_the_working_folder_and_of_the_same_name_are_not_run(self) -> None:
        for name in ("json", "tarfile", "signal", "insights_mini"):
            self.write(name + ".py", "raise SystemExit('hijacked')\n")
        self.assert_good(self.run_argv(self.offline()))

    def test_closed_standard_streams_do_no_harm(self) -> None:
        for closed in ("<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"):
            with self.subTest(closed):
                out = self.path("out", "a.tar.gz")
                argv = self.offline("--output-file", out, "--verbose")
                done = self.run_argv(["sh", "-c", 'exec "$@" ' + closed, "sh", *argv])
                self.assertEqual(done.status, 0, done.text)
                self.assertEqual(read_archive(out)[ECHO], b"x\n")
                os.unlink(out)
                with open(self.path("log", "insights-client.log"), encoding="utf-8") as log:
                    for line in log:
                        self.assertRegex(line, r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
                with open(self.path("state", "insights-mini.lock"), "rb") as lock:
                    self.assertRegex(lock.read(), rb"\A\d+\n\Z")

    def test_an_archive_never_lands_in_a_closed_standard_output(self) -> None:
        argv = self.offline("--to-stdout")
        done = self.run_argv(["sh", "-c", 'exec "$@" >&-', "sh", *argv])
        self.assertEqual(self.leftovers(), [])
        self.assertIn(done.status, (0, 1), done.text)

    def test_modes_do_not_depend_on_the_umask(self) -> None:
        """FAULTS 50."""
        for umask in ("0", "0777", "0022"):
            with self.subTest(umask):
                for name in ("tmp", "log", "state"):
                    shutil.rmtree(self.path(name), True)
                os.mkdir(self.path("tmp"))
                argv = self.offline()
                done = self.run_argv(["sh", "-c", 'umask %s; exec "$@"' % umask, "sh", *argv])
                self.assert_good(done)
                modes = {os.path.join(folder, name): stat.S_IMODE(os.lstat(
                    os.path.join(folder, name)).st_mode)
                    for top in ("tmp", "log", "state")
                    for folder, folders, names in os.walk(self.folder)
                    for name in folders + names if folder.startswith(self.path(top)) or
                    (folder == self.folder and name in ("log", "state"))}
                self.assertEqual(len(modes), 7, modes)
                for path, mode in modes.items():
                    self.assertEqual(oct(mode), oct(0o700 if os.path.isdir(path) else 0o600), path)

    def test_an_output_folder_that_is_made_and_its_archive_are_private(self) -> None:
        """FAULTS 50."""
        for umask in ("0", "0777"):
            with self.subTest(umask):
                argv = self.offline("--output-dir", self.path("new"))
                done = self.run_argv(["sh", "-c", 'umask %s; exec "$@"' % umask, "sh", *argv])
                self.assert_good(done)
                name, = os.listdir(self.path("new"))
                self.assertEqual(stat.S_IMODE(os.stat(self.path("new")).st_mode), 0o700)
                self.assertEqual(stat.S_IMODE(os.stat(self.path("new", name)).st_mode), 0o600)
                shutil.rmtree(self.path("new"))

    def test_offline_imports_nothing_that_could_reach_a_network(self) -> None:
        argv = self.offline()
        done = self.run_argv([argv[0], "-v", "-u", *argv[1:]])
        self.assertEqual(done.status, 0, done.text)
        self.assertRegex(done.err, rb"(?m)^import 'tarfile' #")
        self.assertEqual(NETWORK.findall(done.err), [])
        control = self.run_argv([argv[0], "-v", "-u", "-c", "import http.client, ssl"])
        self.assertGreater(len(NETWORK.findall(control.err)), 3)


class Outputs(WholeRun):
    def test_the_archive_lies_where_and_as_its_readers_expect(self) -> None:
        done = self.run_argv(self.offline())
        self.assert_good(done)
        path = done.out.decode().splitlines()[-1].rpartition(" ")[2]
        folder, name = os.path.split(path)
        match = STAMP.fullmatch(name)
        assert match is not None, name
        self.assertEqual(os.path.dirname(folder), self.path("tmp"))
        self.assertEqual(os.listdir(folder), [name])
        with tarfile.open(path) as tar:
            for member in tar:
                self.assertEqual(member.name.partition("/")[0], name[:-len(".tar.gz")])
                self.assertTrue(member.isreg(), member)
        listed = self.run_argv(["tar", "-tzf", path])
        self.assertEqual((listed.status, listed.err), (0, b""))
        self.assertIn(name[:-len(".tar.gz")] + "/etc/os-release", listed.out.decode().split("\n"))

    def test_two_runs_give_the_same_members_in_order_content_and_metadata(self) -> None:
        for number in range(40):
            self.write("host/%02d.conf" % (number * 7 % 40), b"number %d\n" % number)
        rules = self.rules(["/bin/echo %d" % number for number in range(20)] + ["/bin/sleep 0.1"],
                           [self.path("host") + "/.*conf", "/etc/passwd", "/etc/os-release"],
                           [self.path("host") + "/*", "/etc/*.conf"])
        seen = []
        for seed in ("0", "1", "random"):
            done = self.run_argv(self.argv("--offline", "--from-file", rules, "--to-stdout"),
                                 PYTHONHASHSEED=seed)
            self.assertEqual((done.status, done.err), (0, b""), done.text)
            path = self.write("archive", done.out)
            with tarfile.open(path) as tar:
                headers = [(member.name.partition("/")[2], member.mode, member.mtime, member.uid,
                            member.gid, member.uname, member.gname, member.type, member.size)
                           for member in tar]
            seen.append((headers, read_archive(path)))
        self.assertGreater(len(seen[0][0]), 60)
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(seen[0], seen[2])

    def test_run_these_collects_only_the_named(self) -> None:
        members = self.assert_members(
            self.rules(["/bin/echo a", "/bin/echo b"], ["/etc/passwd", "/etc/os-release"]),
            "--run-these", "c1, f1")
        self.assertEqual(members, ["etc/os-release", "insights_commands/echo_b"])

    def test_the_minimal_preset_of_an_area_collects_that_and_nothing_else(self) -> None:
        wanted = ("--preset", "minimal", "--areas", "system,process")
        done = self.run_product("--list-specs", "--json", *wanted)
        named = ("insights_commands/", *(re.split(r"[*?\[(]", spec["target"][1:])[0]
                                         for spec in json.loads(done.out.decode())
                                         if spec["kind"] != "command"))
        self.assertIn("etc/os-release", named)
        self.write("etc/insights-client.conf", "[insights-client]\npreset=minimal\n")
        done = self.run_product("--offline", *wanted[2:], "--output-file", self.path("a.tar"))
        self.assertEqual(done.status, 0, done.text)
        members = {name for name in read_archive(self.path("a.tar")) if "/" in name}
        self.assertIn("etc/os-release", members)
        self.assertEqual([name for name in members if not name.startswith(named)], [])

    def assert_members(self, rules: str, *arguments: str) -> List[str]:
        """Collect; return the names of the members that come from the host."""
        return sorted(name for name in self.collect(rules, *arguments) if "/" in name)

    def test_insights_commands_is_never_empty(self) -> None:
        """FAULTS 55."""
        rules = self.rules(["/bin/true", "/no/such/program"], ["/etc/os-release"])
        for arguments in (("--run-these", "f0"), ("--run-these", "c0"), ("--run-these", "c0,c1")):
            with self.subTest(arguments):
                members = self.assert_members(rules, *arguments)
                commands = [name for name in members if name.startswith("insights_commands/")]
                self.assertEqual(len(commands), 1, members)

    def test_no_member_leads_the_analysis_to_take_the_archive_for_another_kind(self) -> None:
        """FAULTS 55."""
        for name in ("sos_commands/a", "JBOSS_HOME/b", "x/insights_archive.txt",
                     "insights_commands/c"):
            self.write("host/" + name, b"content of " + name.encode())
        rules = self.rules(globs=[self.path("host") + "/*/*"])
        members = self.assert_members(rules)
        self.assertEqual(len(members), 5, members)
        for member in members:
            parts = member.split("/")
            self.assertNotIn("insights_commands", parts[1:])
            for part in ("sos_commands", "JBOSS_HOME", "insights_archive.txt"):
                self.assertNotIn(part, parts)
        self.assertIn("Stored under another name", self.done.text)

    def test_the_host_is_unchanged_after_a_run(self) -> None:
        """FAULTS 54."""
        for name in ("a.conf", "deep/er/b.conf", "large.log"):
            self.write("host/" + name, b"line of text\n" * (1000000 if "log" in name else 1))
        os.symlink("a.conf", self.path("host", "link.conf"))
        os.mkfifo(self.path("host", "fifo.conf"))
        for folder, _, names in os.walk(self.path("host")):
            for name in names:
                if not os.path.islink(os.path.join(folder, name)):
                    os.utime(os.path.join(folder, name), (1e9, 1.1e9))
        before = self.describe_host()
        members = self.assert_members(self.rules(
            ["/bin/ls -lR " + self.path("host")],
            [self.path("host", "a.conf"), self.path("host", "link.conf"), self.path("host") +
             "/deep/.*/b.*"], [self.path("host", "*")], pattern=["t"]))
        self.assertGreater(len(members), 4)
        self.assertEqual(self.describe_host(), before)

    def describe_host(self) -> Dict[str, Tuple[int, ...]]:
        """Return everything stat tells of a tree, but when its folders were last listed."""
        described: Dict[str, Tuple[int, ...]] = {}
        for folder, folders, names in os.walk(self.path("host")):
            for name in folders + names:
                status = os.lstat(os.path.join(folder, name))
                seen = 0 if not stat.S_ISREG(status.st_mode) else status.st_atime_ns
                described[os.path.join(folder, name)] = (
                    status.st_mode, status.st_ino, status.st_nlink, status.st_size,
                    status.st_mtime_ns, status.st_ctime_ns, seen)
        return described

    def test_every_compressor_gives_an_archive_of_its_kind(self) -> None:
        for kind, suffix, magic in (("gz", ".tar.gz", b"\x1f\x8b"), ("bz2", ".tar.bz2", b"BZh"),
                                    ("xz", ".tar.xz", b"\xfd7zXZ"), ("none", ".tar", b"insights")):
            with self.subTest(kind):
                done = self.run_argv(self.offline("--compressor", kind))
                self.assert_good(done)
                path = done.out.decode().splitlines()[-1].rpartition(" ")[2]
                self.assertTrue(path.endswith(suffix), path)
                with open(path, "rb") as file:
                    self.assertTrue(file.read(8).startswith(magic))
                streamed = self.run_argv(self.offline("--compressor", kind, "--to-stdout"))
                self.assertTrue(streamed.out.startswith(magic))
                self.assertEqual(read_archive_bytes(streamed.out)[ECHO], b"x\n")

    def test_the_suffix_of_the_output_file_chooses_the_compressor(self) -> None:
        for name, arguments, magic in (
                ("a.tar.bz2", (), b"BZh"), ("a.tar.xz", (), b"\xfd7zXZ"), ("a.tar", (), b"a/"),
                ("a.tar.gz", (), b"\x1f\x8b"), ("a", (), b"\x1f\x8b"),
                ("b.tar.gz", ("--compressor", "xz"), b"\xfd7zXZ"),
                ("b.tar.xz", ("--compressor", "gz"), b"\x1f\x8b")):
            with self.subTest(name=name, arguments=arguments):
                path = self.path("out", name)
                self.assert_good(self.run_argv(self.offline("--output-file", path, *arguments)),
                                 path)
                with open(path, "rb") as file:
                    self.assertTrue(file.read(8).startswith(magic))

    def test_keep_archive_with_to_stdout_gives_the_same_bytes_twice(self) -> None:
        done = self.run_argv(self.offline("--to-stdout", "--keep-archive"))
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        (folder, name), = [os.path.split(path) for path in self.leftovers()
                           if path.endswith(".tar.gz")]
        with open(self.path(folder, name), "rb") as file:
            self.assertEqual(file.read(), done.out)

    def test_the_clients_own_members_say_what_made_the_archive(self) -> None:
        members = self.collect(self.rules(["/bin/echo x"]))
        self.assertEqual(json.loads(members["branch_info"].decode()),
                         {"remote_branch": -1, "remote_leaf": -1})
        versions = json.loads(members["version_info"].decode())
        self.assertEqual(versions, {"core_version": VERSION, "client_version": VERSION,
                                    "egg": "built-in egg"})
        report = json.loads(members["blacklist_report"].decode())
        self.assertEqual(set(report.values()), {0})
        self.assertEqual([name for name in members if "/" not in name],
                         ["branch_info", "version_info", "blacklist_report"])

    def test_the_display_name_is_in_the_archive_if_set(self) -> None:
        for name in ("web 1", "Büro-Server ☂"):
            members = self.collect(self.rules(["/bin/echo x"]), "--display-name", name)
            self.assertEqual(members["display_name"].decode("utf-8"), name)

    def test_cached_rules_come_before_the_fallback_and_that_before_the_catalogue(self) -> None:
        def offer(name: str, word: str, mode: int = 0o600) -> None:
            self.write("etc/" + name, {"version": "1", "commands": [
                {"command": "/bin/echo " + word, "symbolic_name": word}]}, mode)

        def collected() -> List[str]:
            done = self.run_product("--offline", "--to-stdout", "--no-gpg")
            self.assertEqual(done.status, 0, done.text)
            return [name for name in read_archive_bytes(done.out)
                    if name.startswith("insights_commands/echo_")]

        self.assertEqual(collected(), [])
        offer(".fallback.json", "fallback")
        self.assertEqual(collected(), ["insights_commands/echo_fallback"])
        offer(".cache.json", "cache")
        self.assertEqual(collected(), ["insights_commands/echo_cache"])
        offer(".cache.json", "cache", 0o666)
        self.assertEqual(collected(), ["insights_commands/echo_fallback"])

    def test_rules_are_taken_from_standard_input(self) -> None:
        with open(self.rules(["/bin/echo x"], ["/etc/os-release"]), "rb") as file:
            done = self.run_product("--offline", "--from-stdin", stdin=file.read())
        self.assert_good(done)
