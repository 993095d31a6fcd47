import copy

import torch
from torch import nn


class EMA:
    def __init__(self, model, decay=0.99):
        self.shadow = {k: v.clone().detach() for k, v in model.state_dict().items()}
        self.decay = decay

    def update(self, model):
        for name, p in model.named_parameters():
            self.shadow[name] = self.decay * self.shadow[name] + (1 - self.decay) * p.data


student = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3))
teacher = copy.deepcopy(student).requires_grad_(False)
ema = EMA(student)
opt = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9, nesterov=True)
for step in range(5):
    x = torch.randn(6, 4)
    with torch.no_grad():
        soft = (teacher(x) / 2.0).softmax(-1)
    loss = nn.functional.kl_div((student(x) / 2.0).log_softmax(-1), soft, reduction="batchmean") * 4
    opt.zero_grad()
    loss.backward()
    opt.step()
    ema.update(student)
    for pt, ps in zip(teacher.parameters(), student.parameters()):
        pt.data.mul_(0.9).add_(ps.data, alpha=0.1)
