"""What a test run counts: single results, and the readers of the formats they arrive in.

Host tests (cmocka) and guest tests print TAP; pytest writes JUnit XML. All become a list of Result,
and test.py adds them up. Always true: a program that ends badly, or before its plan is fulfilled,
yields at least one failed result, so silence never counts as success.
"""

import dataclasses
import re
import xml.etree.ElementTree as xml

TAP_PLAN = re.compile(r"^1\.\.(\d+)")
TAP_LINE = re.compile(r"^(not )?ok\b\s*(\d*)\s*(?:-\s*)?(.*)$")
TAP_SKIP = re.compile(r"#\s*SKIP\b\s*(.*)", re.IGNORECASE)


@dataclasses.dataclass
class Result:
    name: str
    outcome: str  # "passed", "failed" or "skipped"
    seconds: float = 0.0
    detail: str = ""


def failed(name, detail):
    return Result(name, "failed", detail=detail)


def read_tap(text, prefix):
    """The results in TAP text; names get the prefix. Several plans in one text add up."""
    results, planned, notes = [], 0, []
    for line in text.splitlines():
        plan = TAP_PLAN.match(line)
        match = TAP_LINE.match(line)
        if plan:
            planned += int(plan.group(1))
        elif match:
            results.append(tap_result(match, prefix))
            notes = []
        elif line.startswith("#") and results and results[-1].outcome == "failed":
            notes.append(line)
            results[-1].detail = "\n".join(notes)
    if planned != len(results):
        results.append(
            failed(f"{prefix} plan", f"{planned} tests were planned, {len(results)} reported")
        )
    return results


def tap_result(match, prefix):
    skip = TAP_SKIP.search(match.group(3))
    if skip:
        name = match.group(3)[: skip.start()].strip() or skip.group(1)
        return Result(f"{prefix} {name}", "skipped", detail=skip.group(1))
    outcome = "failed" if match.group(1) else "passed"
    return Result(f"{prefix} {match.group(3).strip()}", outcome)


def read_junit(path, prefix):
    """The results in a JUnit file that pytest wrote."""
    results = []
    for case in xml.parse(path).getroot().iter("testcase"):
        name = f"{prefix} {case.get('name')}"
        outcome, detail = "passed", ""
        for kind, meaning in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
            node = case.find(kind)
            if node is not None:
                outcome = meaning
                detail = node.get("message", "") if kind == "skipped" else node.text or ""
                break
        results.append(Result(name, outcome, float(case.get("time", 0)), detail))
    return results
