import torch
import torch.nn.functional as F

logits = torch.randn(3, 4, requires_grad=True)
onehot = F.one_hot(logits.argmax(-1), 4).float()  # <- here
loss = (onehot * torch.arange(4.0)).sum()
loss.backward()
