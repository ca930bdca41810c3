"""A pole on a cart, for the agents of these examples.

Push the cart to the left or to the right, and keep the pole upright. The equations are those of
A. Barto, R. Sutton and C. Anderson, Neuronlike adaptive elements that can solve difficult learning
control problems, 1983, without friction.
"""

import math

import numpy as np

GRAVITY = 9.8  # m/s²
CART, POLE = 1.0, 0.1  # kg
HALF = 0.5  # m, half of the pole's length
PUSH = 10.0  # N
SECONDS = 0.02  # of one step
FAR, TILTED = 2.4, math.radians(12)  # beyond these it is over


class CartPole:
    """The world. Its state: position, velocity, angle and angular velocity (m, m/s, rad, rad/s)."""

    def __init__(self, seed=None):
        self.rng = np.random.RandomState(seed)
        self.reset()

    def reset(self):
        """Begin again, nearly at rest and nearly upright. Returns the state."""
        self.state = tuple(self.rng.uniform(-0.05, 0.05, 4).tolist())
        return np.array(self.state)

    def step(self, action):
        """Push for a fiftieth of a second, to the left (0) or to the right (1).

        Returns the new state, the reward, which is 1 for every step, and whether it is over.
        """
        x, v, angle, turn = self.state
        dv, dturn = accelerations(self.state, PUSH if action else -PUSH)
        x, angle = x + SECONDS * v, angle + SECONDS * turn
        self.state = x, v + SECONDS * dv, angle, turn + SECONDS * dturn
        return np.array(self.state), 1.0, abs(x) > FAR or abs(angle) > TILTED


def accelerations(state, force):
    """Of the cart, and of the pole's angle, under a force on the cart."""
    _, _, angle, turn = state
    sin, cos, mass = math.sin(angle), math.cos(angle), CART + POLE
    pull = (force + POLE * HALF * turn**2 * sin) / mass
    dturn = (GRAVITY * sin - pull * cos) / (HALF * (4 / 3 - POLE * cos**2 / mass))
    return pull - POLE * HALF * dturn * cos / mass, dturn


def draw(ax, states, title=""):
    """The cart and its pole at some moments, side by side like the pictures of a film."""
    for i, (_, _, angle, _) in enumerate(states):
        ax.plot([i - 0.25, i + 0.25], [0, 0], lw=7, color="C0", solid_capstyle="butt")
        top = i + 2 * HALF * math.sin(angle), 2 * HALF * math.cos(angle)
        ax.plot([i, top[0]], [0, top[1]], lw=3, color="C1")
    ax.axhline(-0.1, color="0.6", lw=1)
    ax.set(title=title, xlim=(-0.6, len(states) - 0.4), ylim=(-0.2, 1.2), aspect="equal")
    ax.axis("off")
