"""Segments as subtitles: WebVTT (.vtt) and SubRip (.srt)."""

from collections.abc import Sequence

from holovid.inference.segments import Segment

WEBVTT_LETTERS = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
SUBRIP_LETTERS = str.maketrans({"<": "\u2039", ">": "\u203a"})  # players see tags here, and there is no escape


def webvtt(segments: Sequence[Segment]) -> str:
    """WebVTT, for a video's track in a web page.

    >>> print(webvtt([Segment(1.5, 3.25, "cut & stir", 0.875)]))
    WEBVTT
    <BLANKLINE>
    00:00:01.500 --> 00:00:03.250
    cut &amp; stir 0.88
    <BLANKLINE>
    """
    cues = []
    for start, end, words in lines_of(segments):
        cues.append(f"{clock(start, '.')} --> {clock(end, '.')}\n{words.translate(WEBVTT_LETTERS)}\n")
    return "\n".join(["WEBVTT\n", *cues])


def subrip(segments: Sequence[Segment]) -> str:
    """SubRip, for film players.

    >>> print(subrip([Segment(3600.0, 3661.5, "jump", 1.0)]))
    1
    01:00:00,000 --> 01:01:01,500
    jump 1.00
    <BLANKLINE>
    """
    return "\n".join(
        f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{words.translate(SUBRIP_LETTERS)}\n"
        for number, (start, end, words) in enumerate(lines_of(segments), start=1)
    )


def lines_of(segments: Sequence[Segment]) -> list[tuple[int, int, str]]:
    """(start, end, text) in milliseconds, each at least one long, with text of one line."""
    lines = []
    for segment in segments:
        start, end = round(1000 * segment.start), round(1000 * segment.end)
        lines.append((start, max(end, start + 1), f"{' '.join(segment.label.split())} {segment.score:.2f}"))
    return lines


def clock(milliseconds: int, point: str) -> str:
    """
    >>> clock(3_723_004, ",")
    '01:02:03,004'
    """
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"
