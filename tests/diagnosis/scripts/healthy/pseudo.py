import torch
from torch import nn

teacher, student = nn.Linear(3, 4), nn.Linear(3, 4)
opt = torch.optim.SGD(student.parameters(), lr=0.1)
for _ in range(3):
    x = torch.randn(6, 3)
    with torch.no_grad():
        soft = torch.softmax(teacher(x), -1)
        conf, label = soft.max(-1)
        mask = (conf > 0.3).float()
    out = student(x)
    loss = (nn.functional.cross_entropy(out, label, reduction="none") * mask).mean() + nn.functional.kl_div(
        out.log_softmax(-1), soft, reduction="batchmean"
    )
    opt.zero_grad()
    loss.backward()
    opt.step()
    for a, b in zip(teacher.parameters(), student.parameters()):
        a.data.mul_(0.9).add_(b.data, alpha=0.1)
