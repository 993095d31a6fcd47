import torch
from torch import nn

actor, critic = nn.Linear(3, 2), nn.Linear(2, 1)
oa = torch.optim.SGD(actor.parameters(), 0.1)
oc = torch.optim.SGD(critic.parameters(), 0.1)
obs = torch.randn(4, 3)
value = critic(actor(obs))
critic_loss = (value - 1).pow(2).mean()
actor_loss = -value.mean()
oc.zero_grad()
critic_loss.backward(retain_graph=True)
oc.step()  # <- here
oa.zero_grad()
actor_loss.backward()
