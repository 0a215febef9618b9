"""Hosts that have next to nothing: no programs, no folders, a Python built without its options."""
import glob
import os
import re
import shutil
import subprocess
import sys
from typing import Dict, List, Sequence

from tests.bare import BareCase
from tests.signing import Signer
from tests.support import Done, HostCase, Product, read_archive, read_archive_bytes

# Puts the folder $BARE in the place of all folders of programs, then runs the arguments.
STRIP = r"""
for folder in /usr/local/bin /usr/local/sbin /usr/sbin /sbin /usr/bin /bin; do
    if [ -d "$folder" ] && ! [ -L "$folder" ]; then mount --bind "$BARE" "$folder"; fi
done
"""
MISSING = ("rpm", "systemctl", "gpg", "sed", "grep", "timeout", "file", "tar", "cat", "ls")

# Runs the product in a Python in which the modules named in the first argument are not there.
LACKING = """
import runpy, sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None
del sys.argv[:2]
sys.path.insert(0, sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""
NETWORK = ("ssl", "_ssl", "socket", "_socket", "http", "http.client", "urllib.request")
OPTIONAL = ("ctypes", "_ctypes", "_hashlib", "_uuid", "readline", "sqlite3", "curses", "_curses",
            "_multiprocessing", "multiprocessing", "_decimal")
COMPRESSION = ("zlib", "bz2", "_bz2", "lzma", "_lzma")


# A root in memory with nothing in it but Python and the libraries and programs of /usr.
CHROOT = r"""
root=/tmp/root
mkdir -p $root/mnt $root/usr
for folder in /bin /sbin /lib /lib32 /lib64; do
    if [ -L $folder ]; then
        cp -P $folder $root
    elif [ -d $folder ]; then
        mkdir $root$folder
        mount --bind $folder $root$folder
    fi
done
mount --bind /usr $root/usr
if ! [ -e $root{prefix} ]; then mkdir -p $root{prefix}; mount --bind {prefix} $root{prefix}; fi
mount --bind /mnt $root/mnt
set -- chroot $root "$@"
""".format(prefix=sys.base_prefix)
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")

RUN = {"mnt/x": b"x\n", "insights_commands/echo_y": b"y\n"}


class BareHost(HostCase):
    def run_in_namespace(self, script: str, argv: Sequence[str], **environ: str) -> Done:
        """Run in a mount namespace of its own, prepared by a shell script."""
        probe = subprocess.run(["unshare", "-m", "true"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, check=False)
        if probe.returncode:
            self.skipTest("no mount namespaces here")
        done = subprocess.run(
            ["unshare", "-m", "sh", "-ec", script + '\nexec "$@"', "sh", *argv],
            env=dict(self.environ, **environ), cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def strip(self, *programs: str) -> Dict[str, str]:
        """Make the folder that stands for all folders of programs; return the environment."""
        bare = self.path("bare")
        os.mkdir(bare)
        interpreter = os.path.realpath(sys.executable)
        shutil.copy2(interpreter, bare)
        for program in programs:
            shutil.copy2(str(shutil.which(program)), bare)
        self.interpreter = interpreter
        return {"BARE": bare}

    def argv_here(self, *arguments: str) -> List[str]:
        return [self.interpreter, Product.build(), "--offline", *arguments]

    def test_it_needs_no_program_at_all_on_the_host(self) -> None:
        log = self.write("large.log", b"an error here\nall is well\n" * 500000)
        rules = self.rules(["/bin/%s --version" % name for name in MISSING],
                           ["/etc/passwd", log], pattern=["error", "root"])
        environ = self.strip()
        done = self.run_in_namespace(STRIP, self.argv_here(
            "--from-file", rules, "--output-dir", self.path("collected")), **environ)
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        self.assertIn("%d not installed" % len(MISSING), done.text)
        name, = [name for name in os.listdir(self.path("collected"))
                 if not name.endswith(".redactions.json")]
        members = read_archive(self.path("collected", name))
        self.assertIn(b"root:", members["etc/passwd"])
        self.assertEqual(members[log.lstrip("/")], b"an error here\n" * 500000)
        self.assertEqual([name for name in members if name.startswith("insights_commands/")],
                         ["insights_commands/insights-mini_--version"])

    def test_the_bundled_catalogue_runs_where_there_is_only_a_shell(self) -> None:
        environ = self.strip("sh")
        done = self.run_in_namespace(STRIP, self.argv_here(
            "--output-dir", self.path("collected")), **environ)
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        name, = [name for name in os.listdir(self.path("collected"))
                 if not name.endswith(".redactions.json")]
        members = read_archive(self.path("collected", name))
        for wanted in ("etc/os-release", "proc/meminfo", "insights_commands/hostname_-f",
                       "branch_info", "version_info"):
            self.assertIn(wanted, members)
        self.assertNotIn("insights_commands/uname_-a", members)

    def test_the_stripped_host_really_lacks_the_programs(self) -> None:
        environ = self.strip("sh")
        done = self.run_in_namespace(STRIP, [
            "/bin/sh", "-c", "for name in %s; do command -v $name; done" % " ".join(MISSING)],
            **dict(environ, PATH="/usr/sbin:/usr/bin:/sbin:/bin"))
        self.assertEqual((done.status, done.out), (127, b""), done.text)

    def test_it_makes_the_folders_it_needs_on_a_host_without_any(self) -> None:
        """Nothing below /var but /var/tmp, no /etc/insights-client, no /proc."""
        script = r"""
            mount -t tmpfs none /var
            mkdir /var/tmp
            mount -t tmpfs none /proc
        """
        for name in ("INSIGHTS_STATE_DIR", "INSIGHTS_LOG_DIR", "TMPDIR", "HOME"):
            del self.environ[name]
        self.environ["INSIGHTS_CONF_DIR"] = self.path("no", "such", "folder")
        run = '"$@" >&2; cat /var/tmp/insights-*/insights-*.tar.gz; ls -d /var/*/insights* >&2'
        done = self.run_in_namespace(script, ["sh", "-ec", run, "sh", *self.argv(
            "--offline", "--from-file", self.rules(["/bin/echo x"], ["/etc/os-release"]))])
        self.assertEqual(done.status, 0, done.text)
        members = read_archive_bytes(done.out)
        self.assertEqual(members["insights_commands/echo_x"], b"x\n")
        self.assertIn("etc/os-release", members)
        self.assertIn(b"/var/log/insights-client\n", done.err)
        self.assertNotIn(b"WARNING", done.err)
        self.assertFalse(os.path.exists(self.path("no")))


class Nameless(BareCase):
    """Hosts that do not know their name, their users, or the time."""

    def collect_bare(self, script: str, *arguments: str, flags: str = "-m",
                     **environ: str) -> Dict[str, bytes]:
        """Collect a file and a command's output, without any warning; return the members."""
        rules = self.rules(["/bin/echo y"], [self.at_mnt(self.write("x", b"x\n"))])
        self.done = self.run_bare(script, "--from-file", self.at_mnt(rules), *arguments,
                                  flags=flags, **environ)
        self.assertEqual(self.done.err, b"")
        members = self.assert_saved(self.done, "/var/tmp")
        self.assertEqual({name: members[name] for name in RUN}, RUN)
        shutil.rmtree(self.path("found"))
        os.mkdir(self.path("found"))
        return members

    def test_a_host_without_a_name_is_localhost_also_where_names_are_hidden(self) -> None:
        for name in ("", "(none)", "localhost"):
            script = "%s -c 'import socket; socket.sethostname(\"%s\")'\n" % (sys.executable, name)
            with self.subTest(name):
                self.collect_bare(script, flags="-m -u")
                self.assertIn("/insights-localhost-20", self.done.text)
                self.assertIn("Insights data for localhost\n", self.done.text)
                self.collect_bare(script, flags="-m -u", INSIGHTS_OBFUSCATE="1",
                                  INSIGHTS_OBFUSCATE_HOSTNAME="1")
                self.assertNotIn("/insights-localhost", self.done.text)

    def test_a_host_without_users_is_no_obstacle(self) -> None:
        self.collect_bare("mount -t tmpfs none /etc\n")

    def test_the_clock_may_be_wrong_by_decades(self) -> None:
        if not FAKETIME:
            self.skipTest("no faketime")
        for year in ("1970", "2040"):
            with self.subTest(year):
                self.collect_bare("", LD_PRELOAD=FAKETIME[0], FAKETIME="@%s-01-01 00:00:10" % year)
                self.assertRegex(self.done.text, r"/insights-.*-%s01010000..\.tar\.gz\n" % year)

    def test_namespaces_without_proc_are_no_obstacle(self) -> None:
        """The usual mistake, another's /proc, is one too."""
        for script in ("mount -t tmpfs none /proc\n", ""):
            with self.subTest(script):
                self.collect_bare(script, flags="-m -u -p -f")

    def test_a_root_with_nothing_but_programs_and_python_is_enough(self) -> None:
        """No /etc, /dev, /proc, /sys, /run, /var or /tmp, as in an initramfs of one's own."""
        argv = ["--from-file", self.at_mnt(self.rules(["/bin/echo y", "/bin/cat"],
                                                      [self.at_mnt(self.write("x", b"x\n"))]))]
        done = self.run_bare(CHROOT, *argv)
        self.assert_lines(done, ("ERROR: cannot write /var/tmp: No such file or directory; ",
                                 "choose another place", "use --to-stdout"))
        self.assertEqual(done.status, 1)
        done = self.run_bare(CHROOT, *argv, "--output-file", "/mnt/found/a.tar.gz")
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        self.assertIn("1 nothing to keep", done.text)
        members = read_archive(self.path("found", "a.tar.gz"))
        self.assertEqual({name: members[name] for name in RUN}, RUN)
        done = self.run_bare(CHROOT, "--to-stdout")
        self.assertEqual(done.status, 0, done.text)
        self.assertIn("branch_info", read_archive_bytes(done.out))


class Signatures(BareCase):
    """Signed rules and an egg on hosts that cannot check signatures, or not rightly."""

    def run_signed(self, script: str, *arguments: str) -> Done:
        signer = Signer.find()
        if signer is None:
            self.skipTest("no gpg")
        self.addCleanup(signer.close)
        key = signer.make("publisher")
        self.write("etc/redhattools.pub.gpg", signer.export(key), 0o644)
        for name in ("etc/.cache.json", "newest.egg"):
            self.write(name, {"version": "1", "files": [], "commands": [
                {"command": "/bin/echo signed", "symbolic_name": "e", "pattern": []}]}, 0o644)
            with open(self.path(name), "rb") as file:
                self.write(name + ".asc", signer.sign(file.read(), key))
        shutil.copy(signer.gpg, self.path("gpg.real"))
        return self.run_bare("mkdir -p /var/lib/insights; cp /mnt/newest.egg* /var/lib/insights\n" +
                             script, *arguments, INSIGHTS_CONF_DIR="/mnt/etc")

    def test_without_gpg_each_of_them_costs_a_warning_with_a_remedy(self) -> None:
        done = self.run_signed("for p in gpg gpg2; do if [ -e /usr/bin/$p ]; then "
                               "mount --bind /dev/null /usr/bin/$p; fi; done\n")
        why = "not used: this host has no gpg to check signatures with; install gnupg2 (or gnupg)"
        self.assert_lines(done, ("WARNING: NEW egg /var/lib/insights/newest.egg is ", why),
                          ("WARNING: the rules in /mnt/etc/.cache.json are ", why))
        self.assertEqual(done.status, 0)

    def test_without_a_place_to_check_them_in_each_costs_a_warning_with_a_remedy(self) -> None:
        done = self.run_signed("rmdir /var/tmp; mount -o remount,ro /tmp\n", "--to-stdout")
        self.assert_lines(done, ("WARNING: NEW egg", "not used: ", "/var/tmp", "; ", "TMPDIR"),
                          ("WARNING: the rules in", "not used: ", "/var/tmp", "; ", "TMPDIR"))
        self.assertIn("branch_info", read_archive_bytes(done.out))

    def test_a_clock_that_is_wrong_by_decades_is_what_the_warning_names(self) -> None:
        self.write("gpg", """#!/bin/sh
            exec /mnt/gpg.real --faked-system-time 19700101T000010 "$@"
        """, 0o755)
        done = self.run_signed("mount --bind /mnt/gpg /usr/bin/gpg\n")
        self.assert_lines(done, ("WARNING: NEW egg", "clock"), ("WARNING: the rules in", "clock"))
        self.assertEqual(done.status, 0)


class LackingPython(HostCase):
    def run_lacking(self, modules: Sequence[str], *arguments: str, **environ: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-c", LACKING, ",".join(modules), Product.build(), "--offline",
             *arguments],
            env=dict(self.environ, **environ), cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def small(self) -> List[str]:
        return ["--from-file", self.rules(["/bin/echo x"])]

    def test_the_bundled_catalogue_runs_on_a_python_built_without_any_library(self) -> None:
        done = self.run_lacking(NETWORK + COMPRESSION + OPTIONAL, "--output-dir", self.path("out"),
                                INSIGHTS_OBFUSCATE="yes", INSIGHTS_OBFUSCATE_HOSTNAME="yes")
        self.assertEqual((done.status, done.err.count(b"\n")), (0, 1), done.text)
        self.assertIn(b"WARNING: this Python has no zlib, so the archive is a plain .tar; gzip",
                      done.err)
        name, = [name for name in os.listdir(self.path("out")) if name.endswith(".tar")]
        self.assertIn("insights_commands/hostname_-f", read_archive(self.path("out", name)))

    def test_offline_runs_on_a_python_without_ssl_and_sockets(self) -> None:
        done = self.run_lacking(NETWORK, *self.small(), "--output-file",
                                self.path("out", "a.tar.gz"))
        self.assertEqual((done.status, done.err), (0, b""), done.text)
        self.assertIn("insights_commands/echo_x", read_archive(self.path("out", "a.tar.gz")))

    def test_without_zlib_the_archive_is_a_plain_tar_and_a_warning_says_so(self) -> None:
        done = self.run_lacking(NETWORK + COMPRESSION, *self.small(), "--output-dir",
                                self.path("out"))
        self.assertEqual(done.status, 0, done.text)
        self.assertEqual(done.err.count(b"\n"), 1, done.text)
        self.assertIn(b"WARNING: ", done.err)
        self.assertIn(b".tar", done.err)
        name, = [name for name in os.listdir(self.path("out"))
                 if not name.endswith(".redactions.json")]
        self.assertTrue(name.endswith(".tar"), name)
        with open(self.path("out", name), "rb") as file:
            self.assertEqual(file.read()[257:262], b"ustar")
        self.assertIn("insights_commands/echo_x", read_archive(self.path("out", name)))

    def test_a_compressor_that_was_asked_for_and_is_missing_is_named(self) -> None:
        for kind in ("bz2", "xz"):
            with self.subTest(kind):
                done = self.run_lacking(COMPRESSION, *self.small(), "--compressor", kind,
                                        "--output-dir", self.path("out"))
                self.assertEqual((done.status, done.err.count(b"\n")), (1, 1), done.text)
                self.assertIn(kind.encode(), done.err)
                self.assertEqual(self.leftovers(), [])


class NoNetwork(HostCase):
    """Offline: where there is no network at all, and nothing that could use one is loaded."""

    def test_it_runs_in_a_network_namespace_without_interfaces_and_calls_nobody(self) -> None:
        if not (shutil.which("unshare") and shutil.which("strace")):
            self.skipTest("no unshare or no strace")
        trace = self.path("trace")
        rules = self.rules(["/bin/echo hello"], ["/etc/hosts"])
        done = subprocess.run(
            ["unshare", "-n", "strace", "-f", "-qq", "-e", "trace=%network", "-e",
             "signal=none", "-o", trace,
             *self.argv("--offline", "--from-file", rules, "--output-dir", self.path("out"))],
            env=dict(self.environ, INSIGHTS_BASE_URL="service.test/r/insights",
                     INSIGHTS_USERNAME="bob"), cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""), done.stdout)
        with open(trace) as file:
            self.assertEqual(file.read(), "")
        self.assertEqual(len(os.listdir(self.path("out"))), 1)

    def test_neither_ssl_nor_http_is_loaded(self) -> None:
        """Every process of the run says what it loads; none says these."""
        rules = self.rules(["/bin/echo hello"])
        argv = self.argv("--offline", "--from-file", rules, "--output-dir", self.path("out"))
        done = subprocess.run([argv[0], "-v", *argv[1:]], env=self.environ, cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120, check=True)
        loaded = set(re.findall(rb"(?m)^import '?([\w.]+)'? #", done.stderr))
        self.assertIn(b"insights_mini.core.collection", loaded)
        for module in (b"ssl", b"_ssl", b"http", b"http.client", b"urllib.request",
                       b"insights_mini.core.server.transport"):
            self.assertNotIn(module, loaded)
