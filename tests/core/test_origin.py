"""Whose will counts: the exclusions and the settings of the running system and of a dead root."""
import os
from typing import Any, List

from insights_mini.core.origin import Origin, open_origin
from insights_mini.exits import Failure
from insights_mini.paths import find_paths
from insights_mini.settings import Settings, make_settings
from tests.support import Scratch

CONF = "root/etc/insights-client/"
CLASSIC = "[remove]\nfiles=%s\npatterns=%s\n"


class Origins(Scratch):
    def setUp(self) -> None:
        super().setUp()
        for name in ("root/etc/insights-client", "etc"):
            os.makedirs(self.path(name))
        self.paths = find_paths({"INSIGHTS_CONF_DIR": self.path("etc")})

    def open(self, **settings: Any) -> Origin:
        settings.setdefault("analyze_mountpoint", self.path("root"))
        origin = open_origin(make_settings(dict(settings, offline=True)), self.paths, {})
        self.addCleanup(origin.root.close)
        return origin

    def refused(self, **settings: Any) -> str:
        with self.assertRaises(Failure) as caught:
            self.open(**settings)
        return str(caught.exception)

    def test_a_fault_in_the_exclusions_of_either_ends_the_run_and_names_the_file(self) -> None:
        for name, shown in (("etc/remove.conf", "etc/remove.conf"),
                            (CONF + "remove.conf", CONF + "remove.conf")):
            with self.subTest(name):
                self.write(name, "[remove]\nfile=/a\n")
                self.assertIn(self.path(shown), self.refused())
                os.unlink(self.path(name))
        for content, why in ((b"[insights-client]\nobfuscate=maybe\n", "maybe"),
                             (b"[insights-client\n", "line 1"),
                             (b"[insights-client]\nobfuscation_list=ip\n", "any of")):
            with self.subTest(content):
                self.write(CONF + "insights-client.conf", content)
                message = self.refused()
                self.assertIn(self.path(CONF + "insights-client.conf"), message)
                self.assertIn(why, message)

    def test_an_exclusion_file_of_the_root_that_cannot_be_read_ends_the_run(self) -> None:
        for make in (os.mkfifo, os.mkdir, lambda path: os.symlink("remove.conf", path),
                     lambda path: os.symlink("/etc/none/..", path)):
            path = self.path(CONF, "remove.conf")
            with self.subTest(make=make):
                make(path)
                if os.path.islink(path) and os.readlink(path).startswith("/"):
                    os.makedirs(self.path("root/etc/none"), exist_ok=True)
                self.assertIn("nothing is collected", self.refused())
                (os.rmdir if os.path.isdir(path) else os.unlink)(path)

    def test_what_either_forbids_is_forbidden(self) -> None:
        self.write("etc/remove.conf", CLASSIC % ("/a", "one"))
        self.write(CONF + "remove.conf", CLASSIC % ("/b", "two"))
        loaded = self.open().loaded
        self.assertEqual(loaded.exclusions.files, ("/a", "/b"))
        self.assertEqual(loaded.exclusions.patterns, (b"one", b"two"))
        self.assertEqual(loaded.warnings, ())
        self.write(CONF + "file-redaction.yaml", "files: [/c]\n", 0o644)
        loaded = self.open().loaded  # in YAML there, in classic form here
        self.assertEqual(loaded.exclusions.files, ("/a", "/c"))
        self.assertEqual(loaded.exclusions.patterns, (b"one",))
        self.assertEqual(len(loaded.warnings), 2)
        for warning in loaded.warnings:
            self.assertIn(self.path(CONF), warning)

    def test_the_files_that_the_configuration_of_the_root_names_are_those_of_the_root(self) -> None:
        self.write("etc/remove.conf", CLASSIC % ("/a", "one"))
        for name in ("/srv/hidden.conf", "srv/hidden.conf", "/../srv/./hidden.conf"):
            with self.subTest(name):
                self.write(CONF + "insights-client.conf",
                           "[redhat-access-insights]\nremove_file=%s\nunknown=1\n" % name)
                self.write("root/srv/hidden.conf", CLASSIC % ("/b", "two"))
                self.assertEqual(self.open().loaded.exclusions.files, ("/a", "/b"))
        os.unlink(self.path("root/srv/hidden.conf"))
        self.assertIn(self.path("root"), self.refused())

    def test_an_exclusion_file_of_the_running_system_is_not_found_through_the_root(self) -> None:
        self.write("elsewhere/remove.conf", "[wrong]\n")
        os.rmdir(self.path(CONF))
        os.symlink(self.path("elsewhere"), self.path(CONF.rstrip("/")))
        self.assertEqual(self.open().loaded.exclusions.files, ())

    def test_what_either_hides_is_hidden(self) -> None:
        for ours, theirs, kinds in (
                ({}, "", ()), ({}, "obfuscate=yes", ("ipv4", "ipv6", "mac")),
                ({}, "obfuscate=yes\nobfuscate_hostname=1", ("hostname", "ipv4", "ipv6", "mac")),
                ({"obfuscation_list": ("mac",)}, "obfuscation_list=ipv4", ("ipv4", "mac")),
                ({"obfuscate": True}, "obfuscation_list=hostname",
                 ("hostname", "ipv4", "ipv6", "mac"))):
            with self.subTest(ours=ours, theirs=theirs):
                self.write(CONF + "insights-client.conf", "[insights-client]\n%s\n" % theirs)
                self.assertEqual(self.open(**ours).settings.obfuscation_list, kinds)

    def test_the_names_are_those_of_the_root(self) -> None:
        def names(**files: str) -> List[str]:
            for name in ("hostname", "HOSTNAME", "hosts", "sysconfig/network"):
                path = self.path("root/etc", name)
                if os.path.exists(path):
                    os.unlink(path)
            for name, content in files.items():
                self.write("root/etc/" + name.replace("_", "/"), content)
            return self.open().names

        self.assertEqual(names(), [""])
        self.assertEqual(names(hostname="\n# x\n dead \n"), ["dead"])
        self.assertEqual(names(HOSTNAME="suse.example.com\n"), ["suse.example.com"])
        self.assertEqual(names(sysconfig_network='NETWORKING=yes\nHOSTNAME="old.example.com"\n'),
                         ["old.example.com"])
        self.assertEqual(names(hostname="dead\n", hosts="10.0.0.1 dead.example.com dead # x\n"),
                         ["dead", "dead.example.com", "dead"])

    def test_without_a_root_it_is_the_running_host(self) -> None:
        for settings in ({}, {"analyze_container": True}):
            origin = self.open(analyze_mountpoint="", **settings)
            self.assertTrue(origin.root.runs)
            self.assertEqual(origin.settings, make_settings(dict(settings, offline=True)))
            self.assertEqual(origin.names[0], os.uname().nodename)
            self.assertEqual(origin.root.is_live(b"/proc/version"), bool(settings))
        self.assertIsInstance(origin.settings, Settings)
