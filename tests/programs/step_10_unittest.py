"""Tests as the book writes them, with unittest and numerical differentiation."""

import unittest

import numpy as np

import dezero.functions as F
from dezero import Variable
from dezero.utils import array_allclose, gradient_check, numerical_grad


def numerical_diff(f, x, eps=1e-4):
    x0 = Variable(x.data - eps)
    x1 = Variable(x.data + eps)
    y0 = f(x0)
    y1 = f(x1)
    return (y1.data - y0.data) / (2 * eps)


class SquareTest(unittest.TestCase):
    def test_forward(self):
        x = Variable(np.array(2.0))
        y = F.square(x)
        self.assertEqual(y.data, np.array(4.0))

    def test_backward(self):
        x = Variable(np.array(3.0))
        y = F.square(x)
        y.backward()
        self.assertEqual(x.grad.data, np.array(6.0))

    def test_gradient_check(self):
        x = Variable(np.random.rand(1))
        y = F.square(x)
        y.backward()
        num_grad = numerical_diff(F.square, x)
        flg = np.allclose(x.grad.data, num_grad)
        self.assertTrue(flg)

    def test_utils(self):
        x = np.random.rand(3, 2)
        self.assertTrue(gradient_check(F.tanh, x))
        self.assertTrue(gradient_check(lambda x: x**2 + 3 * x, x, rtol=1e-3, atol=1e-4))
        self.assertTrue(array_allclose(numerical_grad(F.sin, x), np.cos(x)))


unittest.main()
