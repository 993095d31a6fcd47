import math

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
x, y = torch.randn(32, 4), torch.randint(0, 3, (32,))
history, best, running = [], math.inf, 0.0
for epoch in range(5):
    net.train()
    total, correct = 0.0, 0
    for i in range(0, 32, 8):
        optimizer.zero_grad()
        logits = net(x[i : i + 8])
        loss = nn.functional.cross_entropy(logits, y[i : i + 8])
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        total += loss.item()
        correct += (logits.argmax(1) == y[i : i + 8]).sum().item()
        running = 0.9 * running + 0.1 * float(loss)
    loss = total / 4
    history.append(loss)
    scheduler.step(loss)
    net.eval()
    with torch.no_grad():
        validation = nn.functional.cross_entropy(net(x), y)
        accuracy = (net(x).argmax(-1) == y).float().mean().item()
    if validation.item() < best:
        best = validation.item()
    print(
        f"{epoch} {loss:.3f} {validation.item():.3f} {accuracy:.2f} {correct / 32:.2f} {logits.detach().numpy().mean():.2f}"
    )
