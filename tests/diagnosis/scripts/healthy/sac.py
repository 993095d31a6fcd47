import copy

import torch
import torch.nn.functional as F
from torch import nn

q1, pi = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)), nn.Linear(3, 2)
q1t = copy.deepcopy(q1)
for p in q1t.parameters():
    p.requires_grad = False
log_alpha = torch.zeros(1, requires_grad=True)
oq, op, oa = (torch.optim.Adam(ps, 1e-3) for ps in (q1.parameters(), pi.parameters(), [log_alpha]))


def act(s):
    mu, ls = pi(s).chunk(2, -1)
    d = torch.distributions.Normal(mu, ls.clamp(-5, 2).exp())
    u = d.rsample()
    a = torch.tanh(u)
    logp = d.log_prob(u).sum(-1, keepdim=True) - torch.log(1 - a.pow(2) + 1e-6).sum(-1, keepdim=True)
    return a, logp


for _ in range(3):
    s, a, r, s2 = torch.randn(6, 3), torch.rand(6, 1), torch.randn(6, 1), torch.randn(6, 3)
    alpha = log_alpha.exp().item()
    with torch.no_grad():
        a2, lp2 = act(s2)
        y = r + 0.99 * (q1t(torch.cat([s2, a2], 1)) - alpha * lp2)
    lq = F.mse_loss(q1(torch.cat([s, a], 1)), y)
    oq.zero_grad()
    lq.backward()
    oq.step()
    for p in q1.parameters():
        p.requires_grad = False
    an, lp = act(s)
    lpi = (alpha * lp - q1(torch.cat([s, an], 1))).mean()
    op.zero_grad()
    lpi.backward()
    op.step()
    for p in q1.parameters():
        p.requires_grad = True
    la = -(log_alpha * (lp + 1.0).detach()).mean()
    oa.zero_grad()
    la.backward()
    oa.step()
    with torch.no_grad():
        for p, pt in zip(q1.parameters(), q1t.parameters()):
            pt.lerp_(p, 0.005)
