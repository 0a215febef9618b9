"""--enable-schedule and --disable-schedule on a scratch host, with a systemctl that takes notes."""
import os
import shutil
import stat
import subprocess
import time
import unittest
import zipfile
from typing import Dict, List

from insights_mini.core import schedule
from insights_mini.exits import Failure
from insights_mini.log import DEBUG, NOTHING, Console, Log
from insights_mini.paths import Paths
from insights_mini.settings import Settings, imply
from tests.support import Scratch

CLIENT = "/usr/local/bin/insights-mini.pyz"
PYTHON = "/usr/bin/python3"
TIMER, SERVICE, CRON = [path.decode() for path in schedule.FILES]
MARK = schedule.MARK.decode()
SYSTEMCTL = """#!/bin/sh
echo "$*" >> '%(folder)s/calls'
if [ "$(cat '%(folder)s/fails' 2>/dev/null)" = "$1" ]; then
    printf 'Failed to do it:\\033[31m no\\nsecond line\\n' >&2
    exit 5
fi
"""
ENABLING = ["daemon-reload", "--force enable insights-client.timer", "start insights-client.timer"]
DISABLING = ["daemon-reload", "stop insights-client.timer", "disable insights-client.timer",
             "daemon-reload"]


class HostCase(Scratch):
    """A host with systemd; `without_systemd` makes it one with cron."""

    def setUp(self) -> None:
        super().setUp()
        for folder in ("run/systemd/system", "etc/systemd/system", "etc/cron.daily", "programs",
                       "usr/local/bin", "usr/bin"):
            os.makedirs(self.path(folder), 0o755)
        self.write_client(CLIENT)
        self.write(PYTHON[1:], "", 0o755)
        self.write("programs/systemctl", SYSTEMCTL % {"folder": self.folder}, 0o755)
        self.paths = Paths(*(self.path(name).encode() for name in ("conf", "state", "log", "tmp")))
        self.environ = {"INSIGHTS_CLIENT_FILE": CLIENT, "INSIGHTS_PHASE": "pre_update"}

    def write_client(self, path: str) -> None:
        os.makedirs(os.path.dirname(self.path(path[1:])), exist_ok=True)
        with zipfile.ZipFile(self.path(path[1:]), "w") as archive:
            archive.writestr("__main__.py", "")
        os.chmod(self.path(path[1:]), 0o755)

    def without_systemd(self) -> None:
        shutil.rmtree(self.path("run"))

    def register(self) -> None:
        self.write("conf/.registered", "")

    def host(self, python: str = PYTHON, seconds: float = 20.0) -> schedule.Host:
        return schedule.Host(self.folder.encode(), (self.path("programs").encode(),),
                             python.encode(), seconds)

    def enable(self, settings: Settings = imply(Settings(offline=True)),  # noqa: B008
               python: str = PYTHON, seconds: float = 20.0, **environ: str) -> str:
        """Enable, and return what was said."""
        with open(self.path("said"), "w") as said:
            schedule.enable(settings, self.paths, dict(self.environ, **environ),
                            self.host(python, seconds),
                            Log(Console(NOTHING), said.fileno(), DEBUG))
        return self.said()

    def disable(self) -> str:
        with open(self.path("said"), "w") as said:
            schedule.disable(self.host(), Log(Console(NOTHING), said.fileno(), DEBUG))
        return self.said()

    def said(self) -> str:
        with open(self.path("said")) as file:
            return file.read()

    def read(self, path: str) -> str:
        with open(self.path(path[1:])) as file:
            return file.read()

    def calls(self) -> List[str]:
        """Return the runs of systemctl since the last look."""
        try:
            with open(self.path("calls")) as file:
                return file.read().splitlines()
        finally:
            if os.path.exists(self.path("calls")):
                os.unlink(self.path("calls"))

    def written(self) -> Dict[str, int]:
        """Return the modes of all files below the folders that may be written."""
        return {os.path.join(folder, name)[len(self.folder):]:
                stat.S_IMODE(os.lstat(os.path.join(folder, name)).st_mode)
                for folder, _, names in os.walk(self.path("etc")) for name in names}

    def command(self) -> str:
        """Return what the service would run."""
        lines = [line for line in self.read(SERVICE).splitlines() if line.startswith("ExecStart=")]
        self.assertEqual(len(lines), 1, lines)
        return lines[0][len("ExecStart="):]

    def assert_refused(self, *words: str, **arguments: str) -> None:
        with self.assertRaises(Failure) as caught:
            self.enable(**arguments)  # type: ignore[arg-type]
        for word in words:
            self.assertIn(word, str(caught.exception))
        self.assertTrue(caught.exception.remedy)
        self.assertEqual((self.written(), os.path.exists(self.path("calls"))), ({}, False))


class Refusals(HostCase):
    def test_a_client_is_not_scheduled_where_it_would_not_stay(self) -> None:
        for folder in ("/tmp", "/var/tmp", "/media/stick", "/run/media/root/stick", "/dev/shm",
                       "/tmp/a/b"):
            with self.subTest(folder):
                self.write_client(folder + "/insights-mini.pyz")
                self.assert_refused(folder + "/insights-mini.pyz every day", "would not stay",
                                    "/usr/local/bin",
                                    INSIGHTS_CLIENT_FILE=folder + "/insights-mini.pyz")
                shutil.rmtree(self.path(folder[1:]))

    def test_a_link_does_not_hide_that_a_client_would_not_stay(self) -> None:
        self.write_client("/media/a.pyz")
        os.symlink("../../../media/a.pyz", self.path("usr/local/bin/a.pyz"))
        self.assert_refused("would not stay", INSIGHTS_CLIENT_FILE="/usr/local/bin/a.pyz")
        os.makedirs(self.path("tmp"))
        os.symlink("../usr/local/bin/insights-mini.pyz", self.path("tmp/b.pyz"))
        self.assert_refused("would not stay", INSIGHTS_CLIENT_FILE="/tmp/b.pyz")

    def test_a_client_that_others_can_change_is_not_scheduled(self) -> None:
        for path, mode in (("usr/local/bin", 0o777), ("usr/local", 0o775), (CLIENT[1:], 0o666)):
            with self.subTest(path):
                before = os.stat(self.path(path)).st_mode
                os.chmod(self.path(path), mode)
                self.assert_refused("others than root can write", os.path.basename(path))
                os.chmod(self.path(path), before)

    @unittest.skipIf(os.geteuid(), "needs root")
    def test_a_client_of_another_user_is_not_scheduled(self) -> None:
        os.chown(self.path(CLIENT[1:]), 1234, 0)
        self.assert_refused("others than root can write")

    def test_neither_is_a_python_of_that_kind(self) -> None:
        self.write("tmp/venv/bin/python3", "", 0o755)
        self.assert_refused("would not stay", python="/tmp/venv/bin/python3")
        os.chmod(self.path(PYTHON[1:]), 0o777)
        self.assert_refused("others than root can write")
        for python in ("", "/usr/bin/python4"):
            self.assert_refused("every day", python=python)

    def test_only_a_file_of_the_client_is_scheduled(self) -> None:
        self.write("opt/insights_mini/__main__.py", "import sys\n")
        for path, why in (("/opt/insights_mini/__main__.py", "not the file of the client"),
                          ("/opt/insights_mini", "is a directory"),
                          ("/opt/none.pyz", "No such file"), ("", "this every day")):
            with self.subTest(path):
                self.assert_refused(why, INSIGHTS_CLIENT_FILE=path)

    def test_words_that_would_need_quotes_are_refused(self) -> None:
        for name in ("a b", "a%n", "a$HOME", "a'", 'a"', "a\\x", "a;b", "ä", "a\nExecStart=", "a#",
                     "a*"):
            path = "/opt/%s.pyz" % name
            with self.subTest(name):
                self.write_client(path)
                self.assert_refused("other characters", INSIGHTS_CLIENT_FILE=path)
                self.assert_refused("other characters", INSIGHTS_STATE_DIR=path)
                with self.assertRaises(Failure):
                    self.enable(Settings(offline=True, conf=path))

    def test_a_host_that_starts_nothing_by_itself_gets_the_command_line(self) -> None:
        self.without_systemd()
        os.rmdir(self.path("etc/cron.daily"))
        self.assert_refused("systemd does not run", "no /etc/cron.daily", "install cron",
                            "%s %s --quiet --offline" % (PYTHON, CLIENT))

    def test_a_folder_that_cannot_be_written_is_named(self) -> None:
        os.rmdir(self.path("etc/systemd/system"))
        self.write("etc/systemd/system", "")
        with self.assertRaises(Failure) as caught:
            self.enable()
        self.assertIn("cannot change /etc/systemd/system/insights-client.",
                      str(caught.exception))

    def test_what_systemctl_says_first_is_the_reason(self) -> None:
        for word in ("daemon-reload", "--force", "start"):
            with self.subTest(word):
                self.write("fails", word)
                with self.assertRaises(Failure) as caught:
                    self.enable()
                self.assertIn("systemctl " + word, caught.exception.what)
                self.assertIn("Failed to do it:", caught.exception.why)
                self.assertNotIn("second", str(caught.exception))
                self.assertNotIn("Once a day", self.said())
        os.unlink(self.path("fails"))
        self.calls()
        self.enable()
        self.assertEqual(self.calls(), ENABLING)

    def test_a_systemctl_that_is_silent_broken_or_hangs_is_told_as_well(self) -> None:
        for content, seconds, why in (
                ("#!/bin/sh\nexit 7\n", 20, "status 7"), ("no program", 20, "format"),
                ("#!/bin/sh\nexec sleep 600\n", 0.3, "hangs")):
            with self.subTest(why):
                self.write("programs/systemctl", content, 0o755)
                with self.assertRaises(Failure) as caught:
                    self.enable(seconds=seconds)
                self.assertIn(why, caught.exception.why)


class Foreign(HostCase):
    """Files that somebody else put where ours would be."""

    def test_nothing_is_written_beside_a_foreign_file(self) -> None:
        for path in (TIMER, SERVICE, CRON):
            for content in ("[Unit]\n", "", "[Unit]\n" + MARK, "#!/bin/sh\n\n" + MARK):
                with self.subTest(path, content=content):
                    self.write(path[1:], content, 0o640)
                    with self.assertRaises(Failure) as caught:
                        self.enable()
                    self.assertIn(path + " stays as it is", str(caught.exception))
                    self.assertEqual((self.written(), self.read(path)), ({path: 0o640}, content))
                    os.unlink(self.path(path[1:]))
        self.assertFalse(os.path.exists(self.path("calls")))

    def test_a_masked_unit_is_not_unmasked_and_a_link_not_followed(self) -> None:
        self.write("elsewhere", MARK)
        for target in ("/dev/null", self.path("elsewhere"), "nowhere"):
            with self.subTest(target):
                os.symlink(target, self.path(TIMER[1:]))
                for act in (self.enable, self.disable):
                    with self.assertRaises(Failure) as caught:
                        act()
                    self.assertIn("is a link", str(caught.exception))
                    self.assertEqual(os.readlink(self.path(TIMER[1:])), target)
                os.unlink(self.path(TIMER[1:]))

    def test_disabling_leaves_it_and_says_so_and_removes_ours(self) -> None:
        for path in (TIMER, SERVICE, CRON):
            with self.subTest(path):
                self.enable()
                self.write(path[1:], "mine\n")
                with self.assertRaises(Failure) as caught:
                    self.disable()
                self.assertIn(path + " stays as it is", str(caught.exception))
                self.assertEqual((list(self.written()), self.read(path)), ([path], "mine\n"))
                os.unlink(self.path(path[1:]))


class Systemd(HostCase):
    def test_the_units_are_written_whole_and_started(self) -> None:
        said = self.enable()
        self.assertEqual(self.written(), {TIMER: 0o644, SERVICE: 0o644})
        self.assertEqual(self.calls(), ENABLING)
        for path in (TIMER, SERVICE):
            self.assertTrue(self.read(path).startswith(MARK))
            with open(os.path.join("conf", "systemd", os.path.basename(path))) as file:
                template = file.read().splitlines()
            written = self.read(path).splitlines()[1:]
            self.assertEqual([line for line in written if not line.startswith("ExecStart=")],
                             [line for line in template if not line.startswith("ExecStart=")])
        self.assertEqual(said.count("\n"), 1, said)
        self.assertIn("Once a day from now on: %s %s --quiet --offline; next run: between 0:00"
                      % (PYTHON, CLIENT), said)

    def test_modes_do_not_depend_on_the_umask(self) -> None:
        for mask in (0, 0o077):
            with self.subTest(mask):
                before = os.umask(mask)
                try:
                    self.enable()
                finally:
                    os.umask(before)
                self.assertEqual(self.written(), {TIMER: 0o644, SERVICE: 0o644})
                self.disable()

    def test_enabling_twice_is_like_once_and_takes_new_arguments(self) -> None:
        self.enable()
        self.enable(imply(Settings(no_upload=True)))
        self.assertEqual(self.calls(), ENABLING * 2)
        self.assertEqual(self.written(), {TIMER: 0o644, SERVICE: 0o644})
        self.assertTrue(self.command().endswith(" --quiet --no-upload"))

    def test_disabling_takes_back_all_and_twice_is_like_once(self) -> None:
        self.enable()
        self.calls()
        said = self.disable()
        self.assertEqual(self.calls(), DISABLING)
        self.assertEqual((self.written(), said.count("\n")), ({}, 1))
        self.assertIn("No daily run any more; removed: %s %s" % (TIMER, SERVICE), said)
        self.assertIn("has set up no daily run", self.disable())
        self.assertFalse(os.path.exists(self.path("calls")))

    def test_a_timer_that_cannot_be_stopped_stays_so_that_one_can_try_again(self) -> None:
        self.enable()
        for word in ("daemon-reload", "stop", "disable"):
            self.write("fails", word)
            with self.assertRaises(Failure):
                self.disable()
            self.assertEqual(len(self.written()), 2)
        os.unlink(self.path("fails"))
        self.disable()
        self.assertEqual(self.written(), {})

    def test_units_are_removed_where_systemd_does_not_run_such_as_a_rescue_image(self) -> None:
        self.enable()
        self.calls()
        self.without_systemd()
        self.disable()
        self.assertEqual((self.written(), os.path.exists(self.path("calls"))), ({}, False))

    def test_a_package_with_units_of_the_same_name_is_mentioned(self) -> None:
        path = "usr/lib/systemd/system/insights-client.timer"
        self.write(path, "packaged\n")
        said = self.enable()
        self.assertIn("/etc/systemd/system/ stand for those in /usr/lib/systemd/system/", said)
        self.assertEqual(said.count("\n"), 2, said)
        self.disable()
        self.assertEqual(self.read("/" + path), "packaged\n")

    def test_the_script_of_a_host_that_has_systemd_now_goes(self) -> None:
        self.without_systemd()
        self.enable()
        os.makedirs(self.path("run/systemd/system"))
        self.enable()
        self.assertEqual(self.written(), {TIMER: 0o644, SERVICE: 0o644})

    @unittest.skipUnless(os.path.exists("/usr/bin/systemd-analyze"), "systemd-analyze is not here")
    def test_systemd_accepts_what_was_written(self) -> None:
        self.enable(INSIGHTS_CONF_DIR="/srv/a,b:c@d=e+f")
        shutil.copy2("/bin/true", self.path(PYTHON[1:]))
        units = []
        for path in (TIMER, SERVICE):  # the Python of the scratch host is not where it says
            units.append(self.write(os.path.basename(path), self.read(path).replace(
                " %s " % PYTHON, " %s " % self.path(PYTHON[1:]))))
        done = subprocess.run(["/usr/bin/systemd-analyze", "verify", "--man=no", *units],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertNotIn(b"insights-client", done.stdout, done.stdout.decode("utf-8", "replace"))

    @unittest.skipUnless(shutil.which("systemctl"), "systemctl is not here")
    def test_the_real_systemctl_links_and_unlinks_it_with_and_without_a_packages_link(self) -> None:
        link = self.path("etc/systemd/system/timers.target.wants/insights-client.timer")
        packaged = self.write("usr/lib/systemd/system/insights-client.timer", "[Install]\n")
        self.write("programs/systemctl", """#!/bin/sh
            case "$*" in *able*) exec '%s' --root='%s' "$@";; esac
            """ % (shutil.which("systemctl"), self.folder), 0o755)
        for target in ("", packaged[len(self.folder):]):
            with self.subTest(target):
                if target:
                    os.makedirs(os.path.dirname(link))
                    os.symlink(target, link)
                self.enable()
                self.assertTrue(os.path.islink(link))
                self.disable()
                self.assertFalse(os.path.lexists(link))


class Words(HostCase):
    def test_a_run_uploads_only_from_a_registered_host(self) -> None:
        cases = ((Settings(), False, " --offline"), (Settings(), True, ""),
                 (Settings(offline=True), True, " --offline"),
                 (Settings(no_upload=True), True, " --no-upload"),
                 (Settings(no_upload=True), False, " --no-upload"),
                 (Settings(output_dir="/srv"), True, " --no-upload"))
        for settings, registered, last in cases:
            with self.subTest(settings=settings, registered=registered):
                shutil.rmtree(self.path("conf"), True)
                if registered:
                    self.register()
                said = self.enable(imply(settings))
                self.assertEqual(self.command(), "%s %s --quiet%s" % (PYTHON, CLIENT, last))
                self.assertEqual("after --register, use" in said,
                                 not registered and settings == Settings())

    def test_moved_folders_and_the_named_configuration_are_kept(self) -> None:
        self.enable(Settings(offline=True, conf="/srv/a.conf"), INSIGHTS_STATE_DIR="/srv/s",
                    INSIGHTS_CONF_DIR="/srv/c", INSIGHTS_LOG_DIR="")
        self.assertEqual(self.command(), "/usr/bin/env INSIGHTS_CONF_DIR=/srv/c INSIGHTS_STATE_DIR="
                         "/srv/s %s %s --quiet --conf /srv/a.conf --offline" % (PYTHON, CLIENT))

    def test_settings_of_the_environment_are_not_kept_and_that_is_said(self) -> None:
        said = self.enable(INSIGHTS_PASSWORD="hunter2", INSIGHTS_OBFUSCATE="True", OTHER="x",
                           INSIGHTS_EGG="built-in", INSIGHTS_CLIENT_VERSION="1")
        self.assertIn("WARNING", said)
        self.assertIn("does not know INSIGHTS_OBFUSCATE, INSIGHTS_PASSWORD of this", said)
        self.assertNotIn("hunter2", said + self.read(SERVICE))


class Cron(HostCase):
    def setUp(self) -> None:
        super().setUp()
        self.without_systemd()

    def test_the_script_is_written_and_removed_and_systemctl_never_run(self) -> None:
        for mask in (0, 0o077):
            with self.subTest(mask):
                before = os.umask(mask)
                try:
                    said = self.enable()
                    self.enable()
                finally:
                    os.umask(before)
                self.assertEqual(self.written(), {CRON: 0o755})
                self.assertIn("minutes after cron's next daily jobs", said)
                self.assertIn("removed: " + CRON, self.disable())
                self.assertIn("has set up no daily run", self.disable())
                self.assertEqual(self.written(), {})
        self.assertFalse(os.path.exists(self.path("calls")))

    def test_the_delay_is_fixed_in_the_script_and_differs_between_hosts(self) -> None:
        delays = set()
        for _ in range(20):
            self.enable()
            delays.add(int(self.read(CRON).partition("sleep ")[2].partition(";")[0]))
        self.assertGreater(len(delays), 5)
        self.assertTrue(all(0 <= delay < schedule.DELAY for delay in delays), delays)

    def test_the_script_runs_the_client_later_without_keeping_cron(self) -> None:
        self.enable()
        python = self.write("python", "#!/bin/sh\necho \"$*\" > '%s'\n" % self.path("ran"), 0o755)
        self.write("bin/sleep", "#!/bin/sh\nwhile ! test -e '%s'; do '%s' 0.02; done\n" % (
            self.path("over"), shutil.which("sleep")), 0o755)
        ran, over = self.path("ran"), self.path("over")
        for removed in (False, True):
            with self.subTest(removed=removed):
                script = self.write("script", self.read(CRON).replace(PYTHON, python), 0o755)
                subprocess.run([script], stdout=subprocess.PIPE, check=True, timeout=20, env={
                    "PATH": self.path("bin") + ":" + os.environ["PATH"]})
                self.assertFalse(os.path.exists(ran))
                if removed:
                    os.unlink(script)
                self.write("over", "")
                until = time.monotonic() + (0.5 if removed else 20)
                while not os.path.exists(ran) and time.monotonic() < until:
                    time.sleep(0.02)
                self.assertEqual(os.path.exists(ran), not removed)
                if not removed:
                    os.unlink(ran)
                os.unlink(over)
