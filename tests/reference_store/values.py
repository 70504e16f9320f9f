"""Hypothesis strategies for what a store may be given."""

from typing import Any

from hypothesis import strategies as st

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([2**53 + 1, 1e-7, -0.0, 10**300, "\0", "\u2028", "\U0001f680"])
    | text
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5), max_leaves=30
)
documents = st.dictionaries(text, values, max_size=6).filter(lambda document: "_integrity" not in document)
