import torch
from torch import nn
from torch.distributions import Categorical


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.actor, self.critic = nn.Linear(4, 16), nn.Linear(16, 2), nn.Linear(16, 1)

    def forward(self, x):
        h = torch.relu(self.body(x))
        return torch.softmax(self.actor(h), -1), self.critic(h)


torch.manual_seed(0)
policy = Policy()
optimizer = torch.optim.Adam(policy.parameters())
for _ in range(3):
    saved, rewards = [], []
    for _ in range(5):
        probabilities, value = policy(torch.randn(4))
        m = Categorical(probabilities)
        action = m.sample()
        saved.append((m.log_prob(action), value))
        rewards.append(float(action.item() == 1))
    R, returns = 0.0, []
    for r in rewards[::-1]:
        R = r + 0.99 * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + 1e-6)
    policy_losses, value_losses = [], []
    for (log_prob, value), R in zip(saved, returns):
        advantage = R - value.item()
        policy_losses.append(-log_prob * advantage)
        value_losses.append(nn.functional.smooth_l1_loss(value, torch.tensor([R])))
    optimizer.zero_grad()
    loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum()
    loss.backward()
    optimizer.step()
