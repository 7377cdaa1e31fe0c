"""The fresh test finds the mirror of the host in both of apt's formats."""

from fresh import deb822_entries, one_line_entries

ONE_LINE = """# deb http://old.example bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/debian bookworm main
"""
DEB822 = """Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://mirror.example/source
Suites: bookworm
Components: main
"""


def test_one_line_sources():
    assert list(one_line_entries(ONE_LINE)) == [
        ("http://mirror.example/debian", "bookworm", ["main", "contrib"])
    ]


def test_deb822_sources():
    assert list(deb822_entries(DEB822)) == [
        ("http://mirror.example/debian", "bookworm", ["main"]),
        ("http://mirror.example/debian", "bookworm-updates", ["main"]),
    ]
