"""How far it is, as a line of text."""

import re

from dezero.progress import progress_text, show_progress


def test_the_bar():
    assert progress_text(0, 10**7) == f"[{' ' * 30}]   0 % of 10.0 MB"
    assert progress_text(5 * 10**6, 10**7) == f"[{'#' * 15}{' ' * 15}]  50 % of 10.0 MB"
    assert progress_text(10**7, 10**7) == f"[{'#' * 30}] 100 % of 10.0 MB"
    assert progress_text(1_500_000, None).strip() == "1.5 MB"


def test_show_progress_is_a_reporthook(capsys):
    for number in range(4):
        show_progress(number, 4096, 10_000)
    told = capsys.readouterr().out.split("\r")
    assert [re.findall(r"(\d+) %", line) for line in told[1:]] == [["0"], ["40"], ["81"], ["100"]]
