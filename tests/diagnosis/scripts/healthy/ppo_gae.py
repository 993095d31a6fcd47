import torch
from torch import nn
from torch.distributions import Normal


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.mu = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
        self.v = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
        self.log_std = nn.Parameter(torch.zeros(1))

    def dist(self, s):
        return Normal(self.mu(s), self.log_std.exp())


ac = ActorCritic()
opt = torch.optim.Adam(ac.parameters(), lr=3e-4)
states, actions, logps, rewards, values = [], [], [], [], []
s = torch.zeros(3)
for _ in range(10):
    with torch.no_grad():
        d = ac.dist(s)
        a = d.sample()
        logps.append(d.log_prob(a))
        values.append(ac.v(s).item())
    states.append(s)
    actions.append(a)
    s = torch.tanh(s + 0.1 * a)
    rewards.append(-s.pow(2).sum().item())
adv, gae = [], 0.0
values.append(0.0)
for i in reversed(range(10)):
    delta = rewards[i] + 0.99 * values[i + 1] - values[i]
    gae = delta + 0.99 * 0.95 * gae
    adv.insert(0, gae)
adv = torch.tensor(adv)
returns = adv + torch.tensor(values[:-1])
adv = (adv - adv.mean()) / (adv.std() + 1e-8)
S, A, L = torch.stack(states), torch.stack(actions), torch.stack(logps).squeeze(-1)
for _ in range(3):
    d = ac.dist(S)
    lp = d.log_prob(A).squeeze(-1)
    ratio = (lp - L).exp()
    surr = torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv)
    v = ac.v(S).squeeze(-1)
    loss = -surr.mean() + 0.5 * (v - returns).pow(2).mean() - 0.01 * d.entropy().mean()
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(ac.parameters(), 0.5)
    opt.step()
    kl = (L - lp).mean().item()
    if kl > 0.01:
        break
