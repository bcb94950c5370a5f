"""The environment of a command is compared with the manager's without a value that leaves either."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from wscli.control.environment import differing_variables, digest_variables

values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
environments = st.dictionaries(st.sampled_from(["A", "B", "C"]), values)


@given(theirs=environments, ours=environments)
def test_exactly_the_variables_with_other_values_are_named(theirs: dict[str, str], ours: dict[str, str]) -> None:
    expected = [name for name in sorted(theirs) if theirs[name] != ours.get(name, "")]
    assert differing_variables(digest_variables(theirs), ours) == expected
    assert differing_variables(digest_variables(theirs), ours, ignore_unset=True) == [
        name for name in expected if name in ours
    ]


def test_no_value_is_in_what_is_said_and_no_digest_can_be_looked_up() -> None:
    first, second = (digest_variables({"KEY": "s3cret"}) for _ in range(2))
    assert "s3cret" not in json.dumps(first)
    assert first["digests"]["KEY"] != second["digests"]["KEY"]


def test_bytes_that_are_not_utf8_are_compared_as_they_are() -> None:
    assert differing_variables(digest_variables({"KEY": "\udcff"}), {"KEY": "\udcff"}) == []
    assert differing_variables(digest_variables({"KEY": "\udcff"}), {"KEY": "\udcfe"}) == ["KEY"]
