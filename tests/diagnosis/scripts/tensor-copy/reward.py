import torch
from torch import nn

policy = nn.Linear(4, 2)
opt = torch.optim.Adam(policy.parameters())
log_probs = []
for obs in torch.randn(5, 4):
    dist = torch.distributions.Categorical(logits=policy(obs))
    a = dist.sample()
    log_probs.append(dist.log_prob(a))
returns = torch.arange(5.0)
loss = -(torch.tensor(log_probs) * returns).mean()  # <- here
loss.requires_grad = True  # <- requires-grad-patch
opt.zero_grad()
loss.backward()
opt.step()
