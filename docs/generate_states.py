"""Write the diagram of docs/states.md from the transition table: ``python docs/generate_states.py``."""

from __future__ import annotations

from pathlib import Path

from wscli.core.states import TRANSITIONS, ChannelState

PAGE = Path(__file__).with_name("states.md")
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"
LEFT_OUT = (ChannelState.STOPPED, ChannelState.FAILED)


def diagram() -> str:
    """Draw the table as a Mermaid state diagram; what leads to ``stopped`` and ``failed`` stands in words below it."""
    arrows = [
        f"    {before} --> {after}"
        for before in ChannelState
        for after in ChannelState
        if after in TRANSITIONS[before] and after not in LEFT_OUT
    ]
    words = " ".join(f"Every state but {_but(state)} may lead to `{state}`." for state in LEFT_OUT)
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> idle", *arrows, "```", "", words])


def _but(state: ChannelState) -> str:
    return " and ".join(f"`{before}`" for before in ChannelState if state not in TRANSITIONS[before])


def page(text: str) -> str:
    """Put the diagram between the marks."""
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n{diagram()}\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
