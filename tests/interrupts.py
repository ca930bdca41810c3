"""Real signals, at moments that nobody chose."""

import signal

from dezero.config import Config


class Interrupt(Exception):
    pass


def interrupts(work, delays):
    """Run `work` once for each delay, after which a signal comes. How many of the runs it met;
    whatever it met, no switch may be left behind."""

    def stop(*_):
        raise Interrupt

    before, hits = signal.signal(signal.SIGALRM, stop), 0
    try:
        for delay in delays.tolist():
            try:
                signal.setitimer(signal.ITIMER_REAL, delay)
                work()
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupt:
                hits += 1
            assert Config.enable_backprop and Config.train, f"after {hits} interrupts"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return hits
