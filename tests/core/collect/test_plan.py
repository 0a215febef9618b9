"""What exactly is opened and run, and what it is called: from rules to tasks, on real folders."""
import os
import unittest
from typing import Dict, List, Optional, Sequence

from insights_mini.core.collect import plan
from insights_mini.core.exclusions.load import Exclusions
from insights_mini.core.exclusions.match import Excluder
from insights_mini.core.roots import Root
from insights_mini.core.roots.mounted import Mounted
from insights_mini.core.roots.running import Contained
from insights_mini.core.specs import COMMAND, FILE, GLOB, Rules, Spec
from tests.support import HostCase, Scratch


def no_pre_command(line: bytes) -> Optional[List[bytes]]:
    raise AssertionError("%r was run" % line)


def make(specs: Sequence[Spec], pre_commands: Optional[Dict[str, bytes]] = None,
         run: plan.PreCommand = no_pre_command) -> plan.Plan:
    return plan.make_plan(Rules("1", tuple(specs), pre_commands or {}), run, Excluder(Exclusions()))


def command(line: bytes, name: str = "x", alias: str = "", keep: Sequence[bytes] = ()) -> Spec:
    return Spec(name, COMMAND, line, tuple(keep), alias)


class Refused(unittest.TestCase):
    def test_what_is_never_run_is_refused_and_its_pre_command_not_run_either(self) -> None:
        for line, pre_line, word in ((b"/bin/rm x", b":", "rm"), (b"sh -c 'kill 1'", b":", "kill"),
                                     (b"/bin/echo", b"ls | xargs rm", "rm"),
                                     (b"/bin/hostname; reboot", b":", "reboot")):
            with self.subTest(line=line, pre_line=pre_line):
                for name in ("x", "hostname"):
                    made = make([command(line, name, "pre")], {"pre": pre_line})
                    self.assertEqual(made.tasks, ())
                    self.assertEqual(made.skips,
                                     (plan.Skip(0, plan.REFUSED, "%s is never run" % word),))

    def test_a_quote_that_is_not_closed_is_refused(self) -> None:
        self.assertEqual(make([command(b"/bin/echo 'x")]).skips,
                         (plan.Skip(0, plan.REFUSED, "a quote is not closed"),))

    def test_what_is_not_installed_is_skipped_without_its_pre_command(self) -> None:
        for line in (b"/usr/bin/no-such-program x", b"no-such-program", b"/opt/none/ls", b"/",
                     b"''", b"/etc/passwd", b"/bin"):
            with self.subTest(line=line):
                made = make([command(line, alias="pre")], {"pre": b"echo"})
                self.assertEqual(made, plan.Plan((), (plan.Skip(0, plan.NOT_INSTALLED),)))

    def test_a_pre_command_that_fails_or_is_unknown_costs_its_specs_only(self) -> None:
        specs = [command(b"/bin/echo a", alias="bad"), command(b"/bin/echo b", alias="none"),
                 command(b"/bin/echo c"), command(b"/bin/echo d", alias="bad")]
        made = make(specs, {"bad": b"exit 1"}, lambda line: None)
        self.assertEqual([task.label for task in made.tasks], [b"/bin/echo c"])
        self.assertEqual([(skip.spec, skip.outcome) for skip in made.skips],
                         [(0, plan.FAILED), (1, plan.FAILED), (3, plan.FAILED)])
        self.assertIn("bad", made.skips[0].detail)
        self.assertIn("none", made.skips[1].detail)

    def test_a_pre_command_that_prints_nothing_leaves_nothing_to_collect(self) -> None:
        made = make([command(b"/bin/echo", alias="pre")], {"pre": b":"}, lambda line: [])
        self.assertEqual(made, plan.Plan((), (plan.Skip(0, plan.ABSENT),)))

    def test_a_command_whose_name_mangles_to_nothing_still_has_a_name_of_its_own(self) -> None:
        for task in make([command(b"/usr/bin/[")]).tasks:
            self.assertRegex(task.member, rb"\Ainsights_commands/[^/]+\Z")


class Commands(unittest.TestCase):
    def test_a_program_is_found_in_whichever_system_folder_it_is(self) -> None:
        for folder in (b"/bin/", b"/sbin/", b"/usr/bin/", b"/usr/sbin/", b""):
            with self.subTest(folder=folder):
                task, = make([command(folder + b"ls -l")]).tasks
                self.assertTrue(os.access(task.program, os.X_OK))
                self.assertEqual(os.path.basename(task.program), b"ls")
                self.assertEqual(task.argv, (folder + b"ls", b"-l"))
                self.assertEqual(task.member, b"insights_commands/ls_-l")

    def test_the_mount_point_is_replaced_before_running_and_naming(self) -> None:
        line = b"/bin/ls {CONTAINER_MOUNT_POINT} '{CONTAINER_MOUNT_POINT}etc'"
        task, = make([command(line)]).tasks
        self.assertEqual(task.argv, (b"/bin/ls", b"/", b"/etc"))
        self.assertEqual(task.label, b"/bin/ls / '/etc'")
        self.assertEqual(task.member, b"insights_commands/ls_._.etc")

    def test_the_hostname_is_answered_and_never_run_nor_looked_for(self) -> None:
        task, = make([command(b"/bin/no-hostname -f", "hostname", keep=[b"x"])]).tasks
        self.assertEqual(task, plan.Task(plan.ANSWER, b"/bin/no-hostname -f",
                                         b"insights_commands/no-hostname_-f", (b"x",), (0,)))

    def test_a_pre_command_is_run_once_however_many_specs_use_it(self) -> None:
        lines: List[bytes] = []

        def run(line: bytes) -> List[bytes]:
            lines.append(line)
            return [b"eth0", b"eth1"]

        made = make([command(b"/bin/echo -i", alias="iface"), command(b"/bin/none", alias="iface"),
                     command(b"/bin/ls", alias="iface")], {"iface": b"list"}, run)
        self.assertEqual(lines, [b"list"])
        self.assertEqual([task.member for task in made.tasks],
                         [b"insights_commands/" + name for name in (
                             b"echo_-i_eth0", b"echo_-i_eth1", b"ls_eth0", b"ls_eth1")])
        self.assertEqual({task.specs for task in made.tasks[:2]}, {(0,)})

    def test_each_line_of_a_pre_command_is_one_argument_whatever_is_in_it(self) -> None:
        """FAULTS 28."""
        hostile = [b"$(touch x)", b"`touch x`; touch y", b"a  b", b"-e", b"' \"", b"../../etc",
                   b"x\xff"]
        made = make([command(b"/bin/echo 'a b'", alias="pre")], {"pre": b"x"}, lambda line: hostile)
        self.assertEqual([task.argv for task in made.tasks],
                         [(b"/bin/echo", b"a b", line) for line in hostile])
        for task in made.tasks:
            self.assertRegex(task.member, rb"\Ainsights_commands/[\w.-]+\Z")


class Merging(Scratch):
    def test_files_come_first_then_globs_then_commands_each_in_the_order_of_the_rules(self) -> None:
        path = os.fsencode(self.write("file", b"x"))
        specs = [command(b"/bin/echo 2"), Spec("g", GLOB, path + b"*"), command(b"/bin/echo 1"),
                 Spec("f", FILE, b"/etc/b"), Spec("f", FILE, b"/etc/a")]
        made = make(specs)
        self.assertEqual([task.label for task in made.tasks],
                         [b"/etc/b", b"/etc/a", path, b"/bin/echo 2", b"/bin/echo 1"])
        self.assertEqual([task.specs for task in made.tasks], [(3,), (4,), (1,), (0,), (2,)])

    def test_one_thing_is_collected_once_with_the_lines_that_any_spec_keeps(self) -> None:
        path = os.fsencode(self.write("file", b"x"))
        for keeps, together in (
            (((b"a",), (b"b", b"c")), (b"a", b"b", b"c")), (((b"a",), ()), ()),
            (((), (b"a",)), ()), (((b"a",), (), (b"b",)), ()), (((), ()), ()),
        ):
            with self.subTest(keeps=keeps):
                specs = [Spec("s%d" % i, (FILE, GLOB)[i % 2], path + b"*"[:i % 2], keep)
                         for i, keep in enumerate(keeps)]
                task, = make(specs).tasks
                self.assertEqual(task.keep, together)
                self.assertEqual(sorted(task.specs), list(range(len(keeps))))
                task, = make([command(b"/bin/echo", keep=keep) for keep in keeps]).tasks
                self.assertEqual(task.keep, together)

    def test_what_several_specs_limit_gets_the_larger_size_and_the_shorter_time(self) -> None:
        path = os.fsencode(self.write("file", b"x"))
        for limits, most, slow in (
                (((0, 0.0), (0, 0.0)), 0, 0.0), (((5, 9.0),), 5, 9.0),
                (((5, 9.0), (7, 3.0)), 7, 3.0), (((7, 3.0), (5, 9.0)), 7, 3.0),
                (((5, 9.0), (0, 0.0)), 0, 9.0), (((0, 0.0), (5, 9.0)), 0, 9.0),
                (((5, 0.0), (7, 3.0), (6, 8.0)), 7, 3.0), (((0, 0.0), (7, 0.0), (6, 8.0)), 0, 8.0)):
            with self.subTest(str(limits)):
                task, = make([command(b"/bin/echo")._replace(most=most, slow=slow)
                              for most, slow in limits]).tasks
                self.assertEqual((task.most, task.slow), (most, slow))
                task, = make([Spec("s", (FILE, GLOB)[i % 2], path + b"*"[:i % 2], most=most)
                              for i, (most, _) in enumerate(limits)]).tasks
                self.assertEqual((task.most, task.slow), (most, 0.0))

    def test_different_things_with_one_name_do_not_overwrite_each_other(self) -> None:
        made = make([command(b"/bin/echo a"), command(b"/bin/echo 'a'"),
                     command(b"/usr/bin/echo a"), command(b"/bin/echo ?a")])
        self.assertEqual([task.label for task in made.tasks], [b"/bin/echo a"])
        self.assertEqual(made.skips, tuple(
            plan.Skip(place, plan.NAME_TAKEN, "insights_commands/echo_a") for place in (1, 2, 3)))

    def test_a_glob_or_expression_without_matches_is_absent(self) -> None:
        made = make([Spec("g", GLOB, os.fsencode(self.path("*"))),
                     Spec("f", FILE, os.fsencode(self.path(".*")))])
        self.assertEqual(made.tasks, ())
        self.assertEqual(sorted(made.skips), [plan.Skip(0, plan.ABSENT), plan.Skip(1, plan.ABSENT)])

    def test_a_path_with_detours_cannot_leave_the_archive(self) -> None:
        for path, member in ((b"/etc/hosts", b"etc/hosts"), (b"//etc/./hosts/", b"etc/hosts"),
                             (b"/etc/../../../root/x", b"root/x"), (b"/a/b/../c", b"a/c"),
                             (b"/..", b""), (b"/a\xff/\xc3\xa9", b"a\xff/\xc3\xa9")):
            with self.subTest(path=path):
                self.assertEqual(plan.member_of(path), member)


class Product(HostCase):
    def test_hostile_names_and_lines_of_the_host_and_its_rules_are_inert(self) -> None:
        """FAULTS 28."""
        mark = self.path("mark")
        names = ["$(touch mark)", "-e", "--help", ";touch mark", "a'b\"c", "`id`", "a\nb"]
        for name in names:
            self.write("d/" + name, "-e kept\n$(touch %s) kept\nnot\n" % mark)
        lines = self.write("lines", "$(touch %s)\n-n a  b\n" % mark)
        wild = "\"$(touch %s)\" `touch %s` > %s && touch %s" % ((mark,) * 4)
        members = self.collect(self.write("rules.json", {
            "version": "1", "pre_commands": {"hostile": "cat " + lines},
            "globs": [{"glob": self.path("d", "*"), "symbolic_name": "names",
                       "pattern": ["-e", "$(touch"]}],
            "commands": [{"command": "/bin/echo '$(touch %s)'" % mark, "symbolic_name": "a"},
                         {"command": "/bin/echo 1 " + wild, "symbolic_name": "b"},
                         {"command": "/bin/echo got", "pre_command": "hostile",
                          "symbolic_name": "c"}]}))
        self.assertFalse(os.path.exists(mark))
        below = self.path("d").strip("/") + "/"
        self.assertEqual(sorted(name[len(below):] for name in members if name.startswith(below)),
                         sorted(names))
        self.assertEqual(members[below + "-e"].decode(), "-e kept\n$(touch %s) kept\n" % mark)
        self.assertEqual(
            sorted(content.decode() for name, content in members.items()
                   if name.startswith("insights_commands/")),
            sorted(["$(touch %s)\n" % mark, "1 %s\n" % wild.replace('"', ""),
                    "got $(touch %s)\n" % mark, "got -n a  b\n"]))

    def test_an_argument_that_no_program_can_get_costs_its_own_spec_only(self) -> None:
        members = self.collect(self.write("rules.json", {
            "version": "1",
            "pre_commands": {"nul": "printf 'a\\000b\\n'",
                             "long": "head -c 200000 /dev/zero | tr '\\0' x"},
            "commands": [{"command": "/bin/echo", "pre_command": "nul", "symbolic_name": "a"},
                         {"command": "/bin/echo", "pre_command": "long", "symbolic_name": "b"},
                         {"command": "/bin/echo fine", "symbolic_name": "c"}]}))
        self.assertEqual(members["insights_commands/echo_fine"], b"fine\n")


class NotRunning(Scratch):
    """A root that does not run, and a container."""

    def setUp(self) -> None:
        super().setUp()
        os.mkdir(self.path("root"))
        self.root = Mounted(os.fsencode(self.path("root")))
        self.addCleanup(self.root.close)

    def make(self, specs: Sequence[Spec], root: Optional[Root] = None,
             files: str = "") -> plan.Plan:
        exclusions = Exclusions(files=(files,)) if files else Exclusions()
        return plan.make_plan(Rules("1", tuple(specs), {"pre": b"echo x"}), no_pre_command,
                              Excluder(exclusions, root or self.root))

    def test_nothing_is_run_on_it_and_no_pre_command_either(self) -> None:
        made = self.make([command(b"/bin/ps aux"), command(b"/bin/echo", alias="pre"),
                          command(b"/sbin/lsmod | cat"), command(b"/usr/sbin/none")])
        self.assertEqual(made.tasks, ())
        self.assertEqual([skip.outcome for skip in made.skips], [plan.LIVE] * 4)

    def test_what_a_running_kernel_shows_is_not_looked_for(self) -> None:
        self.write("root/proc/cpuinfo", b"x")
        made = self.make([Spec("x", FILE, b"/proc/cpuinfo"), Spec("x", FILE, b"//sys/.*"),
                          Spec("x", GLOB, b"/proc/*"), Spec("x", FILE, b"/processes")])
        self.assertEqual([task.label for task in made.tasks], [b"/processes"])
        self.assertEqual([skip.outcome for skip in made.skips], [plan.LIVE] * 3)

    def test_what_is_never_run_and_what_is_excluded_is_said_to_be_so(self) -> None:
        self.write("root/insights_commands/cat_.etc_.x", b"x")
        made = self.make([command(b"/bin/rm x"), command(b"/bin/cat /etc/ /x")], files="/x")
        self.assertEqual([skip.outcome for skip in made.skips], [plan.REFUSED, plan.EXCLUDED])

    def test_what_an_earlier_archive_holds_of_a_command_answers_it(self) -> None:
        for name in ("ps_aux", "ethtool_eth0", "ethtool_bond0.10", "ethtool_-i_eth0", "ethtoolx",
                     "ss_-tupna"):
            self.write("root/insights_commands/" + name, b"x")
        made = self.make([command(b"/bin/ps aux"), command(b"/sbin/ethtool", alias="pre"),
                          command(b"/sbin/ethtool -i", alias="pre"),
                          command(b"/bin/ss -tupna", alias="pre")])
        self.assertEqual([(task.kind, task.label, task.member) for task in made.tasks], [
            (plan.INSTEAD, b"/bin/ps aux", b"insights_commands/ps_aux"),
            (plan.INSTEAD, b"/sbin/ethtool bond0.10", b"insights_commands/ethtool_bond0.10"),
            (plan.INSTEAD, b"/sbin/ethtool eth0", b"insights_commands/ethtool_eth0"),
            (plan.INSTEAD, b"/sbin/ethtool -i eth0", b"insights_commands/ethtool_-i_eth0"),
            (plan.INSTEAD, b"/bin/ss -tupna", b"insights_commands/ss_-tupna")])

    def test_a_container_is_not_asked_about_the_kernel_of_its_host(self) -> None:
        lines = (b"/bin/uname -a", b"dmesg", b"/bin/ls -lanR /sys/firmware", b"/bin/ls -lan /boot",
                 b"/usr/bin/find /sys/devices -name x", b"/bin/ls -l /dev", b"/sbin/sysctl -a")
        made = self.make([command(line) for line in lines] + [
            Spec("x", FILE, b"/proc/cpuinfo"), Spec("x", GLOB, b"/sys/class/*")], Contained())
        self.assertEqual((made.tasks, {skip.outcome for skip in made.skips}), ((), {plan.FOREIGN}))
        made = self.make([command(b"/bin/ls -la /dev/null /etc"), command(b"/bin/ls -l /system"),
                          Spec("x", FILE, b"/etc/passwd")], Contained())
        self.assertEqual(len(made.tasks), 3)
