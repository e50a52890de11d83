"""Sets that are wrong in exactly one way: the code, what is wrong, what is changed in the small set, and where."""

from __future__ import annotations

from tests.bad_policies.small_set import GOOD, Replaced

BILLER = GOOD["roles/biller.yaml"]
DESK = GOOD["roles/desk.yaml"]
OWNER = GOOD["roles/owner.yaml"]
HEAD = "format: sparekey/v1\nkind: "
ROLE = HEAD + "role\ntitle: New\nheld_by: "

WRONG: list[tuple[str, str, dict[str, Replaced], str]] = [
    ("P103", "a file of 300 KiB", {"hints.yaml": "#" * 300 * 1024}, "hints.yaml:1:1"),
    ("P104", "bytes that are not UTF-8", {"hints.yaml": b"format: sparekey/v1\nkind: \xff\xfe"}, "hints.yaml:2:7"),
    ("P104", "a NUL", {"hints.yaml": "format: spare\0key/v1\n"}, "hints.yaml:1:14"),
    ("P105", "a byte order mark", {"hints.yaml": "\ufeff" + GOOD["hints.yaml"]}, "hints.yaml:1:1"),
    ("P106", "a tab", {"hints.yaml": ("  bill:", "\tbill:")}, "hints.yaml:4:1"),
    ("P107", "a file that ends in .yml", {"more.yml": HEAD + "tests\n"}, "more.yml:1:1"),
    (
        "P110",
        "a bracket that is never closed",
        {"hints.yaml": ("[bill insurance]", "[bill insurance")},
        "hints.yaml:4:74",
    ),
    ("P111", "an empty file", {"hints.yaml": ""}, "hints.yaml:1:1"),
    ("P111", "two documents", {"hints.yaml": GOOD["hints.yaml"] + "---\nformat: x\n"}, "hints.yaml:5:1"),
    ("P112", "a key twice", {"roles/biller.yaml": BILLER + "title: Again\n"}, "roles/biller.yaml:8:1"),
    ("P113", "an anchor", {"roles/biller.yaml": ("title: B", "title: &a B")}, "roles/biller.yaml:3:8"),
    ("P113", "an alias", {"roles/biller.yaml": ("title: Biller", "title: *a")}, "roles/biller.yaml:3:8"),
    ("P114", "a merge key", {"roles/biller.yaml": BILLER + "<<: {}\n"}, "roles/biller.yaml:8:1"),
    ("P115", "a tag", {"roles/biller.yaml": ("title: B", "title: !!str B")}, "roles/biller.yaml:3:8"),
    ("P115", "a directive", {"roles/desk.yaml": "%YAML 1.1\n---\n" + DESK}, "roles/desk.yaml:1:1"),
    ("P116", "a hundred thousand brackets", {"hints.yaml": "a: " + "[" * 100_000}, "hints.yaml:1:19"),
    ("P120", "a format of the future", {"hints.yaml": ("sparekey/v1", "sparekey/v2")}, "hints.yaml:1:9"),
    ("P121", "an unknown kind", {"hints.yaml": ("kind: hints", "kind: hint")}, "hints.yaml:2:7"),
    ("P122", "an unknown key", {"roles/desk.yaml": DESK + "colour: red\n"}, "roles/desk.yaml:8:1"),
    ("P122", "a misspelt key", {"roles/desk.yaml": ("title:", "titel:")}, "roles/desk.yaml:3:1"),
    ("P123", "a key that is missing", {"hints.yaml": (", recommend: biller", "")}, "hints.yaml:4:9"),
    ("P124", "a text for a list", {"roles/desk.yaml": ("[schedule.read]", "schedule.read")}, "roles/desk.yaml:7:9"),
    ("P124", "yes for true", {"roles/desk.yaml": DESK + "sensitive: yes\n"}, "roles/desk.yaml:8:12"),
    ("P124", "true in quotes", {"roles/desk.yaml": DESK + "sensitive: 'true'\n"}, "roles/desk.yaml:8:12"),
    ("P124", "an octal number", {"policy.yaml": ("months: 12", "months: 012")}, "policy.yaml:9:20"),
    (
        "P124",
        "a title with a right-to-left override",
        {"roles/desk.yaml": ("Desk", '"De\\u202esk"')},
        "roles/desk.yaml:3:8",
    ),
    (
        "P125",
        "an effect there is not",
        {"permissions/billing.yaml": ("effect: admin", "effect: deny")},
        "permissions/billing.yaml:8:64",
    ),
    ("P125", "a holder there is not", {"roles/desk.yaml": ("[staff]", "[staf]")}, "roles/desk.yaml:4:11"),
    (
        "P126",
        "a permission in capitals",
        {"roles/desk.yaml": ("schedule.read", "Schedule.read")},
        "roles/desk.yaml:7:10",
    ),
    ("P126", "a wildcard for everything", {"roles/desk.yaml": ("schedule.read", "'*'")}, "roles/desk.yaml:7:10"),
    ("P126", "a role's file with a strange name", {"roles/Desk.yaml": DESK}, "roles/Desk.yaml:1:1"),
    (
        "P127",
        "a default beyond the maximum",
        {"policy.yaml": ("default_days: 365, max", "default_days: 731, max")},
        "policy.yaml:7:29",
    ),
    (
        "P128",
        "a grant twice",
        {"roles/desk.yaml": ("[schedule.read]", "[schedule.read, schedule.read]")},
        "roles/desk.yaml:7:25",
    ),
    (
        "P130",
        "an unknown permission in a role",
        {"roles/biller.yaml": ("claims.*", "claims.reed")},
        "roles/biller.yaml:7:10",
    ),
    ("P130", "an unknown permission in a promise", {"never.yaml": ("[safe.open]", "[safe.opens]")}, "never.yaml:4:36"),
    ("P131", "an unknown role", {"roles/desk.yaml": ("[owner]", "[owners]")}, "roles/desk.yaml:5:14"),
    (
        "P132",
        "an unknown kind of agent",
        {"tests/outsiders.yaml": ("kind: company", "kind: compny")},
        "tests/outsiders.yaml:4:16",
    ),
    ("P133", "an unknown sensitivity", {"roles/desk.yaml": ("max: contact", "max: contacts")}, "roles/desk.yaml:6:18"),
    (
        "P134",
        "a property that is not declared",
        {"roles/owner.yaml": OWNER + "guards: {claims.void: [{property: action.total, lte: 5}]}\n"},
        "roles/owner.yaml:9:35",
    ),
    (
        "P135",
        "an unknown subject",
        {"tests/outsiders.yaml": ("subject: acme", "subject: acne")},
        "tests/outsiders.yaml:6:39",
    ),
    (
        "P136",
        "a permission in two files",
        {
            "permissions/more.yaml": HEAD
            + "permissions\npermissions:\n  safe.open: {title: Again, sensitivity: none, effect: admin}\n"
        },
        "permissions/more.yaml:4:3",
    ),
    ("P136", "a role in two folders", {"roles/x/desk.yaml": DESK}, "roles/x/desk.yaml:1:1"),
    ("P137", "two policy files", {"second.yaml": GOOD["policy.yaml"]}, "second.yaml:2:1"),
    ("P138", "a wildcard below nothing", {"roles/desk.yaml": ("schedule.read", "scheduel.*")}, "roles/desk.yaml:7:10"),
    (
        "P138",
        "a wildcard over what must be named",
        {"roles/owner.yaml": ("safe.open]", "safe.open, safe.*]")},
        "roles/owner.yaml:8:34",
    ),
    (
        "P140",
        "a circle",
        {"roles/biller.yaml": BILLER + "includes: [desk]\n", "roles/desk.yaml": DESK + "includes: [biller]\n"},
        "roles/biller.yaml:8:12",
    ),
    ("P140", "a role that includes itself", {"roles/desk.yaml": DESK + "includes: [desk]\n"}, "roles/desk.yaml:8:12"),
    (
        "P141",
        "a grant above the maximum",
        {"roles/desk.yaml": ("[schedule.read]", "[schedule.read, claims.read]")},
        "roles/desk.yaml:7:25",
    ),
    ("P141", "an inherited one above it", {"roles/desk.yaml": DESK + "includes: [biller]\n"}, "roles/desk.yaml:8:12"),
    (
        "P142",
        "a need that is not met",
        {
            "roles/owner.yaml": ("includes: [biller, desk]", "includes: [desk]\nwithout: []"),
            "roles/biller.yaml": ("claims.*", "claims.submit"),
        },
        "roles/biller.yaml:7:10",
    ),
    (
        "P142",
        "a need that is dropped",
        {"roles/owner.yaml": OWNER + "without: [claims.read]\n"},
        "roles/owner.yaml:9:11",
    ),
    ("P143", "dropping nothing", {"roles/desk.yaml": DESK + "without: [safe.open]\n"}, "roles/desk.yaml:8:11"),
    (
        "P144",
        "a guard on nothing",
        {"roles/desk.yaml": DESK + "guards: {claims.void: [{property: action.amount, lte: 5}]}\n"},
        "roles/desk.yaml:8:10",
    ),
    (
        "P145",
        "an unknown comparison",
        {"roles/owner.yaml": OWNER + "guards: {claims.void: [{property: action.amount, lt: 5}]}\n"},
        "roles/owner.yaml:9:50",
    ),
    (
        "P145",
        "a number in quotes",
        {"roles/owner.yaml": OWNER + "guards: {claims.void: [{property: action.amount, lte: '5'}]}\n"},
        "roles/owner.yaml:9:55",
    ),
    ("P146", "a staff role for a company", {"agents.yaml": ("[biller]", "[biller, desk]")}, "agents.yaml:4:94"),
    (
        "P150",
        "a platform role that sees claims",
        {"roles/root.yaml": ROLE + "[platform]\nsensitivity_max: clinical\nincludes: [biller]\n"},
        "roles/root.yaml:6:12",
    ),
    (
        "P150",
        "a role for agents alone that opens the safe",
        {"roles/thief.yaml": ROLE + "[agent]\nsensitivity_max: none\ngrants: [safe.open]\n"},
        "roles/thief.yaml:6:10",
    ),
    (
        "P151",
        "duties in one hand",
        {"roles/biller.yaml": ("claims.*", "claims.*, claims.void")},
        "roles/biller.yaml:7:20",
    ),
    (
        "P152",
        "a desk that names billers",
        {"roles/biller.yaml": ("[owner]", "[owner, desk]")},
        "roles/biller.yaml:5:21",
    ),
    (
        "P153",
        "two roles that go together and must not",
        {
            "more.yaml": HEAD + "promises\nseparation_of_duty:\n"
            "  - {id: bill_and_book, permissions: [claims.submit, schedule.read], at_most: 1, because: Two eyes more.}"
        },
        "more.yaml:4:10",
    ),
    (
        "P153",
        "outsiders with two roles, whose grants may be of last year",
        {
            "more.yaml": HEAD + "promises\nseparation_of_duty:\n"
            "  - {id: see_and_submit, permissions: [claims.submit, schedule.read], at_most: 1,"
            " enforced: at_grant, because: Two pairs of eyes.}",
            "roles/desk.yaml": ("[staff]", "[staff, agent]"),
            "agents.yaml": ("[biller]", "[biller, desk]"),
        },
        "more.yaml:4:10",
    ),
    (
        "P139",
        "a test of a separation there is not",
        {"tests/outsiders.yaml": ("allow: [claims.submit]", "breaks: [submit_and_burn]")},
        "tests/outsiders.yaml:6:54",
    ),
    ("P160", "a hint at the wrong role", {"hints.yaml": ("recommend: biller", "recommend: desk")}, "hints.yaml:4:69"),
    (
        "P161",
        "a hint at too much",
        {"hints.yaml": ("needs: [claims.submit], recommend: biller", "needs: [schedule.read], recommend: owner")},
        "hints.yaml:4:69",
    ),
    (
        "P162",
        "a test that fails",
        {"tests/outsiders.yaml": ("allow: [claims.submit]", "deny: [claims.submit]")},
        "tests/outsiders.yaml:6:52",
    ),
    (
        "P163",
        "a test that asserts nothing",
        {"tests/outsiders.yaml": (", allow: [claims.submit]", "")},
        "tests/outsiders.yaml:6:5",
    ),
    (
        "P124",
        "a day that there is not",
        {"tests/outsiders.yaml": ("allow:", "at: 2026-02-30, allow:")},
        "tests/outsiders.yaml:6:49",
    ),
    (
        "P164",
        "an instant for somebody without days",
        {"tests/outsiders.yaml": ("allow:", "at: 2026-06-30, allow:")},
        "tests/outsiders.yaml:6:12",
    ),
    (
        "P164",
        "days and no instant",
        {"tests/outsiders.yaml": ("in_force}", "{effective_on: 2026-06-01}}")},
        "tests/outsiders.yaml:6:12",
    ),
]
