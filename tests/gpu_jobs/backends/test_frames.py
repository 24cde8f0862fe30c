"""Frames come out as they went in, one after another, and a stream that is cut is at its end."""

from __future__ import annotations

import asyncio
import doctest

from hypothesis import given
from hypothesis import strategies as st

from gpu_jobs.backends import far_code, frames

MESSAGES = st.lists(st.tuples(st.dictionaries(st.text(max_size=5), st.text() | st.integers()), st.binary()), max_size=4)


def read(data: bytes) -> list[frames.Frame]:
    """Every whole frame of a stream."""

    async def all_of_it() -> list[frames.Frame]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        found = []
        while (frame := await frames.unpack(reader)) is not None:
            found.append(frame)
        return found

    return asyncio.run(all_of_it())


@given(MESSAGES, st.integers(min_value=0, max_value=7))
def test_frames_come_out_as_they_went_in_and_a_cut_one_does_not(sent: list[frames.Frame], cut: int) -> None:
    whole = b"".join(frames.pack(message, data) for message, data in sent)
    assert read(whole) == sent
    assert read(whole + frames.pack({"do": "list"}, b"ab")[: 8 + cut]) == sent


def test_the_examples_are_true() -> None:
    for module in (frames, far_code):
        found = doctest.testmod(module, raise_on_error=True)
        assert found.attempted > 0
