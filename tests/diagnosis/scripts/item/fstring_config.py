from dataclasses import dataclass

import torch


@dataclass
class State:
    x: float = 0.0
    v: float = 1.0


class Spring:
    def __init__(self, k):
        self.k = k
        self.s = State()

    def step(self, dt):
        a = -self.k.item() * self.s.x  # <- here
        self.s.v += a * dt
        self.s.x += self.s.v * dt


k = torch.tensor(2.0, requires_grad=True)
spring = Spring(k)
for _ in range(3):
    spring.step(0.1)
loss = torch.tensor(spring.s.x) ** 2
loss.backward()
