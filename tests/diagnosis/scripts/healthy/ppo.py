import torch
from torch import nn

torch.manual_seed(0)
actor, critic = nn.Linear(4, 2), nn.Linear(4, 1)
opt = torch.optim.Adam([*actor.parameters(), *critic.parameters()])
obs = torch.randn(16, 4)
acts = torch.randint(0, 2, (16,))
rew = torch.rand(16)
with torch.no_grad():
    old = torch.distributions.Categorical(logits=actor(obs)).log_prob(acts)
    values = critic(obs).squeeze(-1)
adv = torch.zeros(16)
last = 0.0
for t in reversed(range(15)):
    delta = rew[t] + 0.99 * values[t + 1] - values[t]
    adv[t] = last = delta + 0.95 * last
ret = adv + values
adv = (adv - adv.mean()) / (adv.std() + 1e-8)
for _ in range(4):
    d = torch.distributions.Categorical(logits=actor(obs))
    ratio = (d.log_prob(acts) - old).exp()
    pl = -torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv).mean()
    vl = (critic(obs).squeeze(-1) - ret).pow(2).mean()
    loss = pl + 0.5 * vl - 0.01 * d.entropy().mean()
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(actor.parameters(), 0.5)
    opt.step()
    kl = (old - d.log_prob(acts)).mean().item()
    if kl > 1.0:
        break
