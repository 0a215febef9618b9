"""Which specs a run collects: by name, area and preset, from the catalogue and from elsewhere."""
import unittest
from typing import Any, List

from insights_mini.core.catalogue import load_catalogue
from insights_mini.core.scope import explain, narrow
from insights_mini.core.specs import COMMAND, FILE, Rules, Spec
from insights_mini.exits import FAILED, USAGE, Failure
from insights_mini.settings import Settings

KNOWN = {spec.name: spec for spec in load_catalogue().specs}
MINIMAL, DEFAULT, FULL = (next(spec.name for spec in KNOWN.values() if spec.preset == preset)
                          for preset in ("minimal", "default", "full"))


def make_rules(bundled: bool) -> Rules:
    """Return rules of three areas, in which "heavy" is full and "light" minimal."""
    rows = (("light", "disk", "minimal"), ("usual", "disk", "default"), ("heavy", "disk", "full"),
            ("light2", "net", "minimal"), ("usual2", "net", "default"), ("heavy2", "log", "full"))
    specs = tuple(Spec(name, FILE, b"/etc/" + name.encode(), area=area, preset=preset)
                  for name, area, preset in rows)
    return Rules("1", specs, {"each": b"ls"}, ("disk", "net", "log") if bundled else ())


def named(*names: str) -> Rules:
    """Return rules from elsewhere, of which nothing but names and targets is known."""
    return Rules("1", tuple(Spec(name, FILE, b"/etc/x") for name in names), {})


class Case(unittest.TestCase):
    def fail(self, rules: Rules, **settings: Any) -> Failure:  # type: ignore[override]
        with self.assertRaises(Failure) as caught:
            narrow(rules, Settings(**settings))
        return caught.exception

    def names(self, rules: Rules, **settings: Any) -> List[str]:
        narrowed = narrow(rules, Settings(**settings))
        self.assertEqual(narrowed[2:3], rules[2:3])
        return [spec.name for spec in narrowed.specs]


class Refused(Case):
    def test_an_area_that_is_none_is_answered_with_a_near_one_or_with_all(self) -> None:
        for rules in (make_rules(True), load_catalogue(), named("x")):
            for option in ("areas", "not_areas"):
                with self.subTest(option, rules=rules.specs[0]):
                    areas = rules.areas or load_catalogue().areas
                    near = self.fail(rules, **{option: (areas[0], areas[1] + "x", "none")})
                    self.assertIn("no area named %sx, none; did you mean %s?" % (
                        areas[1], areas[1]), str(near))
                    self.assertEqual(near.status, USAGE)
                    far = str(self.fail(rules, **{option: ("0",)}))
                    self.assertTrue(far.endswith("the areas are " + ", ".join(areas)), far)

    def test_a_name_that_no_spec_has_is_answered_with_a_near_one(self) -> None:
        failure = self.fail(make_rules(True), run_these=("light", "haevy", "none"))
        self.assertIn("no spec named haevy, none; did you mean heavy?", str(failure))
        self.assertEqual(failure.status, FAILED)
        self.assertIn("--list-specs", str(self.fail(named("x"), run_these=("0000",))))

    def test_a_scope_in_which_nothing_is_left_is_an_error(self) -> None:
        for rules, settings in ((make_rules(True), {"areas": ("log",)}),
                                (make_rules(True), {"not_areas": ("disk", "net")}),
                                (named("unheard_of"), {"preset": "minimal"}),
                                (named("unheard_of"), {"areas": ("network",)})):
            with self.subTest(str(settings)):
                failure = self.fail(rules, **settings)
                self.assertIn("nothing of the collection rules is left", str(failure))
                self.assertEqual(failure.status, USAGE)


class Catalogue(Case):
    def test_the_default_is_all_but_what_is_full(self) -> None:
        self.assertEqual(self.names(make_rules(True)), ["light", "usual", "light2", "usual2"])

    def test_a_preset_holds_the_smaller_ones(self) -> None:
        self.assertEqual(self.names(make_rules(True), preset="minimal"), ["light", "light2"])
        self.assertEqual(len(self.names(make_rules(True), preset="full")), 6)

    def test_areas_and_presets_narrow_together(self) -> None:
        for settings, expected in (
                ({"areas": ("net",)}, ["light2", "usual2"]),
                ({"areas": ("net", "disk")}, ["light", "usual", "light2", "usual2"]),
                ({"not_areas": ("net",)}, ["light", "usual"]),
                ({"areas": ("disk",), "preset": "minimal"}, ["light"]),
                ({"not_areas": ("disk",), "preset": "full"}, ["light2", "usual2", "heavy2"])):
            with self.subTest(str(settings)):
                self.assertEqual(self.names(make_rules(True), **settings), expected)

    def test_a_name_is_collected_whatever_its_preset(self) -> None:
        self.assertEqual(self.names(make_rules(True), run_these=("heavy", "light2")),
                         ["heavy", "light2"])

    def test_each_area_and_the_rest_are_the_whole_catalogue(self) -> None:
        catalogue = load_catalogue()
        for area in catalogue.areas:
            one = narrow(catalogue, Settings(areas=(area,), preset="full")).specs
            rest = narrow(catalogue, Settings(not_areas=(area,), preset="full")).specs
            self.assertTrue(one)
            self.assertEqual(sorted(one + rest), sorted(catalogue.specs))


class Elsewhere(Case):
    """Rules from a file or from the service."""

    def test_all_that_they_name_is_collected_by_default(self) -> None:
        rules = named(MINIMAL, DEFAULT, FULL, "unheard_of")
        self.assertEqual(narrow(rules, Settings()), rules)
        self.assertEqual(narrow(rules, Settings(preset="full")), rules)

    def test_the_catalogue_knows_areas_and_presets_by_symbolic_name(self) -> None:
        rules = named(MINIMAL, DEFAULT, FULL, "unheard_of")
        self.assertEqual(self.names(rules, preset="minimal"), [MINIMAL])
        area = KNOWN[FULL].area
        mine = [name for name in (MINIMAL, DEFAULT, FULL) if KNOWN[name].area == area]
        self.assertEqual(self.names(rules, areas=(area,)), mine)

    def test_a_name_that_the_catalogue_does_not_know_is_in_no_area(self) -> None:
        rules = named("unheard_of", "os_release")
        self.assertEqual(self.names(rules, areas=("system",)), ["os_release"])
        self.assertEqual(self.names(rules, not_areas=("system",)), ["unheard_of"])

    def test_they_have_no_limits_but_those_of_the_run(self) -> None:
        slow = next(spec for spec in KNOWN.values() if spec.slow)
        large = next(spec for spec in KNOWN.values() if spec.most)
        rules = Rules("1", tuple(Spec(spec.name, spec.kind, spec.target)
                                 for spec in (slow, large)), {})
        explained = explain(rules).specs
        self.assertEqual([(spec.slow, spec.most) for spec in explained], [(0.0, 0)] * 2)
        self.assertEqual([spec.purpose for spec in explained], [slow.purpose, large.purpose])

    def test_what_is_known_of_a_name_leaves_the_rest_as_it_is(self) -> None:
        spec = Spec("os_release", COMMAND, b"/bin/x", (b"y",), "pre")
        explained = explain(Rules("7", (spec,), {"pre": b":"}))
        self.assertEqual(explained.specs[0], spec._replace(
            area="system", preset=KNOWN["os_release"].preset, purpose=KNOWN["os_release"].purpose))
        self.assertEqual((explained.version, explained.pre_commands), ("7", {"pre": b":"}))
        self.assertIs(explain(explained), explained)
