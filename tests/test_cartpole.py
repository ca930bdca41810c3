"""The pole on the cart that the agents of the examples balance: nbs/examples/cartpole.py."""

import math

import numpy as np
import pytest


@pytest.fixture
def cartpole(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "nbs" / "examples"))
    import cartpole

    return cartpole


def energy(cartpole, state):
    """Of cart and pole, with the moment of inertia of a thin rod, m (2 half)² / 3."""
    _, v, angle, turn = state
    m, half, mass = cartpole.POLE, cartpole.HALF, cartpole.CART + cartpole.POLE
    moving = mass * v**2 / 2 + m * half * v * turn * math.cos(angle) + m * half**2 * turn**2 * 2 / 3
    return moving + m * cartpole.GRAVITY * half * math.cos(angle)


def test_without_a_force_the_energy_stays(cartpole):
    def change(state):
        dv, dturn = cartpole.accelerations(state, 0.0)
        return np.array([state[1], dv, state[3], dturn])

    state, h = np.array([0.0, 0.3, 0.5, -1.0]), 1e-3
    before = energy(cartpole, state)
    for _ in range(2000):  # the midpoint rule, two seconds
        state = state + h * change(state + h / 2 * change(state))
    assert abs(state[2]) > 1  # it has fallen
    assert energy(cartpole, state) == pytest.approx(before, rel=1e-5)


def test_it_follows_the_accelerations(cartpole):
    world = cartpole.CartPole(seed=0)
    world.state = x, v, angle, turn = 0.1, -0.2, 0.05, 0.3
    dv, dturn = cartpole.accelerations(world.state, cartpole.PUSH)
    state, reward, over = world.step(1)
    h = cartpole.SECONDS
    wanted = [x + h * v, v + h * dv, angle + h * turn, turn + h * dturn]
    assert np.allclose(state, wanted) and state.shape == (4,)
    assert reward == 1 and not over


def test_left_is_the_mirror_of_right(cartpole):
    one, two = cartpole.CartPole(), cartpole.CartPole()
    two.state = tuple(-value for value in one.state)
    for action in (0, 1, 1, 0, 0):
        assert np.allclose(one.step(action)[0], -two.step(1 - action)[0])


def test_a_push_to_one_side_tilts_the_pole_to_the_other(cartpole):
    world = cartpole.CartPole()
    world.state = 0.0, 0.0, 0.0, 0.0
    _, v, _, turn = world.step(1)[0]
    assert v > 0 > turn


@pytest.mark.parametrize("state, over", [
    ((0, 0, 0, 0), False), ((2.5, 0, 0, 0), True), ((-2.5, 0, 0, 0), True),
    ((0, 0, 0.2, 0), False), ((0, 0, 0.22, 0), True), ((0, 0, -0.22, 0), True),
])  # fmt: skip
def test_where_it_ends(cartpole, state, over):
    world = cartpole.CartPole()
    world.state = state
    assert world.step(0)[2] is over


def test_a_seed_gives_the_same_beginnings_and_leaves_the_global_draws_alone(cartpole):
    np.random.seed(1)
    wanted = np.random.rand()
    np.random.seed(1)
    one, two = cartpole.CartPole(seed=3), cartpole.CartPole(seed=3)
    starts = [world.reset() for world in (one, two)]
    assert np.array_equal(*starts) and abs(starts[0]).max() <= 0.05
    assert not np.array_equal(one.reset(), starts[0])
    assert np.random.rand() == wanted


def test_who_always_pushes_to_the_same_side_falls_soon(cartpole):
    world = cartpole.CartPole(seed=0)
    steps = 1
    while not world.step(1)[2]:
        steps += 1
    assert 5 < steps < 15
